package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/health"
	"github.com/libertaria-project/l2tun/internal/screen"
)

const help = "q quit  ↑↓ peer  r rotate  c carrier"

// historyLines is how many changes of state are shown.
const historyLines = 8

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.Text())
	v.AltScreen = true
	return v
}

// Text is the screen as text: no line is wider than the window, and there are no
// more than it has.
func (m *Model) Text() string {
	width := max(m.width, screen.MinWidth)
	lines := m.lines(width)
	foot := m.foot()
	if m.height > 0 && len(lines) > m.height-len(foot) {
		lines = lines[:max(m.height-len(foot), 0)]
	}
	lines = append(lines, foot...)
	for i := range lines {
		lines[i] = screen.Cut(lines[i], width)
	}
	return strings.Join(lines, "\n")
}

func (m *Model) lines(width int) []string {
	if m.status == nil {
		return []string{"asking the node …"}
	}
	lines := []string{m.paint.Bold(m.status.Interface) + "  " + screen.Count(uint64(m.peers()), "peer") + "  " + m.at.Format(time.TimeOnly), ""}
	for i := range m.status.Peers {
		lines = append(lines, m.row(i, width))
	}
	if p := m.selected(); p != nil {
		lines = append(lines, "")
		lines = append(lines, m.detail(p, width)...)
	}
	if len(m.status.Health) > 0 {
		lines = append(lines, "")
		for _, f := range m.status.Health {
			lines = append(lines, screen.Finding(f, width, m.paint)...)
		}
	}
	return append(lines, m.history(width)...)
}

// foot is what went wrong or was done, and the keys.
func (m *Model) foot() []string {
	var lines []string
	switch {
	case m.failure != nil:
		lines = append(lines, "", m.paint.Bad(m.failure.Error()))
	case m.said != "":
		lines = append(lines, "", m.said)
	default:
		lines = append(lines, "")
	}
	return append(lines, m.paint.Dim(help))
}

// row is a peer on one line; what has no room is left out, the last first.
func (m *Model) row(i, width int) string {
	p := &m.status.Peers[i]
	mark := "  "
	if i == m.cursor {
		mark = "> "
	}
	h := m.past[p.DID]
	name := min(max(width/5, 8), 16)
	line := mark + m.paint.Bold(screen.Pad(health.Called(p), name))
	room := min(12, width-len(mark)-name-1)
	line += " " + m.paint.State(p.State, screen.Pad(short(p.State, room), room))
	width -= len(mark) + name + 1 + room
	for _, col := range []struct {
		text  string
		width int
	}{
		{screen.Pad(p.Carrier, 8), 8},
		{pad(screen.RTT(p.RTTMS), 8), 8},
		{"↓" + pad(screen.Rate(h.inRate), 11), 12},
		{"↑" + pad(screen.Rate(h.txRate), 11), 12},
	} {
		if width < 1+col.width {
			return strings.TrimRight(line, " ")
		}
		line += " " + col.text
		width -= 1 + col.width
	}
	if width >= 4 {
		line += " " + screen.Spark(total(h), min(width-1, 20))
	}
	return strings.TrimRight(line, " ")
}

// pad puts a text to the right.
func pad(s string, width int) string {
	return strings.Repeat(" ", max(width-len([]rune(s)), 0)) + s
}

// short is a state's name for a narrow column.
func short(state string, width int) string {
	names := map[string]string{"handshake_initiated": "handshaking", "handshake_received": "answering", "established": "up"}
	if s, ok := names[state]; ok && (len(state) > 12 || width < len(state)) {
		return s
	}
	return state
}

func total(h *past) []float64 {
	sum := slices.Clone(h.in)
	for i := range sum {
		sum[i] += h.out[i]
	}
	return sum
}

// detail is the selected peer at length.
func (m *Model) detail(p *control.Peer, width int) []string {
	h := m.past[p.DID]
	room := min(max(width-20, 8), keep)
	draw := func(what string, values []float64, now string) string {
		return fmt.Sprintf("  %-4s %s %s", what, screen.Spark(values, room), now)
	}
	text := p.State
	if p.Reason != "" {
		text += " (" + p.Reason + ")"
	}
	lines := []string{m.paint.Bold(health.Called(p)) + "  " + m.paint.State(p.State, text) + "  " + p.Endpoint}
	var facts []string
	if p.Link != "" {
		facts = append(facts, p.Link+", "+p.Carrier)
	}
	if p.Prefer != "" {
		facts = append(facts, "prefers "+p.Prefer)
	}
	if p.Epoch > 0 {
		facts = append(facts, fmt.Sprintf("epoch %d for %s", p.Epoch, health.Age(time.Duration(p.EpochAgeMS)*time.Millisecond)))
	}
	if p.Queued > 0 {
		facts = append(facts, screen.Count(p.Queued, "packet")+" waiting")
	}
	if d := screen.Drops(p.Dropped); d != "" {
		facts = append(facts, d)
	}
	if len(facts) > 0 {
		lines = append(lines, "  "+strings.Join(facts, "; "))
	}
	return append(lines, draw("in", h.in, screen.Rate(h.inRate)), draw("out", h.out, screen.Rate(h.txRate)), draw("rtt", h.rtt, screen.RTT(p.RTTMS)))
}

// history is the newest changes of the selected peer's state.
func (m *Model) history(width int) []string {
	p := m.selected()
	if p == nil {
		return nil
	}
	var lines []string
	for _, e := range slices.Backward(m.events) {
		if e.Peer == p.DID && len(lines) < historyLines {
			lines = append(lines, event(e, width, m.paint))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Reverse(lines)
	return append([]string{"", m.paint.Bold("history")}, lines...)
}

func event(e control.Event, width int, p screen.Paint) string {
	at, to := e.Time.Local().Format(time.TimeOnly), e.To
	if width < 60 {
		return "  " + at + " " + p.State(e.To, short(e.To, width-11))
	}
	if e.Reason != "" {
		to += " (" + e.Reason + ")"
	}
	return fmt.Sprintf("  %s  %s -> %s  %s", at, e.From, p.State(e.To, to), e.Cause)
}
