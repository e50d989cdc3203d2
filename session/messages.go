package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// MaxMessage is the largest application message in bytes.
const MaxMessage = msgchan.MaxMessage

// channel is what the session's message channel is made of.
func (s *Session) channel() msgchan.Config {
	return msgchan.Config{Limit: s.peer.Settings.MessageQueueBytes, Rand: s.m.c.Rand, Protect: s.protect}
}

// Send sends one message of at most 1 MiB and returns when it lies in the peer's
// Receive queue: exactly once and after every message sent before it, across
// rotation, change of path, degraded and suspended. While the queue is full it
// waits for room. It copies msg.
//
// Errors: ErrTooLong; ErrClosed; ErrPeerRestarted if the outcome cannot be known;
// the context's, joined with ErrQueueFull if the message found no room and with
// ErrOutcomeUnknown if some of it had left. Without either of these it was
// withdrawn and will not arrive.
func (s *Session) Send(ctx context.Context, msg []byte) error {
	c := s.chat.Open(s.channel)
	defer s.chat.Leave()
	o, err := c.Enqueue(ctx, msg)
	if err != nil {
		return err
	}
	s.wantStream()
	return c.Wait(ctx, o)
}

// Receive returns the next message, in the order in which the peer sent them. A
// program that does not call it stops the peer's messages once 16 MiB wait, and
// nothing else. The error is ErrClosed, once no message is left, or the context's.
func (s *Session) Receive(ctx context.Context) (msg []byte, err error) {
	err = s.Deliver(ctx, func(m []byte) error { msg = m; return nil })
	return msg, err
}

// Deliver passes the next message to f and takes it off the queue when f
// returns nil; otherwise it stays the next one, and Deliver returns f's error.
// One Deliver at a time sees a message.
func (s *Session) Deliver(ctx context.Context, f func(msg []byte) error) error {
	c := s.chat.Open(s.channel)
	defer s.chat.Leave()
	return c.Deliver(ctx, f)
}

// wantStream makes sure that the channel is being carried, or will be.
func (s *Session) wantStream() {
	s.box.Post(func(now time.Time) {
		s.loop.carryMessages()
		s.loop.demand(now)
	})
}

// tellNow runs f on the loop that runs, and waits; ErrNotEstablished where none does.
func (s *Session) tellNow(f func() error) error {
	answer := make(chan error, 1)
	if !s.box.Tell(func(now time.Time) {
		answerWith(s.loop, answer, func(time.Time) error { return f() }, now)
	}) {
		return ErrNotEstablished
	}
	return <-answer
}

// serveDocuments answers FETCH of the peer.
func (s *Session) serveDocuments(st link.Stream) {
	c := s.chat.Open(s.channel)
	defer s.chat.Leave()
	err := documents.Serve(s.m.ctx, st, &c.Keys, func(asked wire.News) (context.Context, documents.Answer) {
		return s.m.c.Networks.Asked(s.peer.DID.Digest(), asked)
	})
	if err != nil {
		s.m.log.Debug("documents were not given", "peer", s.peer.DID.Short(), "error", err)
	}
}

// serveMessages takes the peer's messages of one stream.
func (s *Session) serveMessages(st link.Stream, id uint64) {
	c := s.chat.Open(s.channel)
	defer s.chat.Leave()
	c.Serve(s.m.ctx, st, id)
}
