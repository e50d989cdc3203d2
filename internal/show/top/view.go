package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

const help = "q quit  ↑↓ peer  r rotate  c carrier"

// historyLines is how many changes of state are shown at least, where the window
// has no height.
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
	head := m.paint.Bold(m.status.Interface) + "  " + screen.Count(uint64(m.peers()), "peer") + "  " + m.at.Format(time.TimeOnly)
	if h := m.health(); h != "" {
		head += "  " + h
	}
	lines := []string{head}
	if n := screen.Networks(m.status); n != "" {
		lines = append(lines, n)
	}
	lines = append(lines, "")
	for i := range m.status.Peers {
		lines = append(lines, m.row(i, width))
	}
	if p := m.selected(); p != nil {
		lines = append(lines, "")
		lines = append(lines, m.detail(p, width)...)
	}
	if len(m.status.Health) > 0 {
		lines = append(lines, "")
		lines = append(lines, screen.Findings(m.status.Health, width, m.paint)...)
	}
	room := historyLines
	if m.height > 0 {
		room = max(m.height-len(lines)-len(m.foot())-2, 0)
	}
	return append(lines, m.history(width, room)...)
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
	if m.once {
		return lines[:len(lines)-min(len(lines), 1)]
	}
	return append(lines, m.paint.Dim(help))
}

// health counts what is wrong: "1 error, 2 warnings".
func (m *Model) health() string {
	var parts []string
	for _, level := range []string{control.LevelError, control.LevelWarning} {
		n := uint64(0)
		for _, f := range m.status.Health {
			if f.Level == level {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, m.paint.Level(level, screen.Count(n, level)))
		}
	}
	return strings.Join(parts, ", ")
}

// row is a peer on one line; what has no room is left out, the last first.
func (m *Model) row(i, width int) string {
	p := &m.status.Peers[i]
	mark := "  "
	if i == m.cursor {
		mark = "> "
	}
	h := m.past[p.DID]
	name, address, transport := m.widths(width)
	line := mark + m.paint.Bold(screen.Pad(health.Called(p), name))
	room := min(11, width-len(mark)-name-1)
	line += " " + m.paint.State(screen.Word(p), screen.Pad(short(p, room), room))
	width -= len(mark) + name + 1 + room
	for _, col := range []struct {
		text  string
		width int
	}{
		{screen.Pad(screen.Address(p), address), address},
		{screen.Pad(screen.Way(p), transport), transport},
		{pad(screen.RTT(p.RTTMS), 6), 6},
		{"↓" + pad(screen.Rate(h.inRate), 10), 11},
		{"↑" + pad(screen.Rate(h.txRate), 10), 11},
	} {
		if col.width == 0 {
			continue
		}
		if width < 1+col.width {
			return strings.TrimRight(line, " ")
		}
		line += " " + col.text
		width -= 1 + col.width
	}
	lost, filtered := lost(p)
	if lost > 0 && width >= 12 {
		text := fmt.Sprintf("%d lost", lost)
		line += " " + m.paint.Warn(text)
		width -= 1 + len(text)
	}
	if filtered > 0 && width >= 16 {
		text := fmt.Sprintf("%d filtered", filtered)
		line += " " + text
		width -= 1 + len(text)
	}
	if width >= 4 {
		line += " " + screen.Spark(total(h), min(width-1, 20))
	}
	return strings.TrimRight(line, " ")
}

// widths are those of the columns with names, overlay addresses and transports; 0
// where nobody has any.
func (m *Model) widths(width int) (name, address, transport int) {
	most := min(max(width/7, 8), 24)
	for i := range m.status.Peers {
		p := &m.status.Peers[i]
		name = max(name, lipgloss.Width(health.Called(p)))
		address = max(address, min(len(screen.Address(p)), 15))
		transport = max(transport, min(lipgloss.Width(screen.Way(p)), most+len("through ")))
	}
	return min(max(name, 6), most), address, transport
}

// pad puts a text to the right.
func pad(s string, width int) string {
	return strings.Repeat(" ", max(width-len([]rune(s)), 0)) + s
}

// short is a state's name for a narrow column.
func short(p *control.Peer, width int) string {
	name := screen.Word(p)
	if name == "established" && width < len(name) {
		return "up"
	}
	return name
}

// lost is how many packets were dropped: on purpose by the filter, or for whatever other
// reason.
func lost(p *control.Peer) (sum, filtered uint64) {
	for reason, n := range p.Dropped {
		if strings.HasPrefix(reason, "filter_") {
			filtered += n
		} else {
			sum += n
		}
	}
	return sum, filtered
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
	lines := []string{m.paint.Bold(health.Called(p)) + "  " + m.paint.State(screen.Word(p), screen.State(p)) + "  " + screen.Endpoint(p)}
	facts := slices.Clone(p.Addresses)
	if p.Carrier != "" || p.Link != "" {
		facts = append(facts, screen.Way(p))
	}
	if word := health.OnItsWay(p); word != "" {
		facts = append(facts, "direct path: "+word)
	}
	if p.Prefer != "" {
		facts = append(facts, "prefers "+screen.Transport("", p.Prefer))
	}
	if p.Epoch > 0 {
		facts = append(facts, fmt.Sprintf("epoch %d for %s", p.Epoch, health.Age(time.Duration(p.EpochAgeMS)*time.Millisecond)))
	}
	if p.Queued > 0 {
		facts = append(facts, screen.Count(p.Queued, "packet")+" waiting")
	}
	if p.Messages > 0 {
		facts = append(facts, screen.Count(p.Messages, "message")+" not acknowledged yet")
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
func (m *Model) history(width, room int) []string {
	p := m.selected()
	if p == nil {
		return nil
	}
	var lines []string
	for _, e := range slices.Backward(m.events) {
		if e.Peer == p.DID && len(lines) < room {
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
	at := e.Time.Local().Format(time.TimeOnly)
	if width < 60 {
		return "  " + at + " " + p.State(e.To, short(&control.Peer{State: e.To, Reason: e.Reason}, width-11))
	}
	if e.Carrier != "" {
		return fmt.Sprintf("  %s  path: %s", at, screen.EventWay(&e))
	}
	to := screen.State(&control.Peer{State: e.To, Reason: e.Reason})
	return fmt.Sprintf("  %s  %s -> %s  %s", at, screen.StateName(e.From), p.State(e.To, to), e.Cause)
}
