package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// guest is a node whose config nobody has made yet.
func (w *world) guest(h *lab.Host) *node {
	w.Helper()
	n := w.unmade(h)
	n.Config = filepath.Join(w.Dir(), "home-"+strings.ToLower(h.Name), n.Name+".toml")
	return n
}

// invites returns a link for a guest.
func (n *node) invites(args ...string) string {
	n.w.Helper()
	r := n.w.l2tun(n.Host, append([]string{"invite", "--config", n.Config, "--socket", n.Socket, "--endpoint", n.endpoint4()}, args...)...)
	if r.code != 0 || !strings.HasPrefix(r.out, "l2tun:join?") {
		n.w.Fatalf("invite: %d %s %s", r.code, r.out, r.errs)
	}
	return strings.TrimSpace(r.out)
}

// joins runs l2tun join.
func (n *node) joins(link string, args ...string) result {
	n.w.Helper()
	return n.w.l2tun(n.Host, append([]string{"join", "--config", n.Config, "--socket", n.Socket, "-i", n.Interface, link}, args...)...)
}

// known takes the node's DID and addresses from what it made.
func (n *node) known() {
	n.w.Helper()
	c, err := config.Load(n.Config)
	n.w.ok(err)
	id, err := config.LoadIdentity(n.Config)
	n.w.ok(err)
	n.DID, n.Address, n.v4 = id.DID().String(), id.DID().Addr(), c.Addresses[0].Addr()
}

// Two hosts without a config: init, up, invite on the one, join, up on the other,
// and they ping each other by both families.
func TestTwoHostsJoinByOneLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.guest(w.A), w.guest(w.B)
	var transcript strings.Builder
	start := time.Now()
	run := func(n *node, args ...string) string {
		t.Helper()
		r := w.l2tun(n.Host, args...)
		fmt.Fprintf(&transcript, "%6.2fs %s$ l2tun %s\n%s%s", time.Since(start).Seconds(), n.Host.Name, strings.Join(args, " "), indent(r.out), indent(r.errs))
		if r.code != 0 {
			t.Fatalf("%s", transcript.String())
		}
		return r.out
	}
	at := func(n *node, args ...string) []string {
		return append(args, "--config", n.Config, "--socket", n.Socket)
	}
	run(a, "init", "--config", a.Config, "--interface", a.Interface, "--address", "10.9.0.1/24")
	run(a, at(a, "up", "--detach", "--log-file", a.Log)...)
	link := strings.TrimSpace(run(a, at(a, "invite", "bob", "--as", "office")...))
	w.takesNoInternet(b, link)
	run(b, at(b, "join", "-i", b.Interface, link)...)
	run(b, at(b, "up", "--detach", "--log-file", b.Log)...)
	run(b, at(b, "wait", "office", "--timeout", "20s")...)
	a.known()
	b.known()
	w.pings(w.B, a.v4, 1)
	took := time.Since(start)
	fmt.Fprintf(&transcript, "%6.2fs B$ ping -c 1 %s: answered\n", took.Seconds(), a.v4)
	t.Logf("from init to the first ping: %v\n%s", took.Round(10*time.Millisecond), transcript.String())
	if b.v4.String() != "10.9.0.2" {
		t.Errorf("B is %s", b.v4)
	}
	faults.Control(t, "S3", "an ordinary link: from init to the first ping %.1f s", took.Seconds())
	w.pings(w.A, b.v4, 20)
	w.pings(w.A, b.Address, 20)
	w.pings(w.B, a.Address, 20)
	if p := a.peer(b); p.Name != "bob" || p.State != "established" {
		t.Errorf("%+v", p)
	}
	for _, n := range []*node{a, b} {
		w.must(n.Host, "down", "--socket", n.Socket)
		n.gone()
	}
}

// takesNoInternet has a guest refuse a link whose routes are most of the Internet:
// no route, no config, no key.
func (w *world) takesNoInternet(b *node, link string) {
	w.Helper()
	l, err := invite.Parse(link)
	w.ok(err)
	l.Allowed = nil
	for _, p := range strings.Fields("1.0.0.0/8 2.0.0.0/7 4.0.0.0/6 16.0.0.0/4 32.0.0.0/3 64.0.0.0/3 96.0.0.0/4 112.0.0.0/5 128.0.0.0/3 172.0.0.0/8 176.0.0.0/4 192.0.0.0/4 2000::/3") {
		l.Allowed = append(l.Allowed, netip.MustParsePrefix(p))
	}
	before := w.run(b.Host, "ip", "route")
	for _, args := range [][]string{nil, {"--yes"}} {
		w.refused(b.joins(l.Text(), args...), exitUsage, "more than a quarter of the Internet's addresses")
	}
	_, err = os.Stat(b.Config)
	kept := w.run(b.Host, "ip", "route") == before && errors.Is(err, fs.ErrNotExist)
	if !kept {
		w.Error("a refused link has changed something")
	}
	faults.Report(w, "S3", kept, "the link of 13 prefixes is refused, no route is new")
}

