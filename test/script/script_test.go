package script

import (
	"strings"
	"testing"
	"time"
)

// counter is a world whose lines are times to pass, and which counts them.
type counter struct {
	l     *Log
	now   time.Time
	count int
}

func (c *counter) Now() time.Time { return c.now }
func (c *counter) End()           {}
func (c *counter) String() string { return "" }

func (c *counter) Command(line string) {
	d, err := time.ParseDuration(line)
	if err != nil {
		c.l.Say("refused " + line)
		return
	}
	c.count++
	c.now = c.now.Add(d)
	c.l.Say(strings.Repeat("|", c.count) + " " + c.l.Since(c.now).String())
}

func TestPerform(t *testing.T) {
	const text = `What it shows.

Given
  5s

When
  # a remark
  2s
Then
  anything

When
  3s
  x
Then

When
Then
`
	const want = `What it shows.

Given
  5s
When
  # a remark
  2s
Then
  || 2s

When
  3s
  x
Then
  ||| 5s
  refused x

When
Then
  nothing
`
	l := new(Log)
	got := perform(text, &counter{l: l, now: time.Unix(1e9, 0)}, l)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again := perform(got, &counter{l: new(Log)}, new(Log)); again == got {
		t.Error("another log prints the same")
	}
}
