package sleep

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func did(b byte) DID { return DID{b} }

func homesOf(hubs ...byte) *Homes {
	x := new(Homes)
	var list []DID
	for _, b := range hubs {
		list = append(list, did(b))
	}
	x.Hubs(at(0), list)
	return x
}

func shown(actions []HomeAction) string {
	var words []string
	for _, a := range actions {
		words = append(words, fmt.Sprintf("%d %v", a.Hub[0], a.Lifetime))
	}
	return strings.Join(words, ", ")
}

func same(t *testing.T, what string, actions []HomeAction, want string) {
	t.Helper()
	if got := shown(actions); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestHomesAreTheFirstTwoThatCan(t *testing.T) {
	x := homesOf(1, 2, 3)
	same(t, "3 is up", x.Up(at(0), did(3), true), "3 30m0s")
	same(t, "agreed", x.Answered(at(0.1), did(3), 20*time.Minute), "")
	same(t, "2 is up", x.Up(at(1), did(2), true), "2 30m0s")
	same(t, "agreed", x.Answered(at(1.1), did(2), 20*time.Minute), "")
	same(t, "1 is up", x.Up(at(2), did(1), true), "1 30m0s")
	same(t, "agreed: 3 is one too many", x.Answered(at(2.1), did(1), 20*time.Minute), "3 0s")
	if got := x.At(at(3)); len(got) != 2 || got[0] != did(1) || got[1] != did(2) {
		t.Errorf("at home at %v", got)
	}
	same(t, "half of the lifetime", x.Tick(at(601.1)), "2 30m0s")
	same(t, "1 has gone", x.Up(at(602), did(1), false), "3 30m0s")
}

func TestAHubWithoutAnAnswerIsPaused(t *testing.T) {
	x := homesOf(1, 2, 3)
	for _, b := range []byte{1, 2, 3} {
		x.Up(at(0), did(b), true)
	}
	x.Answered(at(0.1), did(2), time.Hour)
	same(t, "2", x.Tick(at(2)), "1 30m0s")
	same(t, "3", x.Tick(at(4)), "1 30m0s")
	same(t, "given up for now", x.Tick(at(6)), "")
	same(t, "the next is asked", x.Tick(at(6.1)), "3 30m0s")
	if d := x.Deadline(at(6.1)); d.IsZero() {
		t.Error("nothing is due")
	}
	same(t, "refused", x.Answered(at(6.2), did(3), 0), "")
	same(t, "after the pause", x.Tick(at(66.3)), "1 30m0s")
}

// After an outage a hub is asked at once, whatever was asked in it, and the home there
// lasts meanwhile.
func TestAHubIsAskedAnewAfterAnOutage(t *testing.T) {
	x := homesOf(1)
	x.Up(at(0), did(1), true)
	x.Tick(at(2))
	x.Tick(at(4))
	same(t, "given up for now", x.Tick(at(6)), "")
	same(t, "after the outage", x.Back(at(7), did(1)), "1 30m0s")
	same(t, "lost again", x.Tick(at(9)), "1 30m0s")
	x.Answered(at(9.1), did(1), time.Hour)
	same(t, "after another one", x.Back(at(20), did(1)), "1 30m0s")
	if got := x.At(at(20)); len(got) != 1 {
		t.Errorf("at home at %v", got)
	}
	same(t, "a hub that is not up", x.Back(at(21), did(2)), "")
}

func TestAHubThatIsTakenOffTheListIsLeft(t *testing.T) {
	x := homesOf(1)
	x.Up(at(0), did(1), true)
	x.Answered(at(0.1), did(1), time.Hour)
	same(t, "another list", x.Hubs(at(1), []DID{did(2)}), "1 0s")
}

// Everybody computes the same homes, and they are spread over the hubs.
func TestOrderIsSpread(t *testing.T) {
	var hubs []DID
	for b := range byte(10) {
		hubs = append(hubs, did(100+b))
	}
	count := map[DID]int{}
	for i := range 10_000 {
		node := DID{byte(i), byte(i >> 8), 1}
		order := Order(node, hubs)
		count[order[0]]++
		if again := Order(node, hubs[3:]); i < 100 && len(again) != 7 {
			t.Fatal("hubs are missing")
		}
		if Rank(node, order[0]) < Rank(node, order[1]) || len(order) != len(hubs) {
			t.Fatal("the second ranks before the first")
		}
	}
	for hub, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("hub %d is the first home of %d of 10000 nodes", hub[0], n)
		}
	}
}
