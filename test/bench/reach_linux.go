package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// ReachOptions say what a run of the bench of reach measures: how two homes behind NATs
// meet through a hub. Check fills in and refuses.
type ReachOptions struct {
	Trials   int           // of each pair whose times are measured
	Stirs    int           // of each thing that happens to a flow
	Rounds   int           // of TCP through a hub; each visits all contenders
	Time     time.Duration // of one such stream; whole seconds
	Parts    []string      // of partNames; empty: all
	Kinds    []string      // of the matrix; empty: all
	Pairs    []string      // caller:callee, or caller:callee:6 with IPv6; empty: the usual ones
	Delay    time.Duration // each way between a home and the hub
	Programs string        // folder with the programs l2tun and plot
	Commit   string        // what is measured
	Out      string        // folder for reach.md and reach.svg
	JSON     string        // file for the raw figures; empty: none
}

// usualPairs are those whose times are promised, and for comparison one that no NAT
// hinders and two that stay with the hub.
func usualPairs() []string {
	return []string{"home:home", "careless:careless", "careless:home", "home:careless", "none:home", "home:home:6", "symmetric:home", "no-udp:home"}
}

// Parts of a run.
const (
	partMeetings = "meetings" // who meets whom, how fast, and what happens to a flow
	partThrough  = "through"  // TCP through a hub
	partHomes    = "homes"    // many homes at one hub
)

func partNames() []string { return []string{partMeetings, partThrough, partHomes} }

// Check refuses what cannot be measured, in a sentence.
func (o *ReachOptions) Check() error {
	if len(o.Parts) == 0 {
		o.Parts = partNames()
	}
	for _, p := range o.Parts {
		if !slices.Contains(partNames(), p) {
			return fmt.Errorf("bench: there is no part %q; choose of %s", p, strings.Join(partNames(), ", "))
		}
	}
	if slices.Contains(o.Parts, partThrough) && (o.Rounds < 1 || o.Time < time.Second || o.Time%time.Second != 0) {
		return errors.New("bench: TCP through a hub takes at least one round of whole seconds")
	}
	if len(o.Kinds) == 0 {
		for _, k := range nat.Kinds() {
			o.Kinds = append(o.Kinds, k.String())
		}
	}
	if len(o.Pairs) == 0 {
		o.Pairs = usualPairs()
	}
	for _, k := range o.Kinds {
		if _, err := kindOf(k); err != nil {
			return err
		}
	}
	for _, p := range o.Pairs {
		if _, err := parsePair(p); err != nil {
			return err
		}
	}
	if o.Trials < 1 {
		return errors.New("bench: at least one trial is needed")
	}
	return nil
}

func kindOf(name string) (nat.Kind, error) {
	kinds := nat.Kinds()
	i := slices.IndexFunc(kinds, func(k nat.Kind) bool { return k.String() == name })
	if i < 0 {
		return 0, fmt.Errorf("bench: there is no kind of NAT %q", name)
	}
	return kinds[i], nil
}

// A couple is who meets whom.
type couple struct {
	caller, callee nat.Kind
	v6             bool
}

func (c couple) String() string {
	text := c.caller.String() + ":" + c.callee.String()
	if c.v6 {
		text += ":6"
	}
	return text
}

// expected says what their NATs permit.
func (c couple) expected() reach.Expected { return reach.Expect(c.caller, c.callee, c.v6) }

func parsePair(text string) (c couple, err error) {
	parts := strings.Split(text, ":")
	if len(parts) == 3 && parts[2] == "6" {
		c.v6, parts = true, parts[:2]
	}
	if len(parts) != 2 {
		return c, fmt.Errorf("bench: %q is no pair: CALLER:CALLEE, with :6 behind for IPv6", text)
	}
	var err2 error
	c.caller, err = kindOf(parts[0])
	c.callee, err2 = kindOf(parts[1])
	return c, errors.Join(err, err2)
}

// couples are the cells of the matrix: every kind with every other, in both orders over
// IPv4, and the kinds that IPv6 knows over both families.
func (o *ReachOptions) couples() (all []couple) {
	six := []nat.Kind{nat.None, nat.Firewall, nat.Home, nat.Symmetric, nat.NoUDP}
	for _, v6 := range []bool{false, true} {
		for _, a := range o.Kinds {
			for _, b := range o.Kinds {
				ka, _ := kindOf(a)
				kb, _ := kindOf(b)
				if !v6 || slices.Contains(six, ka) && slices.Contains(six, kb) {
					all = append(all, couple{ka, kb, v6})
				}
			}
		}
	}
	return all
}

// A Trial is one meeting of two homes that had no session with each other.
type Trial struct {
	Pair     string  `json:"pair"`
	Matrix   bool    `json:"matrix"`    // of the matrix; else one of several of the pair
	FirstMS  float64 `json:"first_ms"`  // to the first packet; 0: none came
	DirectMS float64 `json:"direct_ms"` // until both ends sent directly; 0: they did not
	Lost     int     `json:"lost"`
	Twice    int     `json:"twice"`
	Carrier  string  `json:"carrier"` // of the caller in the end
	Why      string  `json:"why"`     // it is not direct
	Failed   string  `json:"failed"`  // it could not be measured
}

// A Stir is a flow between two homes, in the middle of which something happened.
type Stir struct {
	What  string  `json:"what"`
	GapMS float64 `json:"gap_ms"`
	Lost  int     `json:"lost"`
	Twice int     `json:"twice"`
}

// A ReachResult is what a run has measured.
type ReachResult struct {
	Machine Machine            `json:"machine"`
	DelayMS float64            `json:"delay_ms"`
	Trials  []Trial            `json:"trials"`
	Stirs   []Stir             `json:"stirs"`
	Through []Through          `json:"through"`
	Seconds float64            `json:"through_seconds"` // of one stream through a hub
	Nebula  string             `json:"nebula"`          // version
	Homes   map[string]float64 `json:"homes"`           // by the units of the benchmark; nil: not measured
	Missing []string           `json:"missing"`         // sentences: what could not be measured
}

func trialOf(c couple, matrix bool, r reach.Result, err error) Trial {
	t := Trial{Pair: c.String(), Matrix: matrix, FirstMS: msOf(r.First), DirectMS: msOf(r.Direct), Lost: r.Lost, Twice: r.Twice,
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

// of are the trials of a pair.
func (r *ReachResult) of(pair string, matrix bool) (all []Trial) {
	for _, t := range r.Trials {
		if t.Pair == pair && t.Matrix == matrix {
			all = append(all, t)
		}
	}
	return all
}

// times are the figures of a pair's trials that have one.
func (r *ReachResult) times(pair string, of func(Trial) float64) (v []float64) {
	for _, t := range r.of(pair, false) {
		if x := of(t); x > 0 {
			v = append(v, x)
		}
	}
	return v
}

func first(t Trial) float64    { return t.FirstMS }
func toDirect(t Trial) float64 { return t.DirectMS }

func msOf(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
