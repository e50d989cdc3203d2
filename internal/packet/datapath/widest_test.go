package datapath

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// SPEC 6.10: both ends know the largest record that left and came, in one piece
// or in two.
func TestLargestRecordIsNoted(t *testing.T) {
	for _, c := range []struct{ packet, room, record int }{
		{1380, 1415, 1380 + wire.Overhead},
		{100, 1415, 100 + wire.Overhead},
		{1380, 1163, 690 + wire.PartHeaderSize + wire.Overhead},
	} {
		a, b := newPair(t, c.room)
		a.up(t, false)
		b.up(t, false)
		a.dev.Inject(packet(addrA, addrB, c.packet, 1))
		a.dev.Inject(packet(addrA, addrB, 50, 2))
		b.next(t)
		b.next(t)
		sent, came := a.peer.Traffic().WideSent.Take(), b.peer.Traffic().Heard(link.KindDatagram).Take()
		if sent != c.record || came != c.record {
			t.Errorf("a packet of %d bytes: sent %d, came %d, want %d", c.packet, sent, came, c.record)
		}
		if n := a.peer.Traffic().WideSent.Load() + b.peer.Traffic().Heard(link.KindDatagram).Load(); n != 0 {
			t.Errorf("%d after it was taken", n)
		}
	}
}
