package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A machine of the guide is a host with files of its own: its /etc and /run.
type machine struct {
	*lab.Host
	pid int // of the process that keeps its mounts
}

// newDID stands in the guide for the one that id --new has made.
const newDID = "did:morpheus:zNEW…"

// A reader does what the guide says.
type reader struct {
	*testing.T
	*lab.Lab
	path     string
	machines map[string]*machine
	links    map[string]string // by who is invited
	dids     *strings.Replacer
}

// own gives a host files of its own.
func (r *reader) own(h *lab.Host) {
	r.Helper()
	etc := filepath.Join(r.Dir(), h.Name, "etc")
	keep := h.Command(r.Context(), "unshare", "-m", "-u", "sh", "-ec", fmt.Sprintf(`hostname %[2]s
mkdir -p %[1]s
for f in passwd group hosts nsswitch.conf ld.so.cache; do [ ! -e /etc/$f ] || cp /etc/$f %[1]s; done
mount --bind %[1]s /etc
mount -t tmpfs tmpfs /run
echo ready
exec sleep 600`, etc, h.Name))
	out, err := keep.StdoutPipe()
	if err == nil {
		err = keep.Start()
	}
	if err != nil {
		r.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		r.Fatal(line, err)
	}
	r.machines[h.Name] = &machine{h, keep.Process.Pid}
}

// does runs a line as a person on that machine, and a ping until it is answered.
func (r *reader) does(host, line string) string {
	r.Helper()
	m := r.machines[host]
	if m == nil {
		r.Fatalf("the guide has a host %q", host)
	}
	line = r.dids.Replace(line)
	if strings.Contains(line, newDID) {
		line = strings.ReplaceAll(line, newDID, r.did("nas"))
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(r.Context(), 90*time.Second)
		c := m.Command(ctx, "nsenter", "-t", fmt.Sprint(m.pid), "-m", "-u", "-n", "sh", "-c", line)
		c.Env = append(os.Environ(), "PATH="+r.path)
		c.Stdin = strings.NewReader(r.links[host] + "\n")
		out, err := c.CombinedOutput()
		cancel()
		if err == nil {
			r.Logf("%s# %s\n%s", host, line, out)
			return string(out)
		}
		if !strings.HasPrefix(line, "ping ") || time.Now().After(end) {
			status, _ := m.Command(r.Context(), "nsenter", "-t", fmt.Sprint(m.pid), "-m", "-n", "sh", "-c", "PATH="+r.path+" l2tun status --long; ip route").CombinedOutput()
			r.Fatalf("%s# %s\n%s%v\n%s", host, line, out, err, status)
		}
	}
}

