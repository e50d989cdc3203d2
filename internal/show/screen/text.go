package screen

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/dustin/go-humanize"
)

// MinWidth is the narrowest screen that is laid out for, columns; a narrower one
// gets lines of this width.
const MinWidth = 20

// flow puts parts on lines of at most width columns, a separator between those of
// one line. Lines but the first begin with hang. A part that is wider than a line
// is broken.
func flow(width int, first, hang, sep string, parts ...string) (lines []string) {
	width = max(width, MinWidth)
	line, empty := first, true
	for _, part := range parts {
		if part == "" {
			continue
		}
		if !empty && lipgloss.Width(line+sep+part) <= width {
			line += sep + part
			continue
		}
		if !empty {
			lines = append(lines, line+strings.TrimRight(sep, " "))
			line = hang
		}
		if rest := width - lipgloss.Width(line); lipgloss.Width(part) > rest {
			broken := strings.Split(lipgloss.Wrap(part, max(rest-1, 8), ""), "\n")
			for _, b := range broken[:len(broken)-1] {
				lines = append(lines, line+strings.TrimRight(b, " "))
				line = hang
			}
			part = broken[len(broken)-1]
		}
		line, empty = line+part, false
	}
	if empty {
		return lines
	}
	return append(lines, line)
}

// Cut shortens a line to width columns, the last of which then says so.
func Cut(s string, width int) string {
	if lipgloss.Width(s) <= width {
		return s
	}
	switch {
	case width <= 0:
		return ""
	case width == 1:
		return "…"
	}
	return lipgloss.NewStyle().MaxWidth(width-1).Render(s) + "…"
}

// Pad fills a text with spaces to width columns, or cuts it.
func Pad(s string, width int) string {
	s = Cut(s, width)
	return s + strings.Repeat(" ", max(width-lipgloss.Width(s), 0))
}

// Rate is a short text for bytes a second.
func Rate(bytes float64) string { return humanize.IBytes(uint64(max(bytes, 0))) + "/s" }

// RTT is a short text for milliseconds.
func RTT(ms float64) string {
	switch {
	case ms <= 0:
		return ""
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// Count is "1 packet", "2 packets".
func Count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Spark draws the newest width values as bars, the highest of them full.
func Spark(values []float64, width int) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	values = values[max(0, len(values)-max(width, 0)):]
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range values {
		i := 0
		if top > 0 {
			i = int(max(v, 0) / top * float64(len(bars)-1))
		}
		b.WriteRune(bars[i])
	}
	return b.String()
}
