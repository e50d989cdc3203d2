package nat

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// manyAtOnce bounds the trials that run side by side.
const manyAtOnce = 64

// TestWhoMeets lets every kind meet every kind over IPv4, each speaking first,
// without openers and with them.
func TestWhoMeets(t *testing.T) {
	t.Parallel()
	kinds := Kinds()
	n := Use(t, TwoHomes(None, None))
	left, right := sites(t, n, kinds), sites(t, n, kinds)
	var trials []trial
	for _, a := range kinds {
		for _, b := range kinds {
			trials = append(trials, trial{a: left[a], b: right[b]}, trial{a: left[a], b: right[b], openers: true})
		}
	}
	t.Logf("IPv4, the row speaks first:\n%s", table(kinds, kinds, met(t, n, trials)))
}

// TestWhoMeetsOverIPv6: firewalls of both ends open, whoever speaks first.
func TestWhoMeetsOverIPv6(t *testing.T) {
	t.Parallel()
	kinds := []Kind{None, Firewall, Careless, DoubleSymmetric, NoUDP}
	n := Use(t, TwoHomes(None, None))
	left, right := sites(t, n, kinds), sites(t, n, kinds)
	var trials []trial
	for _, a := range kinds {
		for _, b := range kinds {
			trials = append(trials, trial{a: left[a], b: right[b], v6: true}, trial{a: left[a], b: right[b], v6: true, openers: true})
		}
	}
	t.Logf("IPv6, the row speaks first:\n%s", table(kinds, kinds, met(t, n, trials)))
}

// sites makes one of each kind.
func sites(t *testing.T, n *Net, kinds []Kind) map[Kind]*Site {
	t.Helper()
	all := make(map[Kind]*Site)
	for _, k := range kinds {
		all[k] = site(t, n, k)
	}
	return all
}

// met runs trials side by side and checks each against what is expected.
func met(t *testing.T, n *Net, trials []trial) map[trial]bool {
	t.Helper()
	results := make([]bool, len(trials))
	slots := make(chan struct{}, manyAtOnce)
	var wg sync.WaitGroup
	for i, tr := range trials {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			w, err := n.Hub.Witness(tr.v6)
			if err == nil {
				defer w.Close()
				results[i], err = tr.run(w)
			}
			if err != nil {
				t.Errorf("%v: %v", tr, err)
			} else if results[i] != tr.expected() {
				t.Errorf("%v: met: %v", tr, results[i])
			}
		})
	}
	wg.Wait()
	all := make(map[trial]bool)
	for i, tr := range trials {
		all[tr] = results[i]
	}
	return all
}

func (tr trial) String() string {
	words := []string{fmt.Sprintf("%v speaks to %v", tr.a.Kind, tr.b.Kind)}
	for word, on := range map[string]bool{"over IPv6": tr.v6, "with openers": tr.openers, "both at once": tr.together} {
		if on {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// table draws who met: "ok" without openers and with them, "opener" with them
// alone, "-" never.
func table(rows, columns []Kind, met map[trial]bool) string {
	type cell struct {
		a, b    Kind
		openers bool
	}
	cells := make(map[cell]bool)
	for tr, ok := range met {
		cells[cell{tr.a.Kind, tr.b.Kind, tr.openers}] = ok
	}
	var out strings.Builder
	line := func(name string, words func(Kind) string) {
		fmt.Fprintf(&out, "%-17s", name)
		for _, k := range columns {
			fmt.Fprintf(&out, "%-*s", len(k.String())+2, words(k))
		}
		out.WriteByte('\n')
	}
	line("", Kind.String)
	for _, a := range rows {
		line(a.String(), func(b Kind) string {
			switch without, with := cells[cell{a, b, false}], cells[cell{a, b, true}]; {
			case without && with:
				return "ok"
			case with:
				return "opener"
			case without:
				return "worse" // openers would do harm
			}
			return "-"
		})
	}
	return out.String()
}

// TestDelayHidesThePoison: where packets take longer than the ends differ in
// time, both NATs are open before the first packet comes, whatever they are.
func TestDelayHidesThePoison(t *testing.T) {
	t.Parallel()
	n := Use(t, Shape{A: Careless, B: Careless, Delay: 75 * time.Millisecond})
	for _, c := range []struct {
		trial
		want bool
	}{
		{trial{a: n.A, b: n.B, together: true}, true},
		{trial{a: n.A, b: n.B}, false},
		{trial{a: n.A, b: n.B, openers: true}, true},
	} {
		w := witness(t, n, false)
		if got, err := c.run(w); err != nil || got != c.want {
			t.Errorf("%v: met: %v, %v", c.trial, got, err)
		}
	}
}
