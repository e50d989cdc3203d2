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
	Trials   int           // of each pair whose times are measured, of each thing that happens to a flow, and of each wake
	Sprays   int           // of each pair with the spray
	Lanes    int           // networks side by side; TCP through a hub and many homes have the machine for themselves
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
	partMatrix  = "matrix"  // who meets whom
	partTimes   = "times"   // how fast
	partFlows   = "flows"   // what happens to a flow
	partSpray   = "spray"   // what the spray adds
	partSleep   = "sleep"   // how sleepers are woken
	partThrough = "through" // TCP through a hub
	partHomes   = "homes"   // many homes at one hub
)

// PartNames are the parts, in the order of the report.
func PartNames() []string {
	return []string{partMatrix, partTimes, partFlows, partSpray, partSleep, partThrough, partHomes}
}

// Check refuses what cannot be measured, in a sentence.
func (o *ReachOptions) Check() error {
	if len(o.Parts) == 0 {
		o.Parts = PartNames()
	}
	for _, p := range o.Parts {
		if !slices.Contains(PartNames(), p) {
			return fmt.Errorf("bench: there is no part %q; choose of %s", p, strings.Join(PartNames(), ", "))
		}
	}
	if o.has(partThrough) && (o.Rounds < 1 || o.Time < time.Second || o.Time%time.Second != 0) {
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
	if o.Trials < 1 || o.Sprays < 1 || o.Lanes < 1 {
		return errors.New("bench: at least one trial, one spray and one lane are needed")
	}
	return nil
}

func (o *ReachOptions) has(part string) bool { return slices.Contains(o.Parts, part) }

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

// couples are the cells of a matrix: every kind with every other, in both orders.
func couples(kinds []string, v6 bool) (all []couple) {
	for _, a := range kinds {
		for _, b := range kinds {
			ka, _ := kindOf(a)
			kb, _ := kindOf(b)
			all = append(all, couple{ka, kb, v6})
		}
	}
	return all
}

// couples are the cells of both matrices.
func (o *ReachOptions) couples() []couple {
	return slices.Concat(couples(o.Kinds, false), couples(o.Kinds, true))
}

// A ReachResult is what a run has measured.
type ReachResult struct {
	Machine Machine            `json:"machine"`
	DelayMS float64            `json:"delay_ms"`
	Lanes   int                `json:"lanes"`
	Took    float64            `json:"took_s"` // the run
	Matrix  Trials             `json:"matrix"`
	Times   Trials             `json:"times"`
	Flows   Stirs              `json:"flows"`
	Sprayed Sprays             `json:"sprayed"`
	Woken   Wakes              `json:"woken"`
	Through []Through          `json:"through"`
	Seconds float64            `json:"through_seconds"` // of one stream through a hub
	Nebula  string             `json:"nebula"`          // version
	Homes   map[string]float64 `json:"homes"`           // by the units of the benchmark; nil: not measured
	Missing []string           `json:"missing"`         // sentences: what could not be measured
}

func msOf(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
