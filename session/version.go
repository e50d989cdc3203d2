package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A node of version 0.1.0 and this one do not understand each other, and it cannot
// be changed any more (SPEC 5.3). As a responder it closes the connection at our
// first message, as it does to whoever says something strange; so an attempt, or
// a join, that ends like that asks once more, in its words. As an initiator it gets an answer
// that makes it end with protocol_violation.

// ErrVersion: the peer runs version 0.1.0, which has another protocol.
var ErrVersion = errors.New("session: the peer runs l2tun 0.1.0, which this version cannot talk to: upgrade it")

const (
	// maxCallers bounds the addresses from which nodes of version 0.1.0 have called,
	// and callersAge how long each is kept.
	maxCallers = 8
	callersAge = time.Hour
)

// checkVersion is what a failed handshake over a connection means, when the peer
// has ended it without an answer.
func checkVersion(ctx context.Context, network link.Network, over link.Conn, err error) error {
	if err == nil || eventOf(err) != TransportError || errors.As(err, new(*Obstacle)) || ctx.Err() != nil || decided(err) {
		return err
	}
	conn, derr := network.Dial(ctx, over.Link(), over.Remote())
	if derr != nil {
		return err
	}
	defer conn.Close("only asked for the version")
	if asksOld(ctx, conn) {
		return ErrVersion
	}
	return err
}

// askEvery is how many attempts in a row share one question for the version.
const askEvery = 8

// asksVersion reports whether an attempt may ask for the version: not of a peer that
// has talked to us in ours, and now and then else. A peer that has just restarted
// sends many away for want of room, and another connection of each would not help it.
func (s *Session) asksVersion(a *attempt) bool {
	if a.known != nil || !a.resume.Secret.IsZero() {
		return false
	}
	return s.reason == ReasonVersion || s.retry.tries%askEvery == 0
}

// asksOld sends a KEYS_REQ of version 0.1.0 for nobody's keys, and reports whether
// the answer is of that version.
func asksOld(ctx context.Context, conn link.Conn) bool {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return false
	}
	defer st.Close()
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	if _, err := st.Write(wire.OldKeysReq()); err != nil {
		return false
	}
	var answer [wire.HandshakeHeaderSize]byte
	_, err = io.ReadFull(st, answer[:])
	return err == nil && wire.IsOldNotMe(answer[:])
}

// old answers an initiator of version 0.1.0, and keeps its address.
func (a *answering) old(head []byte) error {
	msg := append(make([]byte, 0, wire.OldKeysReqSize), head...)
	if _, err := io.ReadFull(a.st, msg[len(head):cap(msg)]); err != nil { // every message of an initiator is as long
		return err
	}
	remote := a.conn.Remote().Addr().Unmap()
	asking := bytes.Equal(msg[:cap(msg)], wire.OldKeysReq()) // a node of this version that wants to know ours
	if !asking && a.m.callers.add(remote, time.Now()) {
		a.m.log.Warn("a node of version 0.1.0 asked for a session: it must be upgraded", "remote", remote)
	}
	if _, err := a.st.Write(wire.OldAnswer(head)); err == nil {
		io.Copy(io.Discard, io.LimitReader(a.st, wire.M1Size)) // until it has read the answer and closes
	}
	return ErrVersion
}

// oldCallers are the addresses from which nodes of version 0.1.0 have called lately.
type oldCallers struct {
	mu    sync.Mutex
	all   []oldCaller
	lines lineLimit // anybody can call, from many addresses
}

type oldCaller struct {
	addr netip.Addr
	at   time.Time
}

// add reports whether the log is to say so: the address is new, and not one of many.
func (c *oldCallers) add(addr netip.Addr, now time.Time) (fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	n := len(c.all)
	c.all = slices.DeleteFunc(c.all, func(o oldCaller) bool { return o.addr == addr })
	fresh = len(c.all) == n
	if len(c.all) == maxCallers {
		c.all = c.all[1:]
	}
	c.all = append(c.all, oldCaller{addr, now})
	if fresh {
		_, fresh = c.lines.take(now)
	}
	return fresh
}

func (c *oldCallers) forget(now time.Time) {
	c.all = slices.DeleteFunc(c.all, func(o oldCaller) bool { return now.Sub(o.at) > callersAge })
}

// OldCallers are the addresses from which nodes of version 0.1.0 have asked for a
// session within the last hour, the newest last, at most 8.
func (m *Manager) OldCallers() (all []netip.Addr) {
	m.callers.mu.Lock()
	defer m.callers.mu.Unlock()
	m.callers.forget(time.Now())
	for _, o := range m.callers.all {
		all = append(all, o.addr)
	}
	return all
}
