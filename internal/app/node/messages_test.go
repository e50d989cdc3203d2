package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/memnet"
)

func (h *host) send(peer, msg string, limit time.Duration) error {
	return within(h.w.T, limit, func(ctx context.Context) error { return send(ctx, h.m, peer, []byte(msg)) })
}

// An inbox collects what it is given, as a program would that acknowledges each.
type inbox struct {
	mu   sync.Mutex
	msgs []string
}

func (b *inbox) give(m control.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.msgs = append(b.msgs, m.Name+":"+string(m.Data))
	return nil
}

func (b *inbox) sorted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.msgs)
	return strings.Join(b.msgs, " ")
}

// Messages of all peers, also of one that is added while the program waits and
// of one that is removed and comes back.
func TestReceiveAllIncludesPeersAddedLater(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b, c := w.hosts[0], w.hosts[1], w.hosts[2]
		w.join(b, a, "a")
		ctx, cancel := context.WithCancel(w.Context())
		var box inbox
		done := make(chan error)
		go func() { done <- receiveAll(ctx, a.m, box.give) }()
		w.ok(b.send("a", "one", time.Second))
		w.join(c, a, "a")
		w.ok(c.send("a", "two", time.Second))
		w.ok(a.m.Remove(b.id.DID()))
		a.add(b, "bob", true, session.Settings{})
		w.ok(b.send("a", "three", time.Minute))
		synctest.Wait()
		if got := box.sorted(); got != ":one :two bob:three" {
			w.Error(got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.Error(err)
		}
	})
}

// What a program does not acknowledge is the next program's first message.
func TestWhatIsNotTakenStaysFirst(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.hosts[0], w.hosts[1]
		w.join(a, b, "bob")
		for _, msg := range []string{"1", "2", "3"} {
			w.ok(a.send("bob", msg, time.Second))
		}
		gone := errors.New("gone")
		from := a.id.DID().String()
		for _, receive := range []func(give func(control.Message) error) error{
			func(give func(control.Message) error) error { return receiveAll(w.Context(), b.m, give) },
			func(give func(control.Message) error) error { return receiveFrom(w.Context(), b.m, from, give) },
		} {
			var got []string
			err := receive(func(m control.Message) error {
				if m.Peer != from {
					w.Error(m.Peer)
				}
				if got = append(got, string(m.Data)); len(got) == 2 {
					return gone
				}
				return nil
			})
			if !errors.Is(err, gone) {
				w.Error(err)
			}
			w.Log(got)
		}
		var last []byte
		w.ok(within(w.T, time.Second, func(ctx context.Context) error {
			s, _ := sessionWith(b.m, from)
			var err error
			last, err = s.Receive(ctx)
			return err
		}))
		if string(last) != "3" { // each of the two took one
			w.Errorf("%q is next", last)
		}
	})
}

// While one program holds a peer's message, another gets none of that peer.
func TestOneReceiverAtATimeSeesAMessage(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.hosts[0], w.hosts[1]
		w.join(a, b, "bob")
		const n = 50
		for i := range n {
			w.ok(a.send("bob", fmt.Sprint(i), time.Second))
		}
		var mu sync.Mutex
		var held, next int
		ctx, cancel := context.WithCancel(w.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				receiveAll(ctx, b.m, func(m control.Message) error {
					mu.Lock()
					if held++; held > 1 || string(m.Data) != fmt.Sprint(next) {
						w.Errorf("%d programs hold a message, %s is under way, want %d", held, m.Data, next)
					}
					next++
					mu.Unlock()
					time.Sleep(time.Millisecond)
					mu.Lock()
					held--
					mu.Unlock()
					return nil
				})
			})
		}
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		if next != n {
			w.Error(next)
		}
	})
}

func TestEachOutcomeOfASendIsSaid(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.hosts[0], w.hosts[1]
		w.wantRefused(a.send("bob", "x", time.Second), 404, `there is no peer "bob" (DID, name or overlay address); l2tun status lists the peers`)
		a.add(b, "bob", false, session.Settings{MessageQueueBytes: session.MaxMessage})
		w.wantRefused(a.send("bob", "x", time.Second), 408, "the message to bob was not acknowledged in time; it was withdrawn and will not arrive")
		w.wantRefused(a.send("bob", strings.Repeat("x", session.MaxMessage+1), time.Second), 413, "a message has at most 1 MiB; this one is longer")
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		w.wantRefused(send(ctx, a.m, "bob", nil), 408, "the message to bob was given up; it was withdrawn and will not arrive")

		w.ok(a.m.Remove(b.id.DID()))
		b.add(a, "", false, session.Settings{})
		s := a.add(b, "bob", true, session.Settings{MessageQueueBytes: session.MaxMessage})
		w.ok(a.send("bob", "x", 10*time.Second))
		w.net.SetAll(memnet.Line{Cut: true})
		w.wantRefused(a.send("bob", "x", time.Second), 504, "the message to bob was not acknowledged in time; it may still arrive")
		w.wantRefused(a.send("bob", strings.Repeat("x", session.MaxMessage), time.Second), 503,
			"the queue of messages for bob is full and had no room in time; the message was not sent")

		closed := make(chan error)
		go func() { closed <- a.send("bob", "x", time.Hour) }()
		time.Sleep(time.Second)
		s.Close()
		w.wantRefused(<-closed, 410, "the session with bob was closed before the message was acknowledged")
	})
	w := &world{T: t}
	w.wantRefused(outcome("bob", session.ErrPeerRestarted), 409, "bob restarted while the message was on its way; whether it arrived cannot be known")
	w.wantRefused(outcome("bob", errors.Join(session.ErrOutcomeUnknown, context.Canceled)), 504, "the message to bob was given up; it may still arrive")
}

func TestReceivingFromAPeerEndsWithIt(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.hosts[0], w.hosts[1]
		a.add(b, "bob", false, session.Settings{})
		none := func(control.Message) error { return nil }
		w.wantRefused(receiveFrom(w.Context(), a.m, "eve", none), 404, `there is no peer "eve" (DID, name or overlay address); l2tun status lists the peers`)
		go func() {
			time.Sleep(time.Second)
			a.m.Remove(b.id.DID())
		}()
		w.wantRefused(receiveFrom(w.Context(), a.m, "bob", none), 410,
			"the session with bob was closed: the peer was removed or its settings have changed")
	})
}

func TestBothEndsAgreeOnTheLongestMessage(t *testing.T) {
	if control.MaxMessage != session.MaxMessage {
		t.Error(control.MaxMessage, session.MaxMessage)
	}
}
