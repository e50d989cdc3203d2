package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/net/presence"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// A Table takes records and knows the labels of circuits beside their ids.
type Table interface {
	link.Handler
	link.Labels
}

// A Relay is this node as a hub, as its sessions see it: *hub.Hub. Its calls return at
// once.
type Relay = presence.Relay

// meets makes the board and what carries circuits.
func (m *Manager) meets() {
	c := &m.c
	if c.Table != nil {
		network, _ := c.Network.(link.VirtualNetwork)
		m.circuits = circuit.New(circuit.Config{Labels: c.Table, Network: network, Handler: c.Table, Rand: c.Rand})
	}
	m.board = meeting.New(meeting.Config{Self: c.Identity.DID().Digest(), Rand: c.Rand, Circuits: m.circuits, Absent: m.summon, Addresses: c.Addresses})
}

// DrawLabel draws a label of circuits that is in use for nothing at this node.
func (m *Manager) DrawLabel() [7]byte { return m.circuits.Draw() }

// SendFrame sends a frame of meeting, or NEWS, in the session with a peer. It reports false where
// there is none. It never blocks, and copies the frame.
func (m *Manager) SendFrame(to [32]byte, frame []byte) bool {
	s, err := m.Session(did.FromDigest(to))
	if err != nil {
		return false
	}
	toHub{s}.SendFrame(frame)
	return true
}

// AtHome says that a peer is at home at this node, a hub, and that it is no more: only
// then its session may sleep. It never blocks.
func (m *Manager) AtHome(peer [32]byte, at bool) {
	if s, err := m.Session(did.FromDigest(peer)); err == nil {
		s.box.Tell(func(time.Time) { s.loop.slumber.AtHome(at) })
	}
}

// guest is a session as the board sees it: one that may meet its peer.
type guest struct{ s *Session }

var _ meeting.Guest = guest{}

// HubChanged implements meeting.Guest.
func (g guest) HubChanged(h paths.Hub, s paths.HubState) {
	g.s.box.Tell(func(now time.Time) { g.s.loop.reach.hubChanged(h, s, now) })
}

// HubMoved implements meeting.Guest.
func (g guest) HubMoved(h paths.Hub) {
	g.s.box.Tell(func(now time.Time) { g.s.loop.paths.HubMoved(h, now) })
}

// Brought implements meeting.Guest. What a hub brings is bounded.
func (g guest) Brought(n meeting.News) {
	g.s.box.PostBounded(func(now time.Time) {
		if g.s.loop.state != Closed && g.s.loop.leaveBy.IsZero() {
			g.s.loop.paths.Brought(n, now)
		}
	})
}

// toHub is a session as the board sees it: the one with a hub.
type toHub struct{ s *Session }

var _ meeting.Host = toHub{}

// SendFrame implements meeting.Host.
func (h toHub) SendFrame(frame []byte) {
	f := append([]byte(nil), frame...)
	h.s.box.TellBounded(func(time.Time) {
		l := h.s.loop
		if e, p := l.keys.InUse(), l.paths.Using(); e != nil && p != nil && takes(e, f) {
			frames.Send(e, p, p.Kind().Space, f)
		}
	})
}

// Look implements meeting.Host.
func (h toHub) Look() { h.s.box.Tell(func(now time.Time) { h.s.loop.reach.Look(now) }) }

// Awaited implements meeting.Host: the loop looks again when its next attempt is due.
func (h toHub) Awaited() { h.s.box.Tell(func(time.Time) {}) }

// Suspect implements meeting.Host.
func (h toHub) Suspect() { h.s.box.Tell(func(now time.Time) { h.s.loop.suspected(now) }) }

// Fetch asks a peer for documents of a network, on a stream of the session with it
// (spec/network.md 10.6). The error is ErrUnknownPeer or ErrNotEstablished, or one of
// documents.Fetch.
func (m *Manager) Fetch(ctx context.Context, peer did.DID, asked News, to DocumentTaker) (status AnswerStatus, err error) {
	s, err := m.Session(peer)
	if err != nil {
		return 0, err
	}
	var conn link.Conn
	err = s.tellNow(func() error {
		e := s.loop.keys.InUse()
		if conn = s.loop.paths.StreamConn(); e == nil || conn == nil || !e.Networks() {
			return ErrNotEstablished
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	c := s.chat.Open(s.channel)
	defer s.chat.Leave()
	err = errFault
	s.protect("documents in", func() { status, err = documents.Fetch(ctx, conn, &c.Keys, asked, to) })
	return status, err
}

// summon wakes the session with a peer that a hub says wants to meet, and then runs
// again on its loop. It reports false for a node that is no peer.
func (m *Manager) summon(peer [32]byte, again func()) bool {
	s, err := m.Session(did.FromDigest(peer))
	return err == nil && s.box.PostBounded(func(time.Time) { again() })
}
