package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable is a text of others as a terminal may have it: what is not a printable
// character is escaped as Go does, so that it neither moves the cursor nor sets a
// title, and no direction of writing hides what it says.
func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		c, n := utf8.DecodeRuneInString(s)
		switch {
		case c == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case unicode.IsPrint(c):
			b.WriteRune(c)
		default:
			quoted := strconv.QuoteRune(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// printableLines keeps line ends, and puts who wrote it before each line: a text
// cannot look like that of another peer by a line end in it.
func printableLines(from, s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = from + printable(line)
	}
	return strings.Join(lines, "\n")
}
