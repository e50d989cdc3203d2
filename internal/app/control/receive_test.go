package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A mailbox is a node's messages: what give took is off it.
type mailbox struct {
	mu   sync.Mutex // held by the one who hands over
	msgs []string
}

func (b *mailbox) receive(ctx context.Context, peer string, give func(Message) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.msgs) > 0 {
		if err := give(Message{Peer: peer, Data: []byte(b.msgs[0])}); err != nil {
			return err
		}
		b.msgs = b.msgs[1:]
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b *mailbox) left() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.msgs, " ")
}

func letters() *mailbox { return &mailbox{msgs: strings.Fields("a b c d")} }

func TestReceiveTakesWhatWasPassedOnAndNoMore(t *testing.T) {
	b := letters()
	_, c := start(t, &fakeNode{receive: b.receive})
	for _, step := range []struct {
		count     int
		got, left string
	}{{1, "a", "b c d"}, {2, "b c", "d"}} {
		var got []string
		err := c.Receive(t.Context(), "bob", step.count, func(m Message) error {
			if m.Peer != "bob" || m.Number != uint64(len(got)+1) {
				t.Error(m)
			}
			got = append(got, string(m.Data))
			return nil
		})
		if err != nil || strings.Join(got, " ") != step.got || b.left() != step.left {
			t.Error(got, b.left(), err)
		}
	}
}

// A program that fails with a message in its hands has not taken it.
func TestAMessageThatWasNotPassedOnStays(t *testing.T) {
	b := letters()
	_, c := start(t, &fakeNode{receive: b.receive})
	full := errors.New("disk full")
	err := c.Receive(t.Context(), "", 0, func(m Message) error {
		if string(m.Data) == "b" {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || b.left() != "b c d" {
		t.Error(err, b.left())
	}
}

func TestReceiveEndsWithItsContextAndAcknowledgesWhatIsInHand(t *testing.T) {
	b := letters()
	_, c := start(t, &fakeNode{receive: b.receive})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := c.Receive(ctx, "", 0, func(m Message) error {
		if string(m.Data) == "b" {
			cancel()
		}
		if string(m.Data) > "b" { // which of message and end comes first is chance
			return errors.New("stop")
		}
		return nil
	})
	if err != nil && err.Error() != "stop" || b.left() != "c d" {
		t.Error(err, b.left())
	}
	quiet := &mailbox{}
	_, c = start(t, &fakeNode{receive: quiet.receive})
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Receive(ctx, "", 0, nil); err != nil {
		t.Error(err)
	}
	quiet.left() // returns when the node is told
}

// Programs that are killed at any moment: each message is written down at least
// once, in order, and taken exactly once.
func TestKilledReceiversLoseNothing(t *testing.T) {
	const n = 300
	b := &mailbox{}
	for i := range n {
		b.msgs = append(b.msgs, fmt.Sprint(i))
	}
	s, _ := start(t, &fakeNode{receive: b.receive})
	var got []string
	for round := 0; b.left() != ""; round++ {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, receiveRaw(t, conn, round%7)...)
	}
	last := -1
	for _, m := range got {
		var i int
		fmt.Sscan(m, &i)
		if i != last && i != last+1 {
			t.Fatalf("%d came after %d", i, last)
		}
		last = i
	}
	if last != n-1 {
		t.Error("the last one is", last)
	}
}

// receiveRaw speaks the call as SPEC says, takes some messages and, with the
// next in hand, drops the connection without a word.
func receiveRaw(t *testing.T, conn net.Conn, takes int) (got []string) {
	t.Helper()
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/receive HTTP/1.1\r\nHost: l2tun\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
	r := bufio.NewReader(conn)
	number := 1
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return got
		}
		var text string
		if _, rest, ok := strings.Cut(line, `"text":"`); ok {
			text, _, _ = strings.Cut(rest, `"`)
		}
		if text == "" {
			continue // headers and the sizes of chunks
		}
		got = append(got, text)
		if takes--; takes < 0 {
			return got
		}
		a := fmt.Sprintf("{\"ack\":%d}\n", number)
		fmt.Fprintf(conn, "%x\r\n%s\r\n", len(a), a)
		if text == "299" {
			fmt.Fprint(conn, "0\r\n\r\n") // and wait for the node's end
		}
		number++
	}
}

// Two programs at one mailbox: each message goes to one of them.
func TestEachMessageGoesToOneReceiver(t *testing.T) {
	var mu sync.Mutex
	next := 0
	_, c := start(t, &fakeNode{receive: func(ctx context.Context, _ string, give func(Message) error) error {
		for {
			mu.Lock()
			err := give(Message{Data: fmt.Append(nil, next)})
			if err == nil {
				next++
			}
			mu.Unlock()
			if err != nil {
				return err
			}
		}
	}})
	seen := make(chan string, 200)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := c.Receive(t.Context(), "", 50, func(m Message) error { seen <- string(m.Data); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(seen)
	once := map[string]bool{}
	for m := range seen {
		if once[m] {
			t.Error("twice:", m)
		}
		once[m] = true
	}
	if len(once) != 200 || next != 200 {
		t.Error(len(once), next)
	}
}

// Messages of several peers at once: one is under way at a time.
func TestConcurrentGivesTakeTurns(t *testing.T) {
	_, c := start(t, &fakeNode{receive: func(ctx context.Context, _ string, give func(Message) error) error {
		var wg sync.WaitGroup
		defer wg.Wait()
		for i := range 8 {
			wg.Go(func() {
				for give(Message{Peer: fmt.Sprint(i)}) == nil {
				}
			})
		}
		return nil
	}})
	var n uint64
	err := c.Receive(t.Context(), "", 100, func(m Message) error {
		n++
		if m.Number != n {
			t.Errorf("number %d, want %d", m.Number, n)
		}
		return nil
	})
	if err != nil || n != 100 {
		t.Error(n, err)
	}
}

func TestWrongAcknowledgementsEndTheStream(t *testing.T) {
	for _, line := range []string{`{"ack":2}`, `{"ack":0}`, `x`, `{"ack":"1"}`, strings.Repeat(" ", 2*maxAck)} {
		b := letters()
		s, _ := start(t, &fakeNode{receive: b.receive})
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "POST /v1/receive HTTP/1.1\r\nHost: l2tun\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
		fmt.Fprintf(conn, "%x\r\n%s\n\r\n", len(line)+1, line)
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if b.left() != "a b c d" || len(line) < maxAck && !strings.Contains(string(answer), `{"error":"a program has to acknowledge`) {
			t.Errorf("%.20s: left %s, answer %s", line, b.left(), answer)
		}
	}
}

func TestAReceiverIsToldWhyItsStreamEnds(t *testing.T) {
	gone := &fakeNode{receive: func(_ context.Context, _ string, give func(Message) error) error {
		return errors.Join(give(Message{}), errors.New("the peer was removed"))
	}}
	_, c := start(t, gone)
	take := func(Message) error { return nil }
	if err := c.Receive(t.Context(), "bob", 0, take); err == nil || err.Error() != "the peer was removed" {
		t.Error(err)
	}
	s, c := start(t, &fakeNode{receive: letters().receive})
	done := make(chan error, 1)
	seen := make(chan struct{}, 4)
	go func() {
		done <- c.Receive(t.Context(), "bob", 0, func(Message) error { seen <- struct{}{}; return nil })
	}()
	for range 4 {
		<-seen
	}
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > shutdownTime/2 {
		t.Error(err, time.Since(began))
	}
	if err := <-done; err == nil || err.Error() != "the node at "+s.Path()+" stopped" {
		t.Error(err)
	}
}
