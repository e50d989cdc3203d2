package node

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/routing"
)

// Things that are removed again and again are restored at once, then ever later,
// at most every keepMost; a calm minute makes it quick again. docs/node.md 7.11.
func TestRepairsBackOff(t *testing.T) {
	var k keeper
	now := time.Unix(1000, 0)
	if d := k.after(0, now); d != 0 {
		t.Fatalf("the first look waits %v", d)
	}
	for _, want := range []time.Duration{keepFirst, 2 * keepFirst, 4 * keepFirst, 8 * keepFirst, 16 * keepFirst, keepMost, keepMost} {
		if next := k.take([]string{"route 10.0.0.0/8"}, nil, false, now); next != keepEvery {
			t.Errorf("without a reason it looks again after %v", next)
		}
		if d := k.after(0, now); d != want {
			t.Errorf("waits %v, want %v", d, want)
		}
		now = now.Add(want)
	}
	now = now.Add(keepCalm + time.Second)
	if k.take(nil, nil, false, now); k.after(0, now) != 0 {
		t.Error("not quick again after a calm minute")
	}
	if next := k.take(nil, []string{"x"}, false, now); next != keepFirst || !k.lacks() {
		t.Errorf("what is missing is tried again after %v", next)
	}
	if k.kept.times != 7 || k.kept.things != 7 {
		t.Errorf("%+v", k.kept)
	}
}

func TestExceptTakesErrorsApart(t *testing.T) {
	other := errors.New("other")
	six := fmt.Errorf("add: %w (%w)", routing.ErrNoIPv6, other) // one sentence of two
	rest, taken := except(errors.Join(other, errors.Join(six, nil)), routing.ErrNoIPv6)
	if rest.Error() != "other" || taken.Error() != six.Error() {
		t.Errorf("%v, %v", rest, taken)
	}
	if rest, taken := except(nil, other); rest != nil || taken != nil {
		t.Error(rest, taken)
	}
	if rest, taken := except(errors.Join(six, six), routing.ErrNoIPv6); rest != nil || taken == nil {
		t.Error(rest, taken)
	}
}
