package bench

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A goal is a figure that has been promised.
type goal struct {
	what      string
	contender string
	metric    string
	ratio     bool // to wireguard-go, or to
	to        string
	limit     float64
	aim       float64 // 0: none beyond the limit
	less      bool    // at most; else at least
	strict    bool    // the limit itself does not do
	unit      string
}

// goals are the promises of this part of the project.
func goals() []goal {
	gs := []goal{}
	for _, way := range []struct{ id, name string }{{"tcp-up", "A to B"}, {"tcp-down", "B to A"}} {
		gs = append(gs,
			goal{what: "direct, one TCP stream, " + way.name, contender: direct, metric: way.id, ratio: true, limit: 1.5, aim: 2},
			goal{what: "– its CPU a gigabyte", contender: direct, metric: way.id + " cpu", ratio: true, limit: 0.6, aim: 0.45, less: true},
			goal{what: "μTCP, one TCP stream, " + way.name, contender: utcp, metric: way.id, ratio: true, limit: 1.8, aim: 2.3},
			goal{what: "datagram, one TCP stream, " + way.name, contender: datagram, metric: way.id, ratio: true, limit: 0.2, aim: 0.35})
	}
	gs = append(gs,
		goal{what: "direct, UDP of 64 bytes, packets a second", contender: direct, metric: "udp64", ratio: true, limit: 1, strict: true},
		goal{what: "– its CPU a packet", contender: direct, metric: "udp64 cpu", ratio: true, limit: 1, less: true},
		goal{what: "direct, idle ping, median", contender: direct, metric: "ping", ratio: true, limit: 1, less: true},
		goal{what: "direct, TCP with 1 % loss and 20 ms", contender: direct, metric: "loss", ratio: true, limit: 1},
		goal{what: "datagram or μTCP by goodput, the same, to direct", contender: indirect, metric: "loss", ratio: true, to: direct, limit: 0.5})
	gs = append(gs,
		goal{what: "direct, TCP with a rotation a second, of that without", contender: direct, metric: "rotating", limit: 95, unit: "%"},
		goal{what: "μTCP, the same", contender: utcp, metric: "rotating", limit: 95, unit: "%"},
		goal{what: "direct, TCP beside a peer that has vanished under load, of that before", contender: direct, metric: "lost-peer", limit: 95, unit: "%"})
	for _, c := range link.Names() {
		gs = append(gs, goal{what: c + ", memory under load", contender: c, metric: "rss", limit: 64, less: true, strict: true, unit: "MiB"})
	}
	return append(gs, goal{what: "wake-ups of an idle node, all carriers", contender: whole, metric: "idle", limit: 1, less: true, unit: "a second"})
}

// measured is the goal's figure; n is 0 where there is none.
func (g goal) measured(r *Result) spread {
	if g.ratio {
		return r.ratio(g.contender, cmp.Or(g.to, wireguard), g.metric)
	}
	return r.figure(g.contender, g.metric)
}

// verdict says what a figure means for the goal.
func (g goal) verdict(s spread) string {
	switch {
	case s.n == 0:
		return "not measured"
	case g.aim != 0 && g.reaches(s.median, g.aim):
		return "met, also the aim"
	case g.holds(s):
		return "met"
	}
	return "**not met**"
}

// judged is an error that names each goal that is not met. What was not measured is
// not judged: a run may be of some rows only.
func (r *Result) judged() error {
	var missed []string
	for _, g := range goals() {
		if s := g.measured(r); s.n > 0 && !g.holds(s) {
			missed = append(missed, fmt.Sprintf("%s: %s, not %s", g.what, g.show(s.median), g.bound(g.limit)))
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("bench: not met: %s", strings.Join(missed, "; "))
}

// holds says whether a figure is within the limit.
func (g goal) holds(s spread) bool {
	return g.reaches(s.median, g.limit) && !(g.strict && s.median == g.limit)
}

func (g goal) reaches(v, bound float64) bool {
	if g.less {
		return v <= bound
	}
	return v >= bound
}

// bound is a limit in words.
func (g goal) bound(v float64) string {
	words := map[[2]bool]string{{false, false}: "≥", {false, true}: ">", {true, false}: "≤", {true, true}: "<"}
	return words[[2]bool{g.less, g.strict}] + " " + g.show(v)
}

func (g goal) show(v float64) string {
	if g.ratio {
		return fmt.Sprintf("%.2f×", v)
	}
	return fmt.Sprintf("%.3g %s", v, g.unit)
}
