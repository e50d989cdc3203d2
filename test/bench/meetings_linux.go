package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/reach"
)

// The kinds whose 16 pairs are counted: in 13 one end at least can be told to the other.
func counting() []string {
	return []string{nat.None.String(), nat.Cone.String(), nat.Home.String(), nat.Symmetric.String()}
}

const (
	directPairs  = 13 // of the 16
	sprayedPairs = 15 // with the spray
)

// matrixCells are both matrices, a row a cell: the homes of a row share a network. Rows
// that have to be watched for long come first.
func matrixCells(r *reachRun) (all []cell) {
	for _, v6 := range []bool{true, false} {
		rows := make(map[nat.Kind][]couple)
		for _, c := range couples(r.o.Kinds, v6) {
			rows[c.caller] = append(rows[c.caller], c)
		}
		for caller, row := range rows {
			all = append(all, cell{on: terrain{v6: v6}, long: slices.Contains([]nat.Kind{nat.NoUDP, nat.Symmetric, nat.DoubleSymmetric}, caller), do: func(ctx context.Context, g *ground) {
				for _, c := range row {
					meeting(ctx, r, g, c, &r.res.Matrix)
				}
			}})
		}
	}
	return all
}

// timesCells are the meetings whose times are measured.
func timesCells(r *reachRun) (all []cell) {
	for _, p := range r.o.Pairs {
		c, _ := parsePair(p)
		for range r.o.Trials {
			all = append(all, cell{on: terrain{v6: c.v6}, do: func(ctx context.Context, g *ground) { meeting(ctx, r, g, c, &r.res.Times) }})
		}
	}
	return all
}

// meeting lets a couple meet and notes what comes of it.
func meeting(ctx context.Context, r *reachRun, g *ground, c couple, to *Trials) {
	res, err := g.meet(ctx, c, c.expected())
	if ctx.Err() != nil {
		return
	}
	t := trialOf(c.String(), res, err)
	r.note(func() { *to = append(*to, t) }, err, "%-32s %v %s %s", c, res, t.Carrier, t.Why)
}

// timesTable is the section on how fast pairs meet.
func (ts Trials) timesTable(b *strings.Builder, pairs []string) {
	if len(ts) == 0 {
		return
	}
	b.WriteString("\n![seconds to the first packet and to direct](reach.svg)\n\n## How fast two homes meet\n\n" + rowHead("caller : callee"))
	for _, p := range pairs {
		if all := ts.of(p); len(all) > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", p, all.row())
		}
	}
}

// matrix is a table of who ends how; a cell that is not what the NATs permit is bold.
func (ts Trials) matrix(b *strings.Builder, kinds []string, expected func(couple) reach.Expected, v6 bool) {
	cells := map[string]string{}
	for _, c := range couples(kinds, v6) {
		if all := ts.of(c.String()); len(all) > 0 {
			t := all[len(all)-1]
			text := t.end()
			if t.DirectMS > 0 {
				text = shownMS(t.DirectMS)
			}
			if !t.is(expected(c)) {
				text = "**" + text + "**"
			}
			cells[c.String()] = text
		}
	}
	if len(cells) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| | %s |\n| --- |%s\n", strings.Join(kinds, " | "), strings.Repeat(" --- |", len(kinds)))
	for _, a := range kinds {
		fmt.Fprintf(b, "| %s |", a)
		for _, z := range kinds {
			pair := a + ":" + z
			if v6 {
				pair += ":6"
			}
			fmt.Fprintf(b, " %s |", cells[pair])
		}
		b.WriteString("\n")
	}
}

// matrices are the sections on who meets whom.
func (ts Trials) matrices(b *strings.Builder, kinds []string) {
	for _, v6 := range []bool{false, true} {
		if !slices.ContainsFunc(ts, func(t Trial) bool { return strings.HasSuffix(t.Pair, ":6") == v6 }) {
			continue
		}
		fmt.Fprintf(b, "\n## Who meets whom over %s\n\nThe row is the caller. A time is that until direct; bold is what the NATs would have permitted otherwise.\n",
			map[bool]string{false: "IPv4", true: "IPv4 and IPv6"}[v6])
		ts.matrix(b, kinds, couple.expected, v6)
	}
}

// directOf counts which of the 16 pairs are direct, and how many have been tried.
func (ts Trials) directOf() (direct, tried int) {
	for _, c := range couples(counting(), false) {
		if all := ts.of(c.String()); len(all) > 0 {
			if tried++; all[len(all)-1].DirectMS > 0 {
				direct++
			}
		}
	}
	return direct, tried
}

// sixteen is the promise about those pairs.
func (ts Trials) sixteen(what string, goal int) promise {
	direct, tried := ts.directOf()
	return promise{what: what, goal: fmt.Sprintf("%d of 16", goal), limit: float64(goal), aim: float64(goal), is: float64(direct),
		measured: tried == 16, unit: fmt.Sprintf("of %d", tried), least: true}
}

// matrixPromises are those about who meets whom.
func (ts Trials) matrixPromises(o ReachOptions) []promise {
	wrong, silent, cells := 0, 0, 0
	for _, c := range o.couples() {
		for _, t := range ts.of(c.String()) {
			cells++
			if t.FirstMS == 0 {
				silent++
			}
			if !t.is(c.expected()) {
				wrong++
			}
		}
	}
	return []promise{
		noneOf("cells of the matrix without a packet", silent, cells),
		noneOf("cells that end otherwise than their NATs permit", wrong, cells),
		ts.sixteen("none, cone, home, symmetric, each with each over IPv4: direct", directPairs),
	}
}

// timesPromises are those about how fast.
func (ts Trials) timesPromises() []promise {
	home := ts.of("home:home")
	f, d := home.orNever(first), home.orNever(toDirect)
	careless, trials := 0, 0
	for _, p := range []string{"careless:careless", "careless:home", "home:careless"} {
		for _, t := range ts.of(p) {
			if trials++; !t.is(reach.Direct) {
				careless++
			}
		}
	}
	return []promise{
		within("two homes, cold, first packet, median", 1000, 500, spreadOf(f).median, len(f)),
		within("two homes, cold, direct, median", 1500, 600, spreadOf(d).median, len(d)),
		within("two homes, cold, direct, 95 of 100", 2500, 1000, centile(d, 95), len(d)),
		noneOf("meetings of careless NATs, in every order, that are not direct", careless, trials),
	}
}

// chart has a group for each pair, in seconds: the line at 1 is the promise of the first
// packet.
func (ts Trials) chart(pairs []string) chart {
	c := chart{Title: "Two nodes with a common hub, cold; medians, lower is better", Y: "seconds"}
	one := bars{Name: "first packet", RGB: [3]uint8{0x1b, 0x6c, 0xa8}}
	two := bars{Name: "direct", RGB: [3]uint8{0xe0, 0x8a, 0x1e}}
	for _, p := range pairs {
		if all := ts.of(p); len(all) > 0 {
			c.Groups = append(c.Groups, strings.Replace(p, ":", "\n", 1))
			one.Values = append(one.Values, spreadOf(all.ms(first)).median/1000)
			two.Values = append(two.Values, spreadOf(all.ms(toDirect)).median/1000)
		}
	}
	c.Series = []bars{one, two}
	return c
}
