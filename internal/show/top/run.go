package top

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Run shows the model in a terminal until the user ends it or ctx does.
func Run(ctx context.Context, m *Model, in io.Reader, out io.Writer, more ...tea.ProgramOption) error {
	opts := append([]tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out)}, more...)
	_, err := tea.NewProgram(m, opts...).Run()
	if errors.Is(err, tea.ErrInterrupted) || ctx.Err() != nil {
		return nil
	}
	return err
}

// Once takes samples, a second apart say, and returns the screen as text. The
// error is that of the node's last answer, or the context's.
func Once(ctx context.Context, m *Model, samples, width int) (string, error) {
	m.width, m.height, m.once = width, 0, true
	for i := range max(samples, 1) {
		if i > 0 {
			select {
			case <-time.After(m.every):
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		s := m.Ask()
		if s.Err != nil {
			return "", s.Err
		}
		m.take(s)
	}
	return m.Text() + "\n", nil
}
