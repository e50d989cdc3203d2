package session

import (
	"sync"

	"github.com/libertaria-project/l2tun/internal/net/msgchan"
)

// A chat is the message channel of a session while anybody uses it or it holds
// something; else its numbers. Its methods are safe for concurrent use.
type chat struct {
	mu      sync.Mutex
	channel *msgchan.Channel // nil: numbers say all
	users   int
	numbers msgchan.Numbers
	closed  bool
}

// open returns the channel, until leave.
func (c *chat) open(s *Session) *msgchan.Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users++; c.channel == nil {
		c.channel = msgchan.New(msgchan.Config{Limit: s.peer.Settings.MessageQueueBytes, Rand: s.m.c.Rand, Protect: s.protect}, c.numbers)
		if c.closed {
			c.channel.Close(ErrClosed)
		}
	}
	return c.channel
}

// leave ends what open began.
func (c *chat) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users--; c.users > 0 {
		return
	}
	if n, ok := c.channel.Fold(); ok {
		c.channel, c.numbers = nil, n
	}
}

// waiting is Channel.Waiting.
func (c *chat) waiting() (messages, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channel == nil {
		return 0, 0
	}
	return c.channel.Waiting()
}

// restart is Channel.Restart for a session without a loop.
func (c *chat) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.numbers = (msgchan.Numbers{}); c.channel != nil {
		c.channel.Restart()
	}
}

// close is Channel.Close, also of one that is made later.
func (c *chat) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed = true; c.channel != nil {
		c.channel.Close(ErrClosed)
	}
}
