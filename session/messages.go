package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
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

// serveMessages takes the peer's messages of one stream.
func (s *Session) serveMessages(st link.Stream, id uint64) {
	c := s.chat.Open(s.channel)
	defer s.chat.Leave()
	c.Serve(s.m.ctx, st, id)
}
