package session

import (
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// What spreads documents of networks (spec/network.md 10.6).
type (
	// Networks owns the networks of a node.
	Networks = documents.Owner
	// News is what a node says that it holds of a network.
	News = wire.News
	// A DocumentTaker gets what Manager.Fetch brings.
	DocumentTaker = documents.Taker
	// An AnswerStatus is what a peer says to Manager.Fetch.
	AnswerStatus = wire.AnswerStatus
	// A DocumentAnswer is what a node gives to a peer that fetches.
	DocumentAnswer = documents.Answer
)

// takes reports whether both ends take a frame that is sent for others: of meeting, or
// NEWS.
func takes(e *record.Epoch, f []byte) bool {
	if f[0] == wire.FrameNews {
		return e.Networks()
	}
	return e.Circuits()
}
