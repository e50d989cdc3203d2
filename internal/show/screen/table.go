package screen

import (
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

// A column of the table of peers. Of those that find no room the one with the
// highest drop goes first; 0 never goes.
type column struct {
	head string
	drop int
	text func(p *control.Peer) string
	max  int // columns; 0: as wide as its texts
}

func columns() []column {
	return []column{
		{"PEER", 0, health.Called, 24},
		{"ADDRESS", 0, Address, 0},
		{"STATE", 0, Word, 0},
		{"TRANSPORT", 1, Way, 0},
		{"RTT", 2, func(p *control.Peer) string { return RTT(p.RTTMS) }, 0},
		{"IN", 3, func(p *control.Peer) string { return rate(p, p.RxRate) }, 0},
		{"OUT", 3, func(p *control.Peer) string { return rate(p, p.TxRate) }, 0},
		{"ENDPOINT", 4, Endpoint, 0},
	}
}

// rate is empty for a peer that has never sent or received.
func rate(p *control.Peer, bytes float64) string {
	if p.RxBytes+p.TxBytes == 0 {
		return ""
	}
	return Rate(bytes)
}

const gap = 2 // spaces between columns

// peers is a table with a line for each peer, then queued and dropped packets.
func peers(all []control.Peer, width int, p Paint) (lines []string) {
	if len(all) == 0 {
		return nil
	}
	cols := fit(columns(), all, width)
	head := make([]string, len(cols))
	for i, c := range cols {
		head[i] = c.head
	}
	lines = append(lines, p.Dim(row(cols, head)))
	for i := range all {
		x := &all[i]
		cells := make([]string, len(cols))
		for i, c := range cols {
			if cells[i] = c.text(x); cells[i] == "" {
				cells[i] = "-"
			}
		}
		line := row(cols, cells)
		lines = append(lines, paintRow(line, x, cols, p))
	}
	for i := range all {
		n := notes(&all[i], p)
		if prefers := all[i].Prefer; prefers != "" {
			n = append(n, "prefers "+Transport("", prefers))
		}
		if strings.Join(n, "") != "" {
			lines = append(lines, flow(width, "  "+health.Called(&all[i])+": ", "    ", "; ", n...)...)
		}
	}
	return lines
}

// fit gives each column the width of its texts and drops columns until a line
// fits; at last addresses are cut.
func fit(cols []column, all []control.Peer, width int) []column {
	for i := range cols {
		most := lipgloss.Width(cols[i].head)
		for j := range all {
			most = max(most, lipgloss.Width(cols[i].text(&all[j])))
		}
		if cols[i].max == 0 || most < cols[i].max {
			cols[i].max = most
		}
	}
	for total(cols) > width {
		last := 0
		for i := range cols {
			if cols[i].drop >= cols[last].drop && cols[i].drop > 0 {
				last = i
			}
		}
		if cols[last].drop == 0 {
			break
		}
		cols = append(cols[:last:last], cols[last+1:]...)
	}
	if over := total(cols) - width; over > 0 {
		cols[1].max = max(cols[1].max-over, 8)
	}
	return cols
}

func total(cols []column) int {
	sum := -gap
	for _, c := range cols {
		sum += c.max + gap
	}
	return sum
}

func row(cols []column, cells []string) string {
	padded := make([]string, len(cells))
	for i := range cells {
		padded[i] = Pad(cells[i], cols[i].max)
	}
	return strings.TrimRight(strings.Join(padded, strings.Repeat(" ", gap)), " ")
}

// paintRow colours name and state of a line.
func paintRow(line string, x *control.Peer, cols []column, p Paint) string {
	if !p.Color {
		return line
	}
	name := Pad(health.Called(x), cols[0].max)
	state := Word(x)
	rest := strings.TrimPrefix(line, name)
	return p.Bold(name) + strings.Replace(rest, state, p.State(state, state), 1)
}
