package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Either end dies under traffic and comes back: pings pass again soon after up
// returns.
func TestTrafficIsBackAfterKill(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for _, c := range []struct {
		name        string
		dies, lives *node
		dead        time.Duration
	}{
		{"B, whose endpoint is known", b, a, 300 * time.Millisecond},
		{"A, whom nobody can dial", a, b, 300 * time.Millisecond},
		{"B, for long", b, a, 3 * time.Second},
		{"B, for longer", b, a, either(8*time.Second, 20*time.Second)},
	} {
		w.established(a, b)
		time.Sleep(300 * time.Millisecond) // or more: the first time, both ends move to direct meanwhile
		p := w.pinging(c.lives.host, c.dies.v4, 10*time.Millisecond)
		p.answeredAfter(time.Now(), 5*time.Second)
		c.dies.kill()
		time.Sleep(c.dead)
		c.dies.up()
		took := p.answeredAfter(time.Now(), 15*time.Second)
		p.stop()
		t.Logf("%s, dead for %v: the first ping is answered %v after up", c.name, c.dead, took.Round(time.Millisecond))
		if took > 4*time.Second {
			t.Errorf("%s: traffic is back after %v; the aim is 2 s, the limit 4 s", c.name, took)
		}
	}
}

// The way is dead for 8 s, with pings and messages waiting; for 30 s with
// L2TUN_FULL.
func TestOutageHealsAndMessagesArriveInOrder(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	before := a.session(b)
	events := w.follow(a)
	p := w.pinging(w.A, b.v4, 50*time.Millisecond)
	p.answeredAfter(time.Now(), 5*time.Second)

	w.ok(w.R.DropAll())
	a.waitPeer(b, 10*time.Second, "degraded", func(c control.Peer) bool { return c.State == "degraded" })
	const count = 10
	sent := make(chan string, count)
	for i := range count {
		go w.sendLater(a, b, fmt.Sprintf("message %d", i), sent)
		time.Sleep(500 * time.Millisecond) // they are sent in this order, on a busy machine too
	}
	time.Sleep(either(time.Second, 23*time.Second))
	if len(sent) > 0 {
		t.Errorf("a message was acknowledged during the outage: %q", <-sent)
	}
	if got := a.peer(b).State; got != "degraded" && got != "suspended" {
		t.Errorf("state %s during the outage", got)
	}
	w.ok(w.R.Allow())
	healed := time.Now()
	took := p.answeredAfter(healed, 20*time.Second)
	t.Logf("the first ping is answered %v after healing", took.Round(time.Millisecond))
	if took > 2500*time.Millisecond {
		t.Errorf("traffic is back after %v; the aim is 2 s, the limit 2.5 s", took)
	}
	w.checkMessages(a, b, sent, count)
	t.Logf("pings: %v", p.stop())
	w.established(a, b)
	if after := a.session(b); after.handshakes != before.handshakes {
		t.Errorf("%d full handshakes, before %d: an outage needs none", after.handshakes, before.handshakes)
	}
	checkStory(t, events(), b)
}

// sendLater runs l2tun send and says how it went: nothing if well.
func (w *world) sendLater(from, to *node, text string, ended chan<- string) {
	c := from.host.Command(w.Context(), w.program, "send", "--socket", from.socket, "--timeout", "90s", to.did, text)
	out, err := c.CombinedOutput()
	if err != nil {
		ended <- fmt.Sprintf("%s: %v: %s", text, err, out)
		return
	}
	ended <- ""
}

// checkMessages fails the test unless "message 0", "message 1" ... are there in
// this order, and their senders know.
func (w *world) checkMessages(from, to *node, sent <-chan string, count int) {
	w.Helper()
	got := strings.Split(strings.TrimSuffix(w.must(to.host, "receive", "--socket", to.socket, "--count", fmt.Sprint(count)), "\n"), "\n")
	for i := range count {
		if want := fmt.Sprintf("message %d", i); i >= len(got) || got[i] != want {
			w.Errorf("messages came as %q", got)
			break
		}
	}
	for range count {
		select {
		case failed := <-sent:
			if failed != "" {
				w.Error(failed)
			}
		case <-time.After(20 * time.Second):
			w.Fatal("a message lies in the peer's queue and l2tun send does not end")
		}
	}
}

// follow runs l2tun events --follow --json until the function it returns is
// called, which gives the events.
func (w *world) follow(n *node) (end func() []control.Event) {
	w.Helper()
	c := n.host.Command(w.Context(), w.program, "events", "--follow", "--json", "--socket", n.socket)
	var out strings.Builder
	c.Stdout = &out
	w.ok(c.Start())
	return func() (all []control.Event) {
		w.Helper()
		w.ok(c.Stop(10 * time.Second))
		for line := range strings.Lines(out.String()) {
			var e control.Event
			w.ok(json.Unmarshal([]byte(line), &e))
			all = append(all, e)
		}
		return all
	}
}

// checkStory wants an unbroken chain of changes from the beginning over an
// outage to its end.
func checkStory(t *testing.T, events []control.Event, peer *node) {
	t.Helper()
	var states []string
	for i, e := range events {
		t.Logf("event: %s -> %s %s %s epoch %d link %s", e.From, e.To, e.Cause, e.Reason, e.Epoch, e.Link)
		if e.Peer != peer.did || e.Time.IsZero() || e.Missed != 0 {
			t.Errorf("event %+v", e)
		}
		if i > 0 && e.From != events[i-1].To {
			t.Errorf("an event begins with %s, the one before ended with %s", e.From, events[i-1].To)
		}
		states = append(states, e.To)
	}
	for _, want := range []string{"established", "degraded", "established"} {
		i := slices.Index(states, want)
		if i < 0 {
			t.Fatalf("the events have no %s in its place: %v", want, states)
		}
		states = states[i+1:]
	}
}

// Bytes of every kind and size go round, once, in both directions.
func TestMessagesGoRound(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for _, n := range [][2]*node{{a, b}, {b, a}} {
		for _, text := range []string{"hello", "", "two\nlines", strings.Repeat("x", 100_000), "\x00\xff not UTF-8"} {
			c := n[0].host.Command(w.Context(), w.program, "send", "--socket", n[0].socket, n[1].did)
			c.Stdin = strings.NewReader(text)
			if text == "" { // nothing on standard input is a mistake; meant, it is an argument
				c.Args = append(c.Args, text)
			}
			if r := w.finish(c); r.code != 0 || r.out != "" {
				t.Fatalf("send ends with %d: %s%s", r.code, r.out, r.errs)
			}
			got := decode[control.Message](w, w.must(n[1].host, "receive", "--json", "--count", "1", "--socket", n[1].socket, n[0].did))
			if string(got.Data) != text || got.Peer != n[0].did {
				t.Errorf("sent %q, received %q from %s", text, got.Data, got.Peer)
			}
		}
	}
}
