package main

import (
	"os"
	"strconv"

	"golang.org/x/term"
)

// defaultWidth is what there is where nobody says, columns.
const defaultWidth = 80

// width is how wide the output may be: the terminal's, else COLUMNS, else 80.
func (o IO) width() int {
	if f, ok := o.Out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return defaultWidth
}

// terminal reports whether the output is one.
func (o IO) terminal() bool {
	f, ok := o.Out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
