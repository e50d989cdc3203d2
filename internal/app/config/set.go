package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
)

// A PeerChange says what SetPeer changes of a peer. What is nil stays.
type PeerChange struct {
	DID        *did.DID // the peer has a new key
	Name       *string  // "" takes the name away
	Hub        *bool
	Invites    *bool
	Endpoints  ListChange
	AllowedIPs ListChange
}

// A ListChange replaces a list if Set is not nil, then removes, then adds. What
// is there already is not added again.
type ListChange struct{ Set, Remove, Add []string }

func (l ListChange) empty() bool { return l.Set == nil && len(l.Remove)+len(l.Add) == 0 }

// Empty reports whether nothing is to be changed.
func (c PeerChange) Empty() bool {
	return c.DID == nil && c.Name == nil && c.Hub == nil && c.Invites == nil && c.Endpoints.empty() && c.AllowedIPs.empty()
}

// SetPeer changes the block of a peer, named as Lookup takes it, in the config at
// path, and returns the peer as it was. Comments stay, but for those inside a
// list that is replaced and beside an element that is removed. It refuses what
// Parse would refuse of the result. ErrNoPeer is in the error if there is no such
// peer.
func SetPeer(path, who string, change PeerChange) (before Peer, err error) {
	err = rewrite(path, func(data []byte) ([]byte, error) {
		c, err := Parse(path, data)
		if err != nil {
			return nil, err
		}
		i := c.find(who)
		if i < 0 {
			return nil, c.missing(who)
		}
		before = c.Peers[i]
		if change.DID != nil {
			if err := c.checkSlipOfNew(*change.DID, before.DID); err != nil {
				return nil, err
			}
		}
		out, err := change.apply(&block{path, bytes.Clone(data), i}, &before)
		if err != nil {
			return nil, err
		}
		return out, withoutPlace(checkEdited(path, out))
	})
	return before, err
}

func (c PeerChange) apply(b *block, p *Peer) ([]byte, error) {
	if err := c.renameOnly(b, p); err != nil {
		return nil, err
	}
	if c.DID != nil {
		if err := b.put("did", quote(c.DID.String())); err != nil {
			return nil, err
		}
	}
	if c.Name != nil {
		value := ""
		if *c.Name != "" {
			value = quote(*c.Name)
		}
		if err := b.put("name", value); err != nil {
			return nil, err
		}
	}
	if err := b.flag("hub", c.Hub); err != nil {
		return nil, err
	}
	if err := b.flag("invites", c.Invites); err != nil {
		return nil, err
	}
	if err := b.list("endpoints", c.Endpoints, func(s string) string { return s }); err != nil {
		return nil, err
	}
	if err := b.list("allowed_ips", c.AllowedIPs, canonical); err != nil {
		return nil, err
	}
	return b.data, nil
}

// renameOnly has the [[only]] blocks about a peer name it as it is called from now on.
func (c PeerChange) renameOnly(b *block, p *Peer) error {
	now := *p
	if c.DID != nil {
		now.DID = *c.DID
	}
	if c.Name != nil {
		now.Name = *c.Name
	}
	doc, err := scan(b.path, b.data)
	if err != nil {
		return err
	}
	for i := len(doc.only) - 1; i >= 0; i-- { // the last first: places before it stay
		for _, e := range doc.only[i].entries {
			is := e.val.text
			switch {
			case e.key != "peer":
				continue
			case is == p.DID.String():
				is = now.DID.String()
			case is == p.Name && p.Name != "":
				is = cmp.Or(now.Name, now.DID.String())
			}
			if is != e.val.text {
				b.replace(e.start, e.end, "peer = "+quote(is))
			}
		}
	}
	return nil
}

// flag sets a key that is false where it is missing; nil leaves it.
func (b *block) flag(key string, on *bool) error {
	switch {
	case on == nil:
		return nil
	case *on:
		return b.put(key, "true")
	}
	return b.put(key, "")
}

// canonical writes a prefix in its one form.
func canonical(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.String()
	}
	return s
}

// A block is one [[peer]] of a text that is being changed.
type block struct {
	path string
	data []byte
	i    int
}

