package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/transport"
)

const clonePath = "/dev/net/tun"

// lookAtMachine asks whether a node could start here; one that runs has shown it.
func (e *exam) lookAtMachine(context.Context) {
	if e.status != nil {
		return
	}
	f, err := os.OpenFile(clonePath, os.O_RDWR, 0)
	switch {
	case err == nil:
		f.Close()
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		e.find(health.NoTUN, control.LevelError, clonePath, "cannot be opened: "+reasonOf(err), "run the node as root; give a container that device", "sudo l2tun doctor"+e.o.Flag)
	default:
		e.find(health.NoTUN, control.LevelError, clonePath, "is missing or has no driver: "+reasonOf(err), "load the module; give a container that device", "modprobe tun")
	}
	if has, err := capNetAdmin(); err == nil && !has {
		e.find(health.Privilege, control.LevelError, "", "this process has no CAP_NET_ADMIN, which interface and routes need",
			"run the node as root, or give the program that capability; docs/troubleshooting.md has more", "sudo l2tun doctor"+e.o.Flag)
	}
	e.portFree()
}

func reasonOf(err error) string {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// capNetAdmin reads the effective capabilities of this process.
func capNetAdmin() (bool, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false, err
	}
	return parseCaps(string(text))
}

func parseCaps(status string) (bool, error) {
	const netAdmin = 12 // CAP_NET_ADMIN
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(rest), 16, 64)
			return caps>>netAdmin&1 == 1, err
		}
	}
	return false, errors.New("doctor: no CapEff in /proc/self/status")
}

func (e *exam) lookAtBuffers(context.Context) {
	if b, err := transport.ProbeBuffers(); err == nil {
		e.judgeBuffers(b)
	}
}

// judgeBuffers warns of less than half of what is asked for.
func (e *exam) judgeBuffers(b transport.Buffers) {
	if b.Receive*2 < b.WantReceive {
		e.find(health.Buffers, control.LevelWarning, "", fmt.Sprintf("the receive buffer is limited to %d KiB, %d are wanted: packets are lost at high rates", b.Receive>>10, b.WantReceive>>10),
			"raise the limit, or give the node CAP_NET_ADMIN", fmt.Sprintf("sysctl -w net.core.rmem_max=%d", b.WantReceive))
	}
	if b.Send*2 < b.WantSend {
		e.find(health.Buffers, control.LevelWarning, "", fmt.Sprintf("the send buffer is limited to %d KiB, %d are wanted: packets are lost at high rates", b.Send>>10, b.WantSend>>10),
			"raise the limit, or give the node CAP_NET_ADMIN", fmt.Sprintf("sysctl -w net.core.wmem_max=%d", b.WantSend))
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
