package bench

import (
	"fmt"
	"math"
	"strings"

	"github.com/libertaria-project/l2tun/test/reach"
)

// A Trial is one meeting of two homes that had no session with each other.
type Trial struct {
	Pair     string  `json:"pair"`
	FirstMS  float64 `json:"first_ms"`  // to the first packet; 0: none came
	DirectMS float64 `json:"direct_ms"` // until both ends sent directly; 0: they did not
	Lost     int     `json:"lost"`
	Twice    int     `json:"twice"`
	Carrier  string  `json:"carrier"` // of the caller in the end
	Why      string  `json:"why"`     // it is not direct
	Failed   string  `json:"failed"`  // it could not be measured
}

// Trials are some, in no order.
type Trials []Trial

func trialOf(pair string, r reach.Result, err error) Trial {
	t := Trial{Pair: pair, FirstMS: msOf(r.First), DirectMS: msOf(r.Direct), Lost: r.Lost, Twice: r.Twice,
		Carrier: r.Caller.Carrier, Why: r.Caller.WhyNotDirect}
	if err != nil {
		t.Failed = err.Error()
	}
	return t
}

// is reports whether a trial ended as its pair's NATs permit.
func (t Trial) is(e reach.Expected) bool {
	return t.Failed == "" && t.FirstMS > 0 && (t.DirectMS > 0) == (e == reach.Direct)
}

// end says in a word how a trial ended.
func (t Trial) end() string {
	switch {
	case t.Failed != "":
		return "failed"
	case t.DirectMS > 0:
		return "direct"
	case t.FirstMS > 0 && t.Carrier != "":
		return t.Carrier
	}
	return "nothing"
}

// of are the trials of a pair.
func (ts Trials) of(pair string) (all Trials) {
	for _, t := range ts {
		if t.Pair == pair {
			all = append(all, t)
		}
	}
	return all
}

// ms are the figures of those that have one.
func (ts Trials) ms(of func(Trial) float64) (v []float64) {
	for _, t := range ts {
		if x := of(t); x > 0 {
			v = append(v, x)
		}
	}
	return v
}

// orNever are the figures of those that could be measured; without one: for ever.
func (ts Trials) orNever(of func(Trial) float64) (v []float64) {
	for _, t := range ts {
		switch x := of(t); {
		case x > 0:
			v = append(v, x)
		case t.Failed == "":
			v = append(v, math.Inf(1))
		}
	}
	return v
}

func first(t Trial) float64    { return t.FirstMS }
func toDirect(t Trial) float64 { return t.DirectMS }

// row are the columns of a table: trials, times, losses and ends.
func (ts Trials) row() string {
	lost, ends := 0, map[string]int{}
	for _, t := range ts {
		lost += t.Lost
		ends[t.end()]++
	}
	f, d := ts.ms(first), ts.ms(toDirect)
	return fmt.Sprintf("%d | %s | %s | %s | %s | %d | %s", len(ts), shownMS(spreadOf(f).median), shownMS(centile(f, 95)),
		shownMS(spreadOf(d).median), shownMS(centile(d, 95)), lost, counted(ends))
}

// rowHead is the head of a table of rows, each with a name.
func rowHead(name string) string {
	return "| " + name + " | trials | first, median | 95 % | direct, median | 95 % | lost | in the end |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
}

func counted(ends map[string]int) string {
	var all []string
	for _, word := range []string{"direct", "circuit", "datagram", "utcp", "nothing", "failed"} {
		if n := ends[word]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, word))
		}
	}
	return strings.Join(all, ", ")
}

func shownMS(ms float64) string {
	if ms == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f ms", ms)
}