func indent(s string) string {
	if s == "" {
		return ""
	}
	return "          " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n          ") + "\n"
}

// A node that runs already, and its sessions, go on when it joins another network;
// the address comes without a restart, the config keeps what was there.
func TestRunningNodeJoinsAnotherNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	a.up()
	w.established(a, b)
	// C has a network of its own.
	text, err := os.ReadFile(c.Config)
	w.ok(err)
	w.ok(os.WriteFile(c.Config, []byte(strings.Replace(string(text), "10.9.0.3/24", "10.8.0.1/24", 1)), 0o600))
	c.up()
	check := a.keeps(b)
	old, err := os.ReadFile(a.Config)
	w.ok(err)
	var doc struct{ Address, Peer string }
	out := a.joins(c.invites("carl", "--as", "carol"), "--json")
	w.ok(json.Unmarshal([]byte(out.out), &doc))
	if out.code != 0 || doc.Address != "10.8.0.2/24" || doc.Peer != c.DID || !strings.Contains(out.out, `"running":true`) {
		t.Fatalf("%+v", out)
	}
	a.waitPeer(c, 20*time.Second, "established", isEstablished)
	w.run(w.A, "ping", "-c", "3", "-i", "0.2", "-W", "2", "-I", "10.8.0.2", "10.8.0.1")
	w.run(w.C, "ping", "-c", "3", "-i", "0.2", "-W", "2", "10.8.0.2")
	w.pings(w.A, b.v4, 10)
	check()
	now, err := os.ReadFile(a.Config)
	w.ok(err)
	want := strings.Replace(string(old), `["10.9.0.1/24"]`, `["10.9.0.1/24", "10.8.0.2/24"]`, 1)
	if !strings.HasPrefix(string(now), want) || want == string(old) {
		t.Errorf("the config was not only added to:\n%s\nbefore:\n%s", now, old)
	}
}

