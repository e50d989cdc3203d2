package msgchan

import (
	"crypto/rand"
	"errors"
	"testing"
)

func config() Config {
	return Config{Rand: rand.Reader, Protect: func(_ string, f func()) bool { f(); return true }}
}

// The channel is kept while anybody uses it, and then while a message waits.
func TestSharedChannelIsKeptWhileItIsUsed(t *testing.T) {
	var s Shared
	c := s.Open(config)
	if s.Open(config) != c {
		t.Error("a second user has another channel")
	}
	s.Leave()
	if s.Folded() {
		t.Error("folded beside a user")
	}
	if _, err := c.Enqueue(t.Context(), []byte("one")); err != nil {
		t.Fatal(err)
	}
	s.Leave()
	if n, bytes := s.Waiting(); s.Folded() || n != 1 || bytes == 0 {
		t.Errorf("folded with %d messages of %d bytes", n, bytes)
	}
	if s.Open(config) != c {
		t.Error("another channel than the one that holds the message")
	}
	c.begin(1, 1<<20)
	c.acknowledge(1)
	s.Leave()
	if n, bytes := s.Waiting(); !s.Folded() || n != 0 || bytes != 0 {
		t.Errorf("kept with %d messages of %d bytes", n, bytes)
	}
	if s.Open(config) == c {
		t.Error("a folded channel is used again")
	}
	if o, err := s.channel.Enqueue(t.Context(), []byte("two")); err != nil || o.number != 2 {
		t.Errorf("the next message: %+v, %v", o, err)
	}
}

// A restart of this end takes the numbers of a channel that is folded.
func TestRestartTakesTheNumbersOfAFoldedChannel(t *testing.T) {
	s := Shared{numbers: Numbers{Sent: 7, Received: 9}}
	s.Restart()
	if o, err := s.Open(config).Enqueue(t.Context(), nil); err != nil || o.number != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

// What is made after the end is closed.
func TestClosedIsAlsoAChannelOfLater(t *testing.T) {
	why := errors.New("closed")
	var before, after Shared
	c := before.Open(config)
	before.Close(why)
	after.Close(why)
	for _, c := range []*Channel{c, before.Open(config), after.Open(config)} {
		if _, err := c.Enqueue(t.Context(), nil); !errors.Is(err, why) {
			t.Error(err)
		}
	}
}
