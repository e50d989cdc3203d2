package transport

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// resetSize is the one size in which quic-go sends stateless resets. Half of
// them carry our tag by chance, and they say that the peer has restarted.
const resetSize = 42

// A class says who takes a received datagram.
type class uint8

const (
	classBad     class = iota // nobody: dropped and counted
	classUnknown              // a record nobody waits for: dropped and counted
	classRecord               // a record with a known id
	classQUIC                 // quic-go
)

// classify shares the socket between records and QUIC by form, SPEC section 3:
//
//	1xxxxxxx                         QUIC long header
//	01xxxxxx, top bit of byte 1 clear  QUIC short header: ids of quic-go have it clear
//	01000000, top bit of byte 1 set    record, if somebody knows its id
//	01xxxxxx, top bit of byte 1 set    of 42 bytes: maybe a stateless reset, to QUIC
//	anything else                    dropped
func classify(b []byte, h link.Handler) class {
	switch {
	case len(b) < 2 || b[0]&0xC0 == 0:
		return classBad
	case b[0]&0x80 != 0 || b[1]&0x80 == 0:
		return classQUIC
	case wire.IsRecord(b) && h != nil && h.Known(wire.RecordID(b[1:8])):
		return classRecord
	case len(b) == resetSize:
		return classQUIC
	case wire.IsRecord(b):
		return classUnknown
	}
	return classBad
}

// readLoop is the one reader of the socket. It ends when the socket is closed.
func (t *Transport) readLoop(r *batchReader) {
	defer t.wg.Done()
	quic := make([]packet, 0, readBatch*maxSegments)
	for {
		pkts, err := r.read()
		if err != nil {
			if isClosed(err) {
				return
			}
			t.count.readErrors.Add(1)
			time.Sleep(time.Millisecond) // an error that stays must not burn a core
			continue
		}
		quic = t.sort(pkts, quic[:0])
		if len(quic) > 0 {
			t.queue.push(quic)
		}
	}
}

// sort counts what one receive call brought and appends what is for QUIC.
func (t *Transport) sort(pkts, quic []packet) []packet {
	t.count.received.Add(uint64(len(pkts)))
	h := t.handlerOrNil()
	for _, p := range pkts {
		switch classify(p.data, h) {
		case classQUIC:
			t.initials.note(p)
			quic = append(quic, p)
		case classRecord:
			t.count.noPath.Add(1)
		case classUnknown:
			t.count.unknown.Add(1)
		default:
			t.count.malformed.Add(1)
		}
	}
	return quic
}
