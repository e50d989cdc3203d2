// Package hosts keeps marked blocks of lines in /etc/hosts, so that the names of
// peers are known to every program of this host: one that a user writes (l2tun hosts),
// and one of a running node. Everything outside of the blocks stays as it is, byte by
// byte, and what others write meanwhile stays. Nothing here runs by itself.
package hosts

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// File is where a host's names are.
const File = "/etc/hosts"

// An Entry is one line: an address and a name.
type Entry struct{ Address, Name string }

// Name is what a peer's name is as a host name, in small letters; false if it
// cannot be one, or is the name that every host has for itself.
func Name(peer string) (string, bool) {
	name := strings.ToLower(peer)
	if name == "" || len(name) > 253 || name == "localhost" || strings.HasPrefix(name, "localhost.") || strings.Trim(name, "0123456789.") == "" {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", false
		}
	}
	return name, true
}

// Lines are entries as the file has them.
func Lines(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s\t%s\n", e.Address, e.Name)
	}
	return b.String()
}

// A Block is a marked range of lines that belongs to a node.
type Block struct{ word, node, note string }

// Written is the block that l2tun hosts --write puts in for a node.
func Written(node string) Block { return Block{"l2tun", node, "l2tun hosts --write"} }

// Kept is the block that a running node keeps.
func Kept(node string) Block { return Block{"l2tun-names", node, "kept by the node while it runs"} }

// cut says in a block's first line that the file ended without a newline before it.
const cut = "; the line above had no end"

// begin is how the first line begins, and end the last line.
func (b Block) begin() string { return "# BEGIN " + b.word + " " + b.node + " " }
func (b Block) end() string   { return "# END " + b.word + " " + b.node + "\n" }

// text is the block; what is empty, or says cut, stands at the end of its first line.
func (b Block) text(entries []Entry, how string) string {
	return b.begin() + "(" + b.note + "; changes in here are lost" + how + ")\n" + Lines(entries) + b.end()
}

// Has reports whether a file has the block.
func (b Block) Has(file string) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	_, _, _, ok := b.find(data)
	return ok
}

// Write puts the block in place of the one that is there, or at the end.
func (b Block) Write(file string, entries []Entry) (changed bool, err error) {
	return edit(file, func(data []byte) ([]byte, error) {
		from, to, broken, ok := b.find(data)
		switch {
		case broken:
			return nil, b.noEnd(file)
		case ok:
			how := ""
			if b.afterCut(data[from:]) {
				how = cut
			}
			return bytes.Join([][]byte{data[:from], data[to:]}, []byte(b.text(entries, how))), nil
		case len(data) > 0 && data[len(data)-1] != '\n':
			return append(append(data, '\n'), b.text(entries, cut)...), nil
		}
		return append(data, b.text(entries, "")...), nil
	})
}

// Remove takes the block out. At the end of a file that had no newline there before,
// there is none again.
func (b Block) Remove(file string) (changed bool, err error) {
	return edit(file, func(data []byte) ([]byte, error) {
		from, to, broken, ok := b.find(data)
		switch {
		case broken:
			return nil, b.noEnd(file)
		case !ok:
			return data, nil
		case to == len(data) && from > 0 && b.afterCut(data[from:]):
			return data[:from-1], nil
		}
		return append(data[:from:from], data[to:]...), nil
	})
}

func (b Block) noEnd(file string) error {
	return fmt.Errorf("%s has a block of %s %s without an end; remove its lines", file, b.word, b.node)
}

// find is the byte range of the block. It is broken without its end.
func (b Block) find(data []byte) (from, to int, broken, ok bool) {
	from = at(data, []byte(b.begin()))
	if from < 0 {
		return 0, 0, false, false
	}
	tail := []byte(b.end())
	n := at(data[from:], tail)
	if n < 0 {
		return 0, 0, true, false
	}
	return from, from + n + len(tail), false, true
}

// afterCut reports whether the first line of a block says cut.
func (b Block) afterCut(data []byte) bool {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	return bytes.HasSuffix(first, []byte(cut+")"))
}

// at is the offset of a line that begins so; -1 for none.
func at(data, line []byte) int {
	if bytes.HasPrefix(data, line) {
		return 0
	}
	if i := bytes.Index(data, append([]byte("\n"), line...)); i >= 0 {
		return i + 1
	}
	return -1
}