// look finds a key of the block as the text is now; e is nil if it is not there.
func (b *block) look(key string) (doc *document, t *table, e *entry, err error) {
	if doc, err = scan(b.path, b.data); err != nil {
		return nil, nil, nil, err
	}
	t = doc.peers[b.i]
	for i := range t.entries {
		if t.entries[i].key == key {
			e = &t.entries[i]
		}
	}
	return doc, t, e, nil
}

func (b *block) replace(start, end int, text string) {
	b.data = slices.Concat(b.data[:start], []byte(text), b.data[end:])
}

// put gives a key a value, written as TOML; "" takes the key out with its lines.
func (b *block) put(key, value string) error {
	doc, t, e, err := b.look(key)
	switch {
	case err != nil:
		return err
	case e != nil && value == "":
		b.replace(doc.lineStart(e.start), doc.lineEnd(e.end), "")
	case e != nil:
		b.replace(e.start, e.end, key+" = "+value)
	case value != "":
		b.insert(t.end, key+" = "+value)
	}
	return nil
}

// insert adds a line at an offset where one begins or the text ends.
func (b *block) insert(at int, line string) {
	nl := newline(b.data)
	line += nl
	if at > 0 && b.data[at-1] != '\n' {
		line = nl + line
	}
	b.replace(at, at, line)
}

// list changes a list; form is how its elements are compared.
func (b *block) list(key string, c ListChange, form func(string) string) error {
	if c.Set != nil {
		value := ""
		if len(c.Set) > 0 {
			value = "[" + quoteAll(c.Set) + "]"
		}
		if err := b.put(key, value); err != nil {
			return err
		}
	}
	for _, s := range c.Remove {
		if err := b.remove(key, s, form); err != nil {
			return err
		}
	}
	for _, s := range c.Add {
		if err := b.add(key, s, form); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) remove(key, s string, form func(string) string) error {
	doc, _, e, err := b.look(key)
	if err != nil {
		return err
	}
	at := -1
	if e != nil {
		at = slices.IndexFunc(e.val.elems, func(v value) bool { return form(v.text) == form(s) })
	}
	if at < 0 {
		return &Error{File: b.path, Key: "peer." + key, Msg: fmt.Sprintf("%s is not among those of this peer", s)}
	}
	elems := e.val.elems
	if len(elems) == 1 {
		return b.put(key, "")
	}
	x := elems[at]
	from, to := doc.lineStart(x.start), doc.lineEnd(x.end)
	before, after := string(b.data[from:x.start]), string(b.data[x.end:to])
	rest, _, _ := strings.Cut(after, "#")
	switch {
	case strings.TrimSpace(before) == "" && strings.Trim(rest, ", \t\r\n") == "": // alone on its lines
		b.replace(from, to, "")
	case at+1 < len(elems):
		b.replace(x.start, elems[at+1].start, "")
	default:
		b.replace(elems[at-1].end, x.end, "")
	}
	return nil
}

func (b *block) add(key, s string, form func(string) string) error {
	doc, _, e, err := b.look(key)
	if err != nil {
		return err
	}
	if e == nil || len(e.val.elems) == 0 {
		return b.put(key, "["+quote(s)+"]")
	}
	if slices.ContainsFunc(e.val.elems, func(v value) bool { return form(v.text) == form(s) }) {
		return nil
	}
	last := e.val.elems[len(e.val.elems)-1]
	line := doc.lineEnd(last.end) // where the next line begins
	if line > e.end {             // the list ends on the line of its last element
		b.replace(last.end, last.end, ", "+quote(s))
		return nil
	}
	start := doc.lineStart(last.start)
	indent := b.data[start:last.start]
	if len(bytes.TrimSpace(indent)) > 0 {
		indent = []byte("    ")
	}
	b.replace(line, line, string(indent)+quote(s)+","+newline(b.data))
	if rest, _, _ := strings.Cut(string(b.data[last.end:line]), "#"); !strings.Contains(rest, ",") {
		b.replace(last.end, last.end, ",")
	}
	return nil
}

// newline is the text's own kind.
func newline(data []byte) string {
	if bytes.Contains(data, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// ownDID is the node's, zero if there is no key yet.
func ownDID(path string) (did.DID, error) {
	id, err := LoadIdentity(path)
	if errors.Is(err, fs.ErrNotExist) {
		return did.DID{}, nil
	}
	if err != nil {
		return did.DID{}, err
	}
	return id.DID(), nil
}
