package msgchan

import "sync"

// A Shared is the channel of a session while anybody uses it or it holds something; else
// its numbers. Its methods are safe for concurrent use. The zero value has no numbers.
type Shared struct {
	mu      sync.Mutex
	channel *Channel // nil: numbers say all
	users   int
	numbers Numbers
	closed  error // what Close was given
}

// Open returns the channel, until Leave. One that is made is made of what config returns.
func (s *Shared) Open(config func() Config) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users++; s.channel == nil {
		s.channel = New(config(), s.numbers)
		if s.closed != nil {
			s.channel.Close(s.closed)
		}
	}
	return s.channel
}

// Leave ends what Open began.
func (s *Shared) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	if n, ok := s.channel.Fold(); ok {
		s.channel, s.numbers = nil, n
	}
}

// Folded reports whether there is no channel: nobody uses it, and it holds nothing.
func (s *Shared) Folded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channel == nil
}

// Waiting is Channel.Waiting.
func (s *Shared) Waiting() (messages, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channel == nil {
		return 0, 0
	}
	return s.channel.Waiting()
}

// Restart is Channel.Restart for a session without a loop.
func (s *Shared) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.numbers = (Numbers{}); s.channel != nil {
		s.channel.Restart()
	}
}

// Close is Channel.Close, also of one that is made later.
func (s *Shared) Close(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed = why; s.channel != nil {
		s.channel.Close(why)
	}
}
