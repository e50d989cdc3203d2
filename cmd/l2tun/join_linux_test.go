package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/test/faults"
)

// linkWith is an invitation of a node that is nowhere.
func linkWith(address string, routes ...string) string {
	l := invite.Link{DID: did.FromDigest([32]byte{7}), Name: "berlin", Endpoints: []string{"192.0.2.1:4242"}, Until: time.Now().Add(time.Hour)}
	if address != "" {
		l.Address = netip.MustParsePrefix(address)
	}
	for _, r := range routes {
		l.Allowed = append(l.Allowed, netip.MustParsePrefix(r))
	}
	return invite.NewLink(l).Text()
}

const wholeInternet = "1.0.0.0/8 2.0.0.0/7 4.0.0.0/6 16.0.0.0/4 32.0.0.0/3 64.0.0.0/3 96.0.0.0/4 112.0.0.0/5 128.0.0.0/3 172.0.0.0/8 176.0.0.0/4 192.0.0.0/4 2000::/3"

// A link takes no more than a private network without a word, and never the
// Internet (security review, H2).
func TestLinkTakesNoMoreThanItsNetwork(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "n.toml")
	taken := 0
	for _, c := range []struct {
		link, want string
		args       []string
	}{
		{linkWith("10.9.0.2/24", strings.Fields(wholeInternet)...), "the invitation: peer.allowed_ips: the prefixes of this peer together hold more than a quarter", nil},
		{linkWith("10.9.0.2/24", strings.Fields(wholeInternet)...), "the invitation: peer.allowed_ips: the prefixes of this peer together hold more than a quarter", []string{"--yes"}},
		{linkWith("10.9.0.2/24", "10.9.0.1/32", "8.8.8.0/24"), "the link asks for 8.8.8.0/24 (public addresses): check it, and add --yes to accept\n", nil},
		{linkWith("10.9.0.2/24", "8.0.0.0/8", "9.0.0.0/8"), "the link asks for 8.0.0.0/8 (public addresses) and 1 more: check it, and add --yes to accept\n", nil},
		{linkWith("10.9.0.2/24", "10.0.0.0/8"), "the link asks for 10.0.0.0/8 (a large network, wider than /16): check it, and add --yes to accept\n", nil},
		{linkWith("10.9.0.2/8"), "the link asks for 10.0.0.0/8 (a large network, wider than /16)", nil},
		{linkWith("198.51.100.2/24"), "the link asks for 198.51.100.0/24 (public addresses)", nil},
		{linkWith("", "fd00::/32"), "the link asks for fd00::/32 (a large network, wider than /48)", nil},
		{linkWith("", "2001:db8:1::/64"), "the link asks for 2001:db8:1::/64 (public addresses)", nil},
	} {
		out, errs, code := l2tun(t, append([]string{"join", "--config", path, c.link}, c.args...)...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errs, "l2tun: "+c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, want %q", c.args, code, errs, c.want)
			taken++
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != 0 {
		t.Error("something was made")
		taken++
	}
	faults.Report(t, "S3", taken == 0, "%d of 9 links were taken", taken)
	for _, l := range []string{linkWith("10.9.0.2/24", "10.9.0.1/32"), linkWith("100.64.7.2/16", "100.64.0.0/16", "fd00:1:2::/48"), linkWith("")} {
		link, err := invite.Parse(l)
		if err != nil {
			t.Fatal(err)
		}
		if d := link.Doubts(nil); len(d) > 0 || link.Refuse(nil) != nil {
			t.Errorf("%v %v", d, link.Refuse(nil))
		}
	}
	faults.Control(t, "S3", "ordinary links are taken without a question")
}

// An address of a link, or a route, on a network of this machine would take its
// place.
func TestLinkDoesNotShadowTheLAN(t *testing.T) {
	machine := []invite.Net{{Interface: "eth0", Prefix: netip.MustParsePrefix("192.168.1.7/24"), Outside: true}}
	for link, want := range map[string]string{
		linkWith("192.168.1.9/24"): "the link gives this node 192.168.1.9/24, and this machine is on that network already (192.168.1.7/24 on eth0)",
		linkWith("192.168.1.9/32"): "the link gives this node 192.168.1.9/32",
		linkWith("192.168.0.9/16"): "the link gives this node 192.168.0.9/16",
		linkWith("192.168.2.9/24"): "",
	} {
		l, _ := invite.Parse(link)
		err := l.Refuse(machine)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	l, _ := invite.Parse(linkWith("", "192.168.1.0/24"))
	if d := l.Doubts(machine); len(d) != 1 || d[0].Why != "this machine's network on eth0" {
		t.Error(d)
	}
}

func TestJoinAsksOnATerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "n.toml")
	p := atTerminal(t, "join", "--config", path)
	p.sees("Paste the invitation: ")
	p.types(linkWith("10.9.0.2/24", "10.9.0.1/32", "8.8.8.0/24") + "\ny\n") // the y is pasted, not an answer
	p.sees("Join? [y/N] ")
	for _, want := range []string{
		"  name         berlin\r\n",
		"  DID          " + did.FromDigest([32]byte{7}).String() + "\r\n",
		"  endpoint     192.0.2.1:4242\r\n",
		"  address      10.9.0.2/24 for this node\r\n",
		"  route        10.9.0.1/32 through the peer\r\n",
		"  route        8.8.8.0/24 through the peer   <- public addresses\r\n",
	} {
		p.sees(want)
	}
	time.Sleep(300 * time.Millisecond)
	select {
	case <-p.ended:
		t.Fatalf("the pasted line was taken as the answer: %q", p.screen())
	default:
	}
	p.types("n\n")
	if s := p.leaves(); s.ExitCode() != exitFailed {
		t.Error(s)
	}
	p.sees("l2tun: not joined; nothing has changed\r\n")
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("something was made")
	}
}