// chapter does all of a chapter's console lines.
func (r *reader) chapter(guide, title string) {
	r.Helper()
	_, text, ok := strings.Cut(guide, title+"\n\n")
	if !ok {
		r.Fatalf("the guide has no chapter %q", title)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	command := regexp.MustCompile(`^([a-z]+)# (.+)$`)
	invites := regexp.MustCompile(`^l2tun invite ([a-z]+)`)
	done := 0
	for i, block := range strings.Split(text, "```console\n") {
		block, _, _ = strings.Cut(block, "\n```")
		for line := range strings.SplitSeq(block, "\n") {
			c := command.FindStringSubmatch(line)
			if i == 0 || c == nil {
				continue
			}
			done++
			out := r.does(c[1], c[2])
			link := regexp.MustCompile(`(?m)^l2tun:join\?.*$`).FindString(out)
			if who := invites.FindStringSubmatch(c[2]); who != nil {
				r.links[who[1]] = link
			} else if strings.HasPrefix(c[2], "l2tun network invite") {
				for name := range r.machines {
					r.links[name] = link
				}
			}
		}
	}
	if done == 0 {
		r.Fatalf("chapter %q has no commands", title)
	}
}

// behind connects a machine to a router that hides it behind one address, as a home's
// does: the port stays, strangers' packets are dropped.
func (r *reader) behind(net *lab.Host, name, public string) *lab.Host {
	r.Helper()
	router, err := r.Host("router" + name)
	r.ok(err)
	h, err := r.Host(name)
	r.ok(err)
	r.ok(router.Forward(true))
	inside, err := r.Connect(h, router, 0)
	r.ok(err)
	r.ok(h.Route(netip.MustParsePrefix("0.0.0.0/0"), inside.B.IP4.Addr(), 0))
	r.public(net, router, public)
	r.ok(router.Nft(fmt.Sprintf(`table ip home {
	chain out { type nat hook postrouting priority srcnat; ip saddr %s snat to %s; }
	chain in { type filter hook forward priority filter; ct state new iifname != %q drop; }
	chain own { type filter hook input priority filter; ip daddr %s drop; }
}`, inside.A.IP4.Addr(), public, inside.B.Dev, public)))
	return h
}

// public connects a host to the network, at an address.
func (r *reader) public(net, h *lab.Host, address string) {
	r.Helper()
	c, err := r.Connect(h, net, 0)
	a := netip.MustParseAddr(address)
	r.ok(err)
	r.ok(errors.Join(
		h.AddAddr(c.A.Dev, netip.PrefixFrom(a, 32)),
		h.Route(netip.MustParsePrefix("0.0.0.0/0"), c.B.IP4.Addr(), 0),
		net.Route(netip.PrefixFrom(a, 32), c.A.IP4.Addr(), 0)))
}

func (r *reader) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// did is a machine's, as it says itself.
func (r *reader) did(host string) string {
	return regexp.MustCompile(`did:morpheus:\S+`).FindString(r.does(host, "l2tun id"))
}

// What the guide says about two hosts, a hub, a LAN behind a node and two hosts
// behind NAT is done here word by word.
func TestGuideWorksAsItIsWritten(t *testing.T) {
	t.Parallel()
	r, guide := newReader(t, "guide")
	printer, err := r.Host("printer")
	r.ok(err)
	nas := r.machines["nas"].Host
	lan, err := r.Connect(printer, nas, 0)
	r.ok(err)
	r.ok(errors.Join(
		printer.AddAddr(lan.A.Dev, netip.MustParsePrefix("192.168.50.7/24")),
		nas.AddAddr(lan.B.Dev, netip.MustParsePrefix("192.168.50.1/24"))))

	r.chapter(guide, "## 1. One host, and a link for the other")
	r.chapter(guide, "## 2. Join")
	r.does("laptop", "ping -c 1 10.9.0.1")
	r.chapter(guide, "## 10. Names")
	r.chapter(guide, "## 5. Three hosts through a hub")
	r.chapter(guide, "## 6. A LAN behind a node")
	r.dids = strings.NewReplacer("did:morpheus:zNAS…", r.did("nas"), "did:morpheus:zLAPTOP…", r.did("laptop"))
	r.chapter(guide, "## 7. Both ends behind NAT")
	r.chapter(guide, "## 11. Keys: back up, move, renew")
}

// What the guide says about a network is done here word by word, behind NAT on three sides.
func TestGuideMakesANetwork(t *testing.T) {
	t.Parallel()
	r, guide := newReader(t, "guidenet")
	r.chapter(guide, "## 16. A network of ten machines")
	if out := r.does("berlin", "l2tun network members"); strings.Contains(out, "phone") {
		t.Errorf("the removed one is a member:\n%s", out)
	}
}

// newReader is a reader with the machines of the guide, and the guide.
func newReader(t *testing.T, name string) (*reader, string) {
	t.Helper()
	lab.Require(t, lab.TUN, "ip", "ping", "nft", "unshare", "nsenter", "sysctl")
	text, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.New(name)
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(l.Dir(), "bin")
	r := &reader{T: t, Lab: l, path: bin + ":" + os.Getenv("PATH"), machines: make(map[string]*machine), links: make(map[string]string),
		dids: strings.NewReplacer()}
	t.Cleanup(func() {
		for name := range r.machines {
			if name != "printer" {
				r.machines[name].Command(context.Background(), "nsenter", "-t", fmt.Sprint(r.machines[name].pid), "-m", "-n", filepath.Join(bin, "l2tun"), "down").Run()
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	r.ok(errors.Join(os.Mkdir(bin, 0o755), os.Symlink(l2tunBinary(), filepath.Join(bin, "l2tun"))))

	net, err := r.Host("net")
	r.ok(err)
	r.ok(net.Forward(true))
	berlin, err := r.Host("berlin")
	r.ok(err)
	r.public(net, berlin, "203.0.113.7")
	r.own(berlin)
	r.own(r.behind(net, "laptop", "198.51.100.10"))
	r.own(r.behind(net, "nas", "192.0.2.10"))
	r.own(r.behind(net, "phone", "192.0.2.20"))
	return r, string(text)
}
