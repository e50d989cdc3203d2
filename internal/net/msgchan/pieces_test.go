package msgchan

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/packetgen"
)

// FuzzPieces: pieces of messages in any order, as from a peer, against what a
// channel promises: whole, in order, each once, and never more bytes than were
// granted.
func FuzzPieces(f *testing.F) {
	f.Add([]byte{1, 0, 1, 5, 2, 0, 0, 3, 2, 3, 1, 4})
	f.Add([]byte{1, 0, 0, 255, 1, 255, 1, 1, 0, 0, 0, 0, 1, 0, 1, 9})
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newChannel(0)
		stream := m.newStream()
		done, offset := uint64(0), 0
		if s, ok := packetgen.Of(in); ok { // mostly the piece that is expected
			in = nil
			for n, at := byte(1), 0; s.More(); {
				flags := s.Byte() // mostly none
				piece := []byte{n, byte(at), flags & s.Byte() & 3, s.Byte() & 31}
				if at += int(piece[3]); piece[2]&1 != 0 {
					n, at = n+1, 0
				}
				if piece[2]&2 != 0 || at > 255 {
					at = 0
				}
				in = append(in, s.Mutate(piece)...)
			}
		}
		for ; len(in) >= 4; in = in[4:] {
			p := wire.Piece{Number: uint64(in[0]), Offset: uint32(in[1]), Last: in[2]&1 != 0, Data: make([]byte, int(in[3]))}
			if in[2]&2 != 0 { // the connection is replaced
				stream, offset = m.newStream(), 0
			}
			fits := p.Number == done+1 && int(p.Offset) == offset
			if got := m.chunk(stream, p); got != (fits || p.Number <= done) {
				t.Fatalf("%d at %d after %d at %d: %v", p.Number, p.Offset, done, offset, got)
			}
			if fits && p.Last {
				done, offset = done+1, 0
			} else if fits {
				offset += len(p.Data)
			}
			if a, _ := m.ack(); a.number != done || len(m.in) != int(done) || m.waiting > m.c.Limit {
				t.Fatalf("acknowledged %d of %d, %d in the queue, %d bytes", a.number, done, len(m.in), m.waiting)
			}
		}
	})
}

// Pieces of a message say where they belong: doubled, left out or out of order
// they end the stream. Empty messages take room.
// SPEC R-6.7-5.
func TestPiecesOutOfPlace(t *testing.T) {
	piece := func(number uint64, offset uint32, data string, last bool) wire.Piece {
		return wire.Piece{Number: number, Offset: offset, Data: []byte(data), Last: last}
	}
	for name, second := range map[string]wire.Piece{
		"doubled": piece(1, 0, "AA", false), "gap": piece(1, 3, "B", true), "next": piece(2, 0, "B", true),
	} {
		m := newChannel(0)
		s := m.newStream()
		if !m.chunk(s, piece(1, 0, "AA", false)) {
			t.Fatal("the first piece is refused")
		}
		if m.chunk(s, second) {
			t.Errorf("a piece %s is taken", name)
		}
	}
	m := newChannel(0)
	s := m.newStream()
	n := 0
	for m.chunk(s, piece(uint64(n+1), 0, "", true)) {
		n++
	}
	if n > (MaxMessage+wire.MessageCost)/wire.MessageCost {
		t.Fatalf("%d empty messages wait", n)
	}
}
