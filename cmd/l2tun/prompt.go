package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// settle is how long the rest of what was pasted may take to arrive.
const settle = 200 * time.Millisecond

// A prompt asks a person at a terminal. Whoever uses one does so before it catches
// signals: Ctrl-C then ends the program at once, whatever it reads.
type prompt struct {
	in    *os.File
	out   io.Writer
	lines *bufio.Reader
}

// prompt is nil where nobody can be asked: input or what it would show them is no
// terminal.
func (o IO) prompt() *prompt {
	in, ok := o.In.(*os.File)
	shown, also := o.Err.(*os.File)
	if !ok || !also || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(shown.Fd())) {
		return nil
	}
	return &prompt{in, shown, bufio.NewReader(in)}
}

// yes asks a question that only y or yes, typed after it stands there, answers: not
// what was pasted behind a link.
func (p *prompt) yes(question string) (bool, error) {
	time.Sleep(settle)
	p.lines.Discard(p.lines.Buffered())
	if err := forgetTyped(p.in); err != nil {
		return false, fmt.Errorf("cannot ask on this terminal: %w", err)
	}
	fmt.Fprint(p.out, question+" [y/N] ")
	line, err := p.lines.ReadString('\n')
	if err == io.EOF {
		fmt.Fprintln(p.out)
		return false, nil
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", err
}
