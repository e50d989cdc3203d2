package config

import (
	"errors"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A position is a place in the file, counted from 1; the column in bytes.
type position struct{ line, col int }

// A value is one TOML value with its place.
type value struct {
	kind       unstable.Kind
	text       string // strings decoded, numbers as written
	at         position
	start, end int     // byte range; of elements only
	elems      []value // of an array
}

// An entry is "key = value".
type entry struct {
	key        string
	at         position
	start, end int // byte range of "key = value"
	val        value
}

// A table is the top of the file (name ""), [session], one [[route]], [[only]],
// [[network]] or [[peer]], with its entries in the file's order.
type table struct {
	name       string
	at         position
	start, end int // byte range: first line of the header, end of the last entry's line
	entries    []entry
	keys       *index[string]
}

// A document is a TOML text split into the tables that a config can have.
type document struct {
	file   string
	data   []byte
	lines  []int // offset of each line's first byte
	top    *table
	sess   *table
	peers  []*table
	routes []*table
	only   []*table
	nets   []*table
	within *table // while scanning: where the next entry goes
}

// scan reads TOML. A walk over go-toml's syntax tree keeps the place of every
// key, value and array element; then its decoder, which forgets them, vouches
// that the whole text is TOML.
func scan(file string, data []byte) (*document, error) {
	d := &document{file: file, data: data, lines: lineStarts(data), top: &table{}}
	d.sess, d.within = &table{name: "session"}, d.top
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		if err := d.expression(p.Expression()); err != nil {
			return nil, err
		}
	}
	var whole map[string]any
	if err := toml.Unmarshal(data, &whole); err != nil {
		return nil, d.syntaxError(err)
	}
	return d, p.Error()
}

func (d *document) syntaxError(err error) error {
	e := &Error{File: d.file, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
	if de, ok := errors.AsType[*toml.DecodeError](err); ok {
		e.Line, e.Col = de.Position()
		e.Key = strings.Join(de.Key(), ".")
	}
	if e.Key == "" && e.Line > 0 {
		e.Key = d.keyOnLine(e.Line)
	}
	return e
}

// keyOnLine is the bare key that a broken line begins with, if it does.
func (d *document) keyOnLine(line int) string {
	text := string(d.data[d.lines[line-1]:])
	key, _, found := strings.Cut(strings.SplitN(text, "\n", 2)[0], "=")
	key = strings.TrimSpace(key)
	if !found || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return key
}

func (d *document) expression(n *unstable.Node) error {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		return d.header(n)
	case unstable.KeyValue:
		return d.keyValue(n)
	}
	return nil
}

// header opens [session] or the next [[peer]].
func (d *document) header(n *unstable.Node) error {
	name, raw := keyOf(n)
	at := d.position(raw)
	array := n.Kind == unstable.ArrayTable
	switch {
	case name == "session" && !array:
		d.sess.at = at
		d.within = d.sess
	case name == "peer" && array:
		d.within = &table{name: "peer", at: at, start: d.lineStart(raw), end: d.lineEnd(raw)}
		d.peers = append(d.peers, d.within)
	case name == "route" && array:
		d.within = &table{name: "route", at: at, start: d.lineStart(raw), end: d.lineEnd(raw)}
		d.routes = append(d.routes, d.within)
	case name == "only" && array:
		d.within = &table{name: "only", at: at, start: d.lineStart(raw), end: d.lineEnd(raw)}
		d.only = append(d.only, d.within)
	case name == "network" && array:
		d.within = &table{name: "network", at: at, start: d.lineStart(raw), end: d.lineEnd(raw)}
		d.nets = append(d.nets, d.within)
	case name == "session":
		return d.errorf(at, name, "write [session], in single brackets")
	case name == "peer":
		return d.errorf(at, name, "write [[peer]], in double brackets")
	case name == "route":
		return d.errorf(at, name, "write [[route]], in double brackets")
	case name == "only":
		return d.errorf(at, name, "write [[only]], in double brackets")
	case name == "network":
		return d.errorf(at, name, "write [[network]], in double brackets")
	default:
		return d.errorf(at, name, "unknown table; there are [session], [[route]], [[only]], [[network]] and [[peer]]")
	}
	return nil
}

