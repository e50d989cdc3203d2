package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/lab"
)

// premade makes a TUN device in a host, as a container's manager would, and
// returns its descriptor.
func (w *world) premade(h *lab.Host, name string) *os.File {
	w.Helper()
	var fd int
	w.ok(h.Do(func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}))
	f := os.NewFile(uintptr(fd), name)
	w.Cleanup(func() { f.Close() })
	return f
}

// A node without /dev/net/tun runs on a device that it is given, carries what
// others carry, and leaves the device as it was.
func TestNodeOnAPassedDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	device := w.premade(w.A, a.Interface)
	qdisc := regexp.MustCompile(`qdisc \S+`) // the kernel gives it one when it first comes up
	link := func() string { return qdisc.ReplaceAllString(w.run(w.A, "ip", "link", "show", "dev", a.Interface), "") }
	before := link()
	for _, how := range []string{"foreground", "--detach"} {
		hidden := []string{"unshare", "-m", "sh", "-c", `mount --bind /dev/null /dev/net/tun && exec "$0" "$@"`}
		if how == "foreground" {
			a.upBy([]*os.File{device}, hidden...)
		} else {
			c := w.A.Command(t.Context(), hidden[0], append(hidden[1:], w.program, "up", "--config", a.Config, "--socket", a.Socket, "--tun-fd", "3",
				"--detach", "--log-file", a.Log)...)
			c.ExtraFiles = []*os.File{device}
			if r := w.finish(c); r.code != 0 {
				t.Fatal(r)
			}
		}
		w.eventually(20*time.Second, "the node answers", func() bool { return w.l2tun(w.A, "status", "--socket", a.Socket).code == 0 })
		w.established(a, b)
		w.pings(w.A, b.v4, 10)
		w.pings(w.B, a.Address, 10)
		w.transfer(w.A, w.B, b.v4, 20_000_000)
		a.down()
		if after := link(); after != before {
			t.Errorf("%s: the device was\n%sand is\n%s", how, before, after)
		}
		for _, look := range [][]string{{"-o", "addr", "show", "dev", a.Interface}, {"route", "show", "dev", a.Interface}, {"-6", "route", "show", "dev", a.Interface}} {
			if out := w.run(w.A, "ip", look...); strings.TrimSpace(out) != "" {
				t.Errorf("%s: left on the device: %s", how, out)
			}
		}
	}
}

func TestWrongDescriptorIsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	up := func(fd string, flags ...string) result {
		return w.l2tun(w.A, append([]string{"up", "--config", a.Config, "--socket", a.Socket, "--tun-fd", fd}, flags...)...)
	}
	w.refused(up("1"), exitUsage, "--tun-fd 1: the descriptor of a TUN device is 3 or more")
	w.refused(up("99"), exitUsage, "--tun-fd 99: this descriptor is not open")
	w.refused(up("99", "--detach"), exitUsage, "--tun-fd 99: this descriptor is not open")
	c := w.A.Command(t.Context(), w.program, "up", "--config", a.Config, "--socket", a.Socket, "--tun-fd", "3")
	c.ExtraFiles = []*os.File{w.premade(w.A, "other0")}
	w.refused(w.finish(c), 1, "its device is called other0, not "+a.Interface)
}
