package doctor

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

// answerTime is how long a node may take to answer.
const answerTime = 5 * time.Second

// lookAtNode asks the running node, takes over what it says of itself, and holds
// its config against the file.
func (e *exam) lookAtNode(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	s, err := control.New(e.o.Socket).Status(ctx)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		e.find(health.NoNode, control.LevelWarning, "", "no node runs ("+err.Error()+")", "start it", "l2tun up -d"+e.o.Flag)
		return
	case err != nil:
		e.find(health.Mute, control.LevelError, "", err.Error(), "look at its log; if it hangs, send it SIGQUIT for a stack trace, stop it and send a bug report", "l2tun bugreport"+e.o.NodeFlag)
		return
	}
	e.status = s
	e.report.Findings = append(e.report.Findings, s.Health...)
	if s.Program != control.Program() {
		e.find(health.OtherVersion, control.LevelWarning, "", "the node is "+s.Program+" and this is "+control.Program(), "restart the node", "l2tun down"+e.o.NodeFlag+" && l2tun up -d"+e.o.Flag)
	}
	if e.config != nil && s.Config == e.config.Path && s.ConfigDigest != "" && s.ConfigDigest != e.config.Digest() {
		e.find(health.Drift, control.LevelWarning, e.config.Path, "has changed since the node read it", "reload it; what needs a restart is then named", "l2tun reload"+e.o.NodeFlag)
	}
}

// portFree looks for another program on the node's port; only where no node runs.
func (e *exam) portFree() {
	if e.config == nil {
		return
	}
	at := e.config.Listen.String()
	const do = "stop that program, which ss shows, or choose another port: listen in the config"
	if c, err := net.ListenPacket("udp", at); err != nil {
		e.find(health.PortTaken, control.LevelError, at, "cannot be used for UDP: "+reason(err), do, "ss -lnup")
	} else {
		c.Close()
	}
	if l, err := net.Listen("tcp", at); err != nil {
		e.find(health.PortTaken, control.LevelError, at, "cannot be used for TCP: "+reason(err), do, "ss -lntp")
	} else {
		l.Close()
	}
}

// reason is what the system said, without where.
func reason(err error) string {
	if oe, ok := errors.AsType[*net.OpError](err); ok && oe.Err != nil {
		return oe.Err.Error()
	}
	return err.Error()
}