// An invitation is good for one node, once, in time, and as it was made. Whatever
// is wrong is one sentence, and nothing is different at either end.
func TestInvitationsThatAreNotGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.guest(w.B), w.guest(w.C)
	nothing := func(n *node, link, sentence string) {
		t.Helper()
		text, err := os.ReadFile(a.Config)
		w.ok(err)
		w.refused(n.joins(link), 1, sentence)
		if after, err := os.ReadFile(a.Config); err != nil || string(after) != string(text) {
			t.Errorf("%s: the config of the inviting node has changed: %v\n%s", sentence, err, after)
		}
		if _, err := os.Stat(filepath.Dir(n.Config)); err == nil {
			t.Errorf("%s: the joining node has made something", sentence)
		}
	}
	nothing(b, a.invites(), "the node that invited does not answer at "+a.endpoint4()+": does it run")
	w.must(w.A, "invite", "remove", "--config", a.Config, firstInvitation(w, a))
	a.up()

	// None is open; then one that was withdrawn while another is open.
	gone := a.invites("gone")
	w.must(w.A, "invite", "remove", "--config", a.Config, firstInvitation(w, a))
	nothing(b, gone, "the other node has no such invitation open")
	good := a.invites("bob")
	nothing(b, gone, "the other node does not know this invitation: it was withdrawn")

	// Altered, with a check that fits: by somebody who has read the link.
	l, err := invite.Parse(good)
	w.ok(err)
	l.Allowed = nil
	nothing(b, l.Text(), "somebody has altered it")
	l, _ = invite.Parse(good)
	l.Token[3] ^= 1
	nothing(b, l.Text(), "somebody has altered it")

	// Led to another node: it hears nothing of the token.
	l, _ = invite.Parse(good)
	l.DID, err = did.Parse(w.node(w.C).DID)
	w.ok(err)
	nothing(b, l.Text(), "another node than the inviting one answers")

	// Expired: the node's own file decides, so its time is set back there.
	late := a.invites("late")
	store := filepath.Join(filepath.Dir(a.Config), strings.TrimSuffix(filepath.Base(a.Config), ".toml")+".invitations")
	text, err := os.ReadFile(store)
	w.ok(err)
	var doc map[string]any
	w.ok(json.Unmarshal(text, &doc))
	all := doc["invitations"].([]any)
	all[len(all)-1].(map[string]any)["expires"] = time.Now().Add(-time.Hour).Format(time.RFC3339)
	text, err = json.Marshal(doc)
	w.ok(err)
	w.ok(os.WriteFile(store, text, 0o600))
	nothing(c, late, "the invitation expired at")

	// Good once: for B, and for B again, whose answer may have been lost.
	if r := b.joins(good); r.code != 0 {
		t.Fatal(r.errs)
	}
	b.known()
	time.Sleep(6 * time.Second) // from one address one join each 5 s
	nothing(c, good, "the invitation has been used by another node")
	before, err := os.ReadFile(b.Config)
	w.ok(err)
	w.refused(b.joins(good), exitUsage, "this peer is there already")
	if after, _ := os.ReadFile(b.Config); string(after) != string(before) {
		t.Error("joining twice has changed the config")
	}
	w.ok(os.WriteFile(b.Config, []byte("interface = \""+b.Interface+"\"\n"), 0o600)) // lost, but for the key
	if r := b.joins(good); r.code != 0 {
		t.Errorf("the same node cannot go on: %s", r.errs)
	}
	b.up()
	b.waitPeer(a, 20*time.Second, "established", isEstablished)
	w.pings(w.B, a.v4, 10)

	// Who was removed does not come back by an old link.
	w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, "bob")
	b.down()
	w.ok(os.WriteFile(b.Config, []byte("interface = \""+b.Interface+"\"\n"), 0o600))
	w.refused(b.joins(good), 1, "the invitation has been used by another node, or this one was removed since")
	if log, _ := os.ReadFile(a.Log); strings.Contains(string(log), l.Text()[strings.Index(l.Text(), "token=")+6:][:22]) {
		t.Error("the log holds a token")
	}
	if n := a.logged("a node joined by an invitation"); n < 2 {
		t.Errorf("%d joins in the log", n)
	}
}

// What was promised and does not fit any more is not given, and the link stays good.
// A link that is led through a change that waits to be confirmed does, too.
func TestPromiseThatDoesNotFitAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.guest(w.B)
	a.up()
	link := a.invites("bob")
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	fails := func(sentence string) {
		t.Helper()
		before, err := os.ReadFile(a.Config)
		w.ok(err)
		w.refused(b.joins(link), 1, sentence)
		if now, _ := os.ReadFile(a.Config); string(now) != string(before) {
			t.Errorf("%s: the config has changed", sentence)
		}
		if state := decode[[]struct{ State string }](w, w.must(w.A, "invite", "list", "--json", "--config", a.Config))[0].State; state != "open" {
			t.Errorf("%s: the invitation is %s", sentence, state)
		}
	}
	w.must(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, "--name", "bob", w.other())
	fails("does not fit the other node's config any more")
	w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, "bob")

	// A route that the kernel does not take is found when the peer is there already.
	w.run(w.A, "ip", "route", "add", "unreachable", "10.9.0.2/32")
	fails("does not fit the other node's config any more")
	if n := len(a.status().Peers); n != 0 {
		t.Errorf("%d peers are left of it", n)
	}
	w.run(w.A, "ip", "route", "del", "unreachable", "10.9.0.2/32")

	w.ok(os.WriteFile(a.Config, []byte(strings.Replace(string(text), "[::]:4242", "[::]:4343", 1)), 0o600))
	fails("the other node could not take this one as a peer; its log says why")
	w.ok(os.WriteFile(a.Config, text, 0o600))

	w.must(w.A, "reload", "--confirm", "1m", "--socket", a.Socket)
	fails("a change there waits to be confirmed")
	w.must(w.A, "confirm", "--socket", a.Socket)

	time.Sleep(6 * time.Second) // from one address one join each 5 s
	if r := b.joins(link); r.code != 0 {
		t.Fatal(r.errs)
	}
	b.known()
	b.up()
	w.established(a, b)
	w.answers(w.B, a.v4)
}

// firstInvitation is the id of the node's oldest invitation.
func firstInvitation(w *world, n *node) string {
	w.Helper()
	return decode[[]struct{ ID string }](w, w.must(n.Host, "invite", "list", "--json", "--config", n.Config))[0].ID
}
