package records

import (
	"context"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// An Acceptor is a node that others dial.
type Acceptor interface {
	Accept(ctx context.Context) (link.Conn, error)
}

// Context is as long as a test may wait for a connection.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Connect dials a node, which accepts, and returns both ends.
func Connect(t testing.TB, to Acceptor, dial func(ctx context.Context) (link.Conn, error)) (dialled, accepted link.Conn) {
	t.Helper()
	ctx := Context(t)
	got := make(chan link.Conn, 1)
	go func() {
		c, err := to.Accept(ctx)
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	c, err := dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	peer := <-got
	if peer == nil {
		t.FailNow()
	}
	return c, peer
}

// Accepting keeps a node accepting and returns what comes, as many as it has places for.
func Accepting(t testing.TB, node Acceptor, places int) <-chan link.Conn {
	got := make(chan link.Conn, places)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := node.Accept(ctx)
			if err != nil {
				return
			}
			got <- c
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return got
}

// BothWays proves that a connection carries records from each end into the other's inbox.
func BothWays(t testing.TB, ca, cb link.Conn, a, b *Inbox) {
	t.Helper()
	na, nb := a.Len(), b.Len()
	Eventually(t, 30*time.Second, "records both ways", func() bool {
		ca.Path().Send(Batch(New(100, 1)))
		cb.Path().Send(Batch(New(100, 1)))
		time.Sleep(5 * time.Millisecond)
		return a.Len() > na && b.Len() > nb
	})
}
