package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	driver "github.com/libertaria-project/l2tun/test/node"
	"github.com/libertaria-project/l2tun/test/reach"
)

// A village is a hub and two homes behind NATs of their own: the hub and A are peers,
// and B is a host without a config.
type village struct {
	*testing.T
	ctx    context.Context
	net    *nat.Net
	hub    *reach.Hub
	a      *reach.Home
	guests int
}

func newVillage(t *testing.T, tag string) *village {
	t.Helper()
	lab.Require(t, lab.TUN, "ip", "ping", "nft")
	needRuntimeDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	n, err := nat.Lay(tag, nat.Shape{A: nat.Home, B: nat.Home, Delay: 5 * time.Millisecond, IPv4Only: true})
	if err != nil {
		t.Fatal(err)
	}
	v := &village{T: t, ctx: ctx, net: n}
	t.Cleanup(func() {
		cancel()
		v.ok(n.Close())
	})
	v.hub, err = reach.NewHub(ctx, n.Internet, reach.Options{Program: l2tunBinary(), Dir: n.Dir(), Tag: fmt.Sprintf("%07x-", rand.N(1<<28))})
	v.ok(err)
	t.Cleanup(func() { reach.End(v.hub.Node) })
	v.a, err = v.hub.Home(ctx, n.A, "a")
	v.ok(err)
	v.ok(v.a.Up(ctx))
	t.Cleanup(func() { reach.End(v.a.Node) })
	return v
}

func (v *village) ok(err error) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
}

// letInvite has the hub take whom A invites, or not.
func (v *village) letInvite(yes bool) {
	v.Helper()
	_, err := v.hub.Run(v.ctx, "peer", "set", "--config", v.hub.Config, "--socket", v.hub.Socket, "a", fmt.Sprintf("--invites=%v", yes))
	v.ok(err)
}

// invites makes a link of A whose endpoint answers nobody, at once.
func (v *village) invites(name string, args ...string) string {
	v.Helper()
	nowhere := netip.AddrPortFrom(v.net.Hub.Addrs4[0], 4999).String()
	out, err := v.a.Run(v.ctx, append([]string{"invite", "--config", v.a.Config, "--socket", v.a.Socket, "--endpoint", nowhere, name}, args...)...)
	v.ok(err)
	return strings.TrimSpace(string(out))
}

// guest is a node on B's host without a config.
func (v *village) guest() *driver.Node {
	v.guests++
	name := fmt.Sprintf("guest%d", v.guests)
	n := driver.New(v.net.B.Host, driver.Options{Program: l2tunBinary(), Dir: v.net.Dir(), Name: name, Interface: fmt.Sprintf("%07x-g", rand.N(1<<28))})
	n.Config = filepath.Join(v.net.Dir(), name, name+".toml")
	v.Cleanup(func() { reach.End(n) })
	return n
}

func (v *village) joins(n *driver.Node, link string) (string, error) {
	out, err := n.Run(v.ctx, "join", "--config", n.Config, "--socket", n.Socket, "-i", n.Interface, link)
	return string(out), err
}

// fails expects one sentence, and no other config anywhere.
func (v *village) fails(link, sentence string) {
	v.Helper()
	before := v.texts()
	n := v.guest()
	_, err := v.joins(n, link)
	if err == nil || !strings.Contains(err.Error(), sentence) {
		v.Errorf("%v, want %q", err, sentence)
	} else {
		v.Logf("%v", err)
	}
	if v.texts() != before {
		v.Errorf("%s: a config has changed", sentence)
	}
	if _, err := os.Stat(filepath.Dir(n.Config)); !errors.Is(err, fs.ErrNotExist) {
		v.Errorf("%s: the joining node has made something", sentence)
	}
}

// texts are the configs of hub and A.
func (v *village) texts() string {
	v.Helper()
	hub, err := os.ReadFile(v.hub.Config)
	v.ok(err)
	a, err := os.ReadFile(v.a.Config)
	v.ok(err)
	return string(hub) + "\n---\n" + string(a)
}

