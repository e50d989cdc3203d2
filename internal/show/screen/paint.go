package screen

import "charm.land/lipgloss/v2"

// A Paint colours words, or does not.
type Paint struct{ Color bool }

func (p Paint) in(code, s string) string {
	if !p.Color || s == "" {
		return s
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(code)).Render(s)
}

// Good, Warn and Bad are green, yellow and red.
func (p Paint) Good(s string) string { return p.in("2", s) }
func (p Paint) Warn(s string) string { return p.in("3", s) }
func (p Paint) Bad(s string) string  { return p.in("1", s) }

// Bold is what the eye should find first.
func (p Paint) Bold(s string) string {
	if !p.Color || s == "" {
		return s
	}
	return lipgloss.NewStyle().Bold(true).Render(s)
}

// Dim is what it may pass over.
func (p Paint) Dim(s string) string {
	if !p.Color || s == "" {
		return s
	}
	return lipgloss.NewStyle().Faint(true).Render(s)
}

// State colours a session's state by what it means.
func (p Paint) State(state, text string) string {
	switch state {
	case "established", "rotating":
		return p.Good(text)
	case "asleep":
		return p.Dim(text)
	case "failed":
		return p.Bad(text)
	}
	return p.Warn(text)
}

// Level colours a finding's level.
func (p Paint) Level(level, text string) string {
	switch level {
	case "error":
		return p.Bad(text)
	case "warning":
		return p.Warn(text)
	}
	return text
}
