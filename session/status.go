package session

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// Suite names the algorithms of the handshake, as status shows them.
const Suite = "X25519+ML-KEM-768 Ed25519+ML-DSA-65"

// A Status is what people are shown of a session at one moment.
type Status struct {
	DID          did.DID
	Name         string
	State        State
	Reason       Reason         // of the last failure, kept until established; ReasonAsleep of a session that sleeps
	Link         string         // quic or utcp; empty without a path
	Carrier      string         // its name; empty without a path
	Endpoint     netip.AddrPort // in use, or last heard
	Suite        string         // empty without keys
	Epoch        uint32         // the same at both ends; 0 without keys
	Handshakes   uint64         // full ones since start
	HandshakeAge time.Duration  // since the last full handshake
	RTT          time.Duration
	EpochAge     time.Duration  // since the epoch came into use
	Preferred    string         // carrier that Prefer was given; empty: the best
	MTU          int            // inner MTU that both ends can use, bytes; 0 without keys
	Room         int            // largest record on the path in use, bytes; 0 without a path
	Inbound      bool           // Endpoint is the peer's end of a μTCP connection that it dialled: nobody listens there
	Local        netip.AddrPort // our own address on the path in use
	Seen         netip.AddrPort // where the peer sees us on the path in use; invalid until it told
	Through      did.DID        // the hub that forwards; zero: none
	WhyNotDirect string         // why the path in use is not direct, one word; empty: it is
	Trouble      Trouble
	Refused      uint64
	Counters
}

// Counters is what a session has carried and dropped since it was made, and what waits.
type Counters struct {
	RxBytes      uint64
	TxBytes      uint64
	RxPackets    uint64
	TxPackets    uint64
	Queued       int64 // packets that wait for a path
	Messages     int   // of ours that wait for the peer's acknowledgement
	MessageBytes int   // their bytes
	Dropped      map[string]uint64
}
