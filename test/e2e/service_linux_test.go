package e2e

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
	driver "github.com/libertaria-project/l2tun/test/node"
)

// A manager listens as a service manager does (NOTIFY_SOCKET).
type manager struct {
	w    *world
	path string
	said chan string
}

func (w *world) manager() *manager {
	w.Helper()
	m := &manager{w, filepath.Join(w.Dir(), "notify"), make(chan string, 1000)}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	w.ok(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.said <- string(buf[:n])
		}
	}()
	w.Cleanup(func() { conn.Close(); <-done })
	return m
}

// hears waits for a message of this form.
func (m *manager) hears(form string) {
	m.w.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case s := <-m.said:
			if regexp.MustCompile(form).MatchString(s) {
				return
			}
		case <-timeout:
			m.w.Fatalf("the manager never heard %s", form)
		}
	}
}

// With a service manager the node is ready when its interface is up and it
// answers, not before; it answers the watchdog as long as it runs, and says when
// it reloads and stops.
func TestTheServiceManagerIsToldTheTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	m := w.manager()
	w.ok(a.Start(driver.Launch{Env: []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=500000"}}))
	c := a.Cmd

	m.hears(`^READY=1\n`)
	if out := w.run(w.A, "ip", "-o", "link", "show", "dev", a.Interface); !strings.Contains(out, "UP") {
		t.Errorf("ready, and the interface is not up: %s", out)
	}
	w.must(w.A, "status", "--socket", a.Socket)
	w.privileges(c.Process.Pid, onlyAdmin)
	m.hears(`^WATCHDOG=1\nSTATUS=` + a.Interface + `: 1 of 1 peers established$`)
	m.hears(`^WATCHDOG=1\n`)
	w.ok(c.Process.Signal(syscall.SIGHUP))
	m.hears(`^RELOADING=1\nMONOTONIC_USEC=\d+$`)
	m.hears(`^READY=1\nSTATUS=config reloaded$`)
	a.stop()
	m.hears(`^STOPPING=1$`)
	a.gone()
	faults.Report(t, "C14", true, "under a service manager's socket and watchdog: ready, watched, reloaded and stopped with CAP_NET_ADMIN alone")
}