func TestTextThatIsNoLinkIsRefusedAtOnce(t *testing.T) {
	p := atTerminal(t, "join", "--config", filepath.Join(t.TempDir(), "n.toml"))
	p.sees("Paste the invitation: ")
	p.types("hello\n")
	if s := p.leaves(); s.ExitCode() != exitUsage {
		t.Error(s)
	}
	p.sees("l2tun: not an invitation: a link begins with l2tun:join?")
}

func TestDamagedLinkIsRefusedAtItsEnd(t *testing.T) {
	p := atTerminal(t, "join", "--config", filepath.Join(t.TempDir(), "n.toml"))
	link := strings.Replace(linkWith("10.9.0.2/24"), "192.0.2.1", "192.0.2.2", 1)
	p.types(link[:60] + "\n")
	p.sees("That is not a whole link yet; paste the rest (Ctrl-C gives up): ")
	p.types(link[60:] + "\n")
	if s := p.leaves(); s.ExitCode() != exitUsage {
		t.Error(s)
	}
	p.sees("the link is damaged or was altered")
}

func TestCtrlCEndsEveryPrompt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	for name, c := range map[string]struct {
		args       []string
		types, see string
	}{
		"join, the link": {[]string{"join", "--config", path}, "", "Paste the invitation: "},
		"join, half":     {[]string{"join", "--config", path}, linkWith("")[:40] + "\n", "l2tun:join?id="},
		"join, yes":      {[]string{"join", "--config", path, linkWith("")}, "", "Join? [y/N] "},
		"send":           {[]string{"send", "--socket", path, "bob"}, "a line\n", "a line\r\n"},
	} {
		p := atTerminal(t, c.args...)
		if c.types != "" {
			time.Sleep(50 * time.Millisecond)
			p.types(c.types)
		}
		p.sees(c.see)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); { // the program may not have begun to read
			p.types("\x03")
			select {
			case <-p.ended:
			case <-time.After(100 * time.Millisecond):
				continue
			}
			break
		}
		if s := p.leaves(); !interrupted(s) {
			t.Errorf("%s: %v: %q", name, s, p.screen())
		}
	}
}
