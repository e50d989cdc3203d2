package transport

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// brokenInbox is an inbox that fails as a defect does, as often as it is told.
type brokenInbox struct {
	*records.Inbox
	left atomic.Int32
}

func (b *brokenInbox) Records(p link.Path, recs [][]byte) {
	if b.left.Add(-1) >= 0 {
		panic("transport: internal error: a test")
	}
	b.Inbox.Records(p, recs)
}

func startBroken(t *testing.T, times int32) *node {
	n := startNode(t, loopback)
	broken := &brokenInbox{Inbox: n.in}
	broken.left.Store(times)
	n.Handle(broken)
	return n
}

// spec/behaviour.md 6.5: a defect that a datagram meets costs what came with it in one receive,
// and is counted; the socket is read on.
func TestDefectInADatagram(t *testing.T) {
	a, b := startNode(t, loopback), startBroken(t, 3)
	b.in.Know(records.New(32, 0))
	path := a.Direct(b.LocalAddr())
	records.Eventually(t, 30*time.Second, "three counted", func() bool {
		path.Send(records.Batch(records.New(100, 1)))
		time.Sleep(time.Millisecond)
		return b.Stats().Faults == 3
	})
	records.Eventually(t, 30*time.Second, "records again", func() bool {
		path.Send(records.Batch(records.New(100, 1)))
		return b.in.Len() > 0
	})
}

// On a connection it ends the connection; another one is taken.
func TestDefectOnAConnection(t *testing.T) {
	for _, l := range []wire.Link{wire.LinkUTCP, wire.LinkQUIC} {
		t.Run(string(l), func(t *testing.T) {
			a, b := startNode(t, loopback), startBroken(t, 1)
			dial := func() link.Conn {
				if l == wire.LinkQUIC {
					c, _ := connect(t, a, b, b.LocalAddr())
					return c
				}
				c, accepted, _, _ := connectUTCP(t, a, b, b.LocalAddr())
				accepted.Proven()
				return c
			}
			c := dial()
			records.Eventually(t, 30*time.Second, "the end of the connection", func() bool {
				c.Path().Send(records.Batch(records.New(100, 1)))
				time.Sleep(time.Millisecond)
				select {
				case <-c.Done():
					return true
				default:
					return false
				}
			})
			if n := b.Stats().Faults; n != 1 {
				t.Errorf("%d counted", n)
			}
			c = dial()
			records.Eventually(t, 30*time.Second, "records again", func() bool {
				c.Path().Send(records.Batch(records.New(100, 1)))
				time.Sleep(time.Millisecond)
				return b.in.Len() > 0
			})
		})
	}
}
