package session

import (
	"context"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// acceptPause is the wait after a failed Accept.
const acceptPause = time.Second

// accept serves every connection that comes in, until Close.
func (m *Manager) accept() {
	for {
		conn, err := m.c.Network.Accept(m.ctx)
		if m.ctx.Err() != nil {
			if err == nil {
				conn.Close("closing")
			}
			return
		}
		if err != nil { // out of descriptors, say: strangers cause that, and it passes
			m.log.Error("no connection accepted", "error", err)
			select {
			case <-m.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		m.wg.Go(func() { m.greet(conn) })
	}
}

// greet takes a connection until it ends.
func (m *Manager) greet(conn link.Conn) {
	s, err := (*Session)(nil), errFault
	m.protect("handshake of a stranger", func() { s, err = m.first(conn) })
	if err != nil {
		m.log.Debug("connection refused", "remote", conn.Remote(), "error", err)
		conn.Close("no session")
		return
	}
	m.serve(conn, s)
}

// first answers the handshake that a new connection must begin with.
func (m *Manager) first(conn link.Conn) (*Session, error) {
	s, err := m.responder.First(m.ctx, conn)
	if err != nil {
		return nil, err
	}
	return s.(answering).s, nil
}

// serve takes the streams of a connection that carries s: later handshakes, one
// at a time, and the message channel. It ends with the connection.
func (m *Manager) serve(conn link.Conn, s *Session) {
	for {
		st, err := conn.AcceptStream(m.ctx)
		if err != nil {
			return
		}
		err = errFault
		s.protect("stream", func() { err = m.serveStream(conn, st, s) })
		if err != nil {
			m.log.Debug("stream ended", "remote", conn.Remote(), "error", err)
		}
	}
}

func (m *Manager) serveStream(conn link.Conn, st link.Stream, s *Session) error {
	ctx, cancel := context.WithTimeout(m.ctx, connect.HelloTime)
	defer cancel()
	st.SetDeadline(time.Now().Add(connect.HelloTime))
	var head [wire.HandshakeHeaderSize]byte
	if _, err := io.ReadFull(st, head[:]); err != nil {
		st.Close()
		return err
	}
	if id, ok := wire.ParseMessagePreface(head[:]); ok {
		st.SetDeadline(time.Time{})
		m.wg.Go(func() { s.protect("messages in", func() { s.serveMessages(st, id) }) })
		return nil
	}
	if m.c.Networks != nil && wire.IsDocumentsPreface(head[:]) {
		m.wg.Go(func() { s.protect("documents out", func() { s.serveDocuments(st) }) })
		return nil
	}
	if !wire.BeginsHandshake(head[:]) {
		st.Close() // nothing else has a stream: refused before it waits its turn
		return errNoPurpose
	}
	return m.responder.Later(ctx, conn, st, head[:], answering{s})
}
