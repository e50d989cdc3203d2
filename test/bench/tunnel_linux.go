package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	innerMTU  = 1420 // the default of both
	startTime = 20 * time.Second
	stopTime  = 5 * time.Second
	insideA   = "10.99.0.1"
	insideB   = "10.99.0.2"
)

// A way is what lies between the hosts.
type way struct {
	a, b     *lab.Host
	ipA, ipB netip.Addr
	slow     bool // the relay's: it alone may be used
}

// A tunnel is a contender that runs: two daemons, or none.
type tunnel struct {
	to      netip.Addr // B, as A calls it
	daemons []*lab.Cmd
	a, b    *node.Node // of l2tun
	cleanup func()     // what is left when the daemons have ended
}

// start brings a contender up over a way and returns when pings pass.
func (b *bench) start(ctx context.Context, c contender, w way) (*tunnel, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	t := &tunnel{to: netip.MustParseAddr(insideB), cleanup: func() {}}
	var err error
	switch c.kind {
	case bare:
		t.to = w.ipB
	case wireguard:
		err = b.startWireGuard(ctx, t, c, w)
	default:
		err = b.startL2tun(ctx, t, c, w)
	}
	for err == nil && !answers(ctx, w.a, t.to) {
		if err = ctx.Err(); err != nil {
			err = fmt.Errorf("%s passes no ping within %v", c.name, startTime)
		}
	}
	if err != nil {
		return nil, errors.Join(err, t.stop())
	}
	return t, nil
}

// run starts a daemon on a host. It logs to a file and dies with this process.
func (b *bench) run(t *tunnel, c contender, h *lab.Host, env []string, program string, args ...string) error {
	log, err := os.OpenFile(b.logOf(c, h), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	d := h.Command(context.Background(), filepath.Join(b.o.Programs, program), args...) // ended by stop
	d.Stdout, d.Stderr = log, log
	d.Env = append(os.Environ(), env...)
	if c.procs != 0 {
		d.Env = append(d.Env, "GOMAXPROCS="+strconv.Itoa(c.procs))
	}
	d.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := d.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	t.daemons = append(t.daemons, d)
	return nil
}

func (b *bench) logOf(c contender, h *lab.Host) string {
	return filepath.Join(b.net.Dir(), c.name+"-"+h.Name+".log")
}

// stop ends the daemons. That one had ended before is an error: it was measured.
func (t *tunnel) stop() (err error) {
	for _, d := range t.daemons {
		if e := d.Stop(stopTime); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", filepath.Base(d.Path), e))
		}
	}
	t.cleanup()
	return err
}

// cpu is what both daemons have used, in seconds.
func (t *tunnel) cpu() (sum float64, err error) {
	for _, d := range t.daemons {
		s, e := cpuSeconds(d.Process.Pid)
		sum, err = sum+s, errors.Join(err, e)
	}
	return sum, err
}

// most is the larger figure of the two daemons.
func (t *tunnel) most(of func(pid int) (float64, error)) (most float64, err error) {
	for _, d := range t.daemons {
		v, e := of(d.Process.Pid)
		most, err = max(most, v), errors.Join(err, e)
	}
	return most, err
}
