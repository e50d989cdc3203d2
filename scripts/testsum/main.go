// Command testsum reads what `go test -json` prints and shows people what they
// need: a line for each package, the whole output of what failed, the reason of
// each skip. With -results it appends "pass NAME", "fail NAME" or "skip NAME"
// for each test to a file, for scripts/test to count.
//
//	go test -json ./... | go run ./scripts/testsum -results FILE
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	results := flag.String("results", os.DevNull, "append one line a test to this file")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *results); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, results string) error {
	f, err := os.OpenFile(results, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	s := newSummary(out, f)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err == io.EOF {
			return s.end()
		}
		if err != nil {
			return err
		}
	}
}
