package udp

import "github.com/libertaria-project/l2tun/internal/proto/wire"

const (
	// ResetSize is the one size in which quic-go sends stateless resets. Half of
	// them carry our tag by chance, and they say that the peer has restarted.
	ResetSize = 42
	// ConnIDSize is the length of our connection ids of QUIC. 18 or more would make
	// the largest datagrams vanish in quic-go without an error.
	ConnIDSize = 8
)

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
//	1xxxxxxx                         QUIC long header, if the id it is for is whole
//	01xxxxxx, top bit of byte 1 clear  QUIC short header: ids of quic-go have it clear
//	01000000, top bit of byte 1 set    record, if somebody knows its id
//	01xxxxxx, top bit of byte 1 set    of 42 bytes: maybe a stateless reset, to QUIC
//	anything else                    dropped
func classify(b []byte, ids knower) class {
	switch {
	case len(b) < 2 || b[0]&0xC0 == 0:
		return classBad
	case IsLong(b):
		if !namesID(b) {
			return classBad
		}
		return classQUIC
	case b[1]&0x80 == 0:
		if len(b) < 1+ConnIDSize {
			return classBad
		}
		return classQUIC
	case wire.IsRecord(b) && ids != nil && ids.Known(wire.RecordID(b[1:8])):
		return classRecord
	case len(b) == ResetSize:
		return classQUIC
	case wire.IsRecord(b):
		return classUnknown
	}
	return classBad
}

// IsQUIC reports whether a datagram that did not come by a Socket has the form of a
// packet of QUIC.
func IsQUIC(b []byte) bool { return classify(b, nil) == classQUIC }

// namesID reports whether the connection id that a long header is for is there and
// no longer than QUIC has them (RFC 9000 section 17.2). quic-go drops the others
// too, but does not take their buffers back: a flood of random bytes would cost
// memory for each.
func namesID(b []byte) bool {
	const version, largest = 4, 20
	const at = 1 + version
	return len(b) > at && b[at] <= largest && len(b) > at+int(b[at])
}

// A knower knows the record ids in use.
type knower interface {
	Known(id wire.RecordID) bool
}

// IsLong knows packets of QUIC with a long header, which those of a handshake have.
func IsLong(b []byte) bool { return len(b) > 0 && b[0]&0x80 != 0 }
