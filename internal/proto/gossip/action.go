package gossip

import "github.com/libertaria-project/l2tun/internal/proto/wire"

// A Peer is the digest of a DID, an ID names a network.
type (
	Peer [wire.DigestSize]byte
	ID   [32]byte
)

// An Op is what the caller is asked to do.
type Op uint8

const (
	// Say sends News to Peer, as NEWS.
	Say Op = iota + 1
	// Fetch opens a stream to Peer and sends News, as FETCH. Progress tells of each piece,
	// Fetched ends it.
	Fetch
	// Cancel ends the stream of a Fetch. Fetched need not follow, and is ignored.
	Cancel
	// Answer gives Peer what it asked for, or Status alone. Answered ends the former.
	Answer
	// Stop ends the stream of an Answer.
	Stop
	// Close ends the session with Peer, its keys, circuits and home: it was removed.
	Close
	// Admit lets the node dial and answer members of Network, once after Open.
	Admit
)

var opNames = [...]string{Say: "say", Fetch: "fetch", Cancel: "cancel", Answer: "answer", Stop: "stop", Close: "close", Admit: "admit"}

func (o Op) String() string { return opNames[o] }

// An Action is one step for the caller. It must not change News.
type Action struct {
	Op      Op
	Peer    Peer              // not of Admit
	Network ID                // not of Close
	News    wire.News         // of Say and Fetch; of Answer: what was held
	Status  wire.AnswerStatus // of Answer: AnswerAll, or the refusal
}

// A Result is how a fetch ended.
type Result uint8

const (
	Took   Result = iota + 1 // something new was taken and saved: Changed was called
	More                     // the same, and the source has more
	Same                     // nothing new was in it
	Busy                     // the source says so
	Failed                   // refused, broken off, no stream; heads between are missing (network.MissedHeads)
	Bad                      // malformed, or a document that no honest node passes on
)