// Two homes behind NATs, a hub that lets the one invite, one paste: all three configs
// are right, no command is run on the hub, and the homes reach each other directly.
// SPEC R-6.11-8.
func TestTwoHomesJoinThroughAHub(t *testing.T) {
	t.Parallel()
	v := newVillage(t, "joinhub")
	v.letInvite(true)
	link := v.invites("bob")
	b := v.guest()
	start := time.Now()
	if _, err := v.joins(b, link); err != nil {
		t.Fatal(err)
	}
	t.Logf("joined in %v", time.Since(start).Round(time.Millisecond))
	id, err := config.LoadIdentity(b.Config)
	v.ok(err)
	b.DID = id.DID().String()
	for name, path := range map[string]string{"hub": v.hub.Config, "a": v.a.Config, "b": b.Config} {
		c, err := config.Load(path)
		v.ok(err)
		want := map[string]int{"hub": 2, "a": 2, "b": 2}[name]
		if len(c.Peers) != want || name != "b" && c.Peer(id.DID()) == nil {
			t.Errorf("%s has %d peers", name, len(c.Peers))
		}
		if p := c.Peer(id.DID()); name == "hub" && p != nil && (p.Name != "" || p.Invites || p.Hub || len(p.AllowedIPs) != 1) {
			t.Errorf("the hub has taken it as %+v", p)
		}
	}
	v.ok(b.Start(driver.Launch{}))
	v.ok(b.Answers(v.ctx))
	direct := func(p control.Peer) bool { return p.State == "established" && p.Carrier == "direct" }
	p, err := b.WaitPeer(v.ctx, v.a.DID, direct)
	if err != nil {
		t.Fatalf("not direct: %+v: %v", p, err)
	}
	t.Logf("direct %v after the paste", time.Since(start).Round(time.Millisecond))
	if events, err := b.Run(v.ctx, "events", "--socket", b.Socket); err == nil {
		t.Logf("%s", events)
	}
	if n, why := eachPing(v.ctx, b.Host, v.a.Inside.Addr(), 20); n != 20 {
		t.Errorf("%d of 20 pings are answered: %s", n, why)
	}
}

// Whatever is wrong on the way through a hub is one sentence, and no config is another.
func TestJoinsThroughAHubThatFail(t *testing.T) {
	t.Parallel()
	v := newVillage(t, "joinhub2")
	v.fails(v.invites("one"), "no hub of it passes joins on: invites = true there lets it")
	v.letInvite(true)
	link := v.invites("two")

	// The hub forgets nothing over a restart, and the inviting node has to be there.
	v.ok(v.a.Stop(10 * time.Second))
	reach.End(v.hub.Node)
	v.ok(v.hub.Start(driver.Launch{}))
	v.ok(v.hub.Answers(v.ctx))
	v.fails(link, "the inviting node is not connected to hub hub at the moment")
	v.ok(v.a.Up(v.ctx))

	// The owner of the hub has thought better of it.
	v.letInvite(false)
	v.fails(link, "no hub of it passes joins on")
	v.letInvite(true)

	// Withdrawn at the inviting node: the hub brings no word of it.
	gone := v.invites("three")
	_, err := v.a.Run(v.ctx, "invite", "remove", "--config", v.a.Config, "three")
	v.ok(err)
	driver.Pause(v.ctx, 6*time.Second) // from one address one join each 5 s
	v.fails(gone, "brings no answer that the inviting node has given: the invitation was withdrawn")

	// Expired, by the hub's own file.
	deposits := strings.TrimSuffix(v.hub.Config, ".toml") + ".deposits"
	text, err := os.ReadFile(deposits)
	v.ok(err)
	late := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	parts := strings.Split(string(text), `"expires": "`)
	for n := 1; n < len(parts); n++ {
		parts[n] = late + parts[n][strings.Index(parts[n], `"`):]
	}
	v.ok(os.WriteFile(deposits, []byte(strings.Join(parts, `"expires": "`)), 0o600))
	driver.Pause(v.ctx, 6*time.Second)
	v.fails(link, "the invitation has expired, says hub hub")
	v.ok(os.WriteFile(deposits, text, 0o600))

	driver.Pause(v.ctx, 6*time.Second)
	if _, err := v.joins(v.guest(), link); err != nil {
		t.Errorf("the link is no longer good: %v", err)
	}
	driver.Pause(v.ctx, 6*time.Second)
	v.fails(link, "the invitation has been used by another node, says hub hub")
	for _, log := range []string{v.hub.Log, v.a.Log} {
		text, err := os.ReadFile(log)
		v.ok(err)
		if token := link[strings.Index(link, "token=")+6:][:22]; strings.Contains(string(text), token) {
			t.Errorf("%s holds a token", log)
		}
	}
}
