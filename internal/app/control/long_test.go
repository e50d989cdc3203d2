package control

import (
	"context"
	"errors"
	"testing"
	"time"
)

// However many programs wait, status and down still get through, and one more
// that would wait is refused with a sentence.
func TestWaitingCallsLeaveRoomForTheOthers(t *testing.T) {
	f := eventsOf(1, nil)
	f.status = &Status{}
	_, c := start(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := make(chan struct{}), make(chan error)
	for range maxLong {
		go func() {
			done <- c.Events(ctx, true, func(Event) error { seen <- struct{}{}; return nil })
		}()
		<-seen
	}
	var ae *APIError
	if err := c.Events(ctx, true, nil); !errors.As(err, &ae) || ae.Code != 503 {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	for range maxLong {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for c.Events(t.Context(), false, func(Event) error { return nil }) != nil { // the node notices a moment later
		time.Sleep(time.Millisecond)
	}
}

// The limits of time on a call are not for those that wait: with them this one
// would lose its connection.
func TestAWaitingCallOutlivesTheServersLimits(t *testing.T) {
	more := make(chan Event)
	f := eventsOf(1, more)
	f.send = func(ctx context.Context, _ string, _ []byte) error {
		select {
		case <-time.After(2 * shortTime):
			return nil
		case <-ctx.Done():
			return errors.New("the call's context ended: " + ctx.Err().Error())
		}
	}
	f.receive = func(ctx context.Context, _ string, give func(Message) error) error {
		time.Sleep(2 * shortTime)
		return errors.Join(give(Message{}), ctx.Err())
	}
	c := startWithin(t, f, shortTime)
	if err := c.Send(t.Context(), "bob", []byte("x"), 0); err != nil {
		t.Error("send:", err)
	}
	if err := c.Receive(t.Context(), "bob", 1, func(Message) error { return nil }); err != nil {
		t.Error("receive:", err)
	}
	go func() {
		time.Sleep(2 * shortTime)
		more <- someEvent(7)
	}()
	enough := errors.New("enough")
	err := c.Events(t.Context(), true, func(e Event) error {
		if e.Epoch == 7 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Error("events:", err)
	}
}

const shortTime = 500 * time.Millisecond

// startWithin is start with limits on a call's time that a test can wait for.
func startWithin(t *testing.T, f *fakeNode, limit time.Duration) *Client {
	t.Helper()
	s, c := prepare(t, f)
	s.http.ReadTimeout, s.http.WriteTimeout = limit, limit
	serve(t, s)
	return c
}