// keyValue files an entry under its table. session.ttl = … and
// session = { ttl = … } at the top mean the same as under [session].
func (d *document) keyValue(n *unstable.Node) error {
	name, raw := keyOf(n)
	e := entry{key: name, at: d.position(raw), start: int(n.Raw.Offset), end: int(n.Raw.Offset + n.Raw.Length)}
	t := d.within
	if sub, ok := strings.CutPrefix(name, "session."); ok && t == d.top {
		t, e.key = d.sess, sub
	}
	if t == d.top && name == "session" && n.Value().Kind == unstable.InlineTable {
		return d.inlineSession(n.Value())
	}
	if t == d.top && (name == "peer" || strings.HasPrefix(name, "peer.")) {
		return d.errorf(e.at, name, "write each peer as a [[peer]] block of its own")
	}
	if t == d.top && (name == "route" || strings.HasPrefix(name, "route.")) {
		return d.errorf(e.at, name, "write each route as a [[route]] block of its own")
	}
	if t == d.top && (name == "only" || strings.HasPrefix(name, "only.")) {
		return d.errorf(e.at, name, "write each as an [[only]] block of its own")
	}
	if t == d.top && (name == "network" || strings.HasPrefix(name, "network.")) {
		return d.errorf(e.at, name, "write each network as a [[network]] block of its own")
	}
	e.val = d.value(n.Value(), e.at)
	t.end = max(t.end, d.lineEnd(int(n.Raw.Offset+n.Raw.Length)))
	return d.add(t, e)
}

func (d *document) add(t *table, e entry) error {
	if t.keys == nil {
		t.keys = newIndex[string](few / 4)
	}
	if line, twice := t.keys.put(e.key, e.at.line); twice {
		return d.errorf(e.at, dotted(t.name, e.key), "given twice, first on line %d", line)
	}
	t.entries = append(t.entries, e)
	return nil
}

func (d *document) inlineSession(n *unstable.Node) error {
	for it := n.Children(); it.Next(); {
		key, raw := keyOf(it.Node())
		at := d.position(raw)
		if err := d.add(d.sess, entry{key: key, at: at, val: d.value(it.Node().Value(), at)}); err != nil {
			return err
		}
	}
	return nil
}

// value copies what it needs: a node does not outlive its expression. Arrays
// have no place in go-toml's tree and take their key's.
func (d *document) value(n *unstable.Node, parent position) value {
	v := value{kind: n.Kind, text: string(n.Data), at: parent}
	if n.Raw.Length > 0 {
		v.at = d.position(int(n.Raw.Offset))
	}
	if n.Kind == unstable.Array {
		for it := n.Children(); it.Next(); {
			// Deeper nesting is an error for every key there is, so one level is read.
			e := it.Node()
			elem := value{kind: e.Kind, text: string(e.Data), at: v.at}
			if e.Raw.Length > 0 {
				elem.at = d.position(int(e.Raw.Offset))
				elem.start, elem.end = int(e.Raw.Offset), int(e.Raw.Offset+e.Raw.Length)
			}
			v.elems = append(v.elems, elem)
		}
	}
	return v
}

// keyOf returns the dotted key of a node and the offset of its first part.
func keyOf(n *unstable.Node) (name string, offset int) {
	var parts []string
	for it := n.Key(); it.Next(); {
		if parts == nil {
			offset = int(it.Node().Raw.Offset)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), offset
}

func (d *document) errorf(at position, key, format string, args ...any) *Error {
	return newError(d.file, at, key, format, args...)
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (d *document) position(offset int) position {
	line := sort.SearchInts(d.lines, offset+1)
	return position{line, offset - d.lines[line-1] + 1}
}

func (d *document) lineStart(offset int) int { return d.lines[d.position(offset).line-1] }

// lineEnd is the offset after the newline of the line that offset is in.
func (d *document) lineEnd(offset int) int {
	if line := d.position(offset).line; line < len(d.lines) {
		return d.lines[line]
	}
	return len(d.data)
}
