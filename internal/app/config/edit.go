package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
)

// A PeerSpec is a peer as given on a command line, unchecked but for the DID.
type PeerSpec struct {
	DID        did.DID
	Name       string
	Endpoints  []string     // HOST:PORT
	AllowedIPs []string     // CIDR
	Assigned   netip.Prefix // address that the peer's invitation gave to this node; zero: none
	Hub        bool         // this node may ask it to help it meet others
}

// AddPeer appends a [[peer]] block to the config at path. Every byte that was
// there stays. It refuses what Parse would refuse of the result, and the node's
// own DID. Errors are *Error and *KeyError.
func AddPeer(path string, s PeerSpec) error {
	return rewrite(path, func(data []byte) ([]byte, error) { return s.addTo(path, data) })
}

// CheckPeer reports why AddPeer would refuse a peer, without adding it.
func CheckPeer(path string, s PeerSpec) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	_, err = s.addTo(path, data)
	return err
}

func (s PeerSpec) addTo(path string, data []byte) ([]byte, error) {
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	own, err := ownDID(path)
	if err != nil {
		return nil, err
	}
	if err := c.checkSlip(s.DID, own); err != nil {
		return nil, err
	}
	if i := c.find(s.DID.String()); i >= 0 {
		p := &c.Peers[i]
		return nil, &Error{File: path, Key: "peer.did", Msg: fmt.Sprintf("this peer is there already, on line %d; l2tun peer set %s changes it", p.at.did.line, cmp.Or(p.Name, p.DID.String()))}
	}
	out := appendBlock(data, s.lines())
	return out, withoutPlaceAfter(checkEdited(path, out), bytes.Count(data, []byte("\n")))
}

// RemovePeer takes the block of a peer, named as Lookup takes it, out of the
// config at path, and the [[only]] blocks about it, and returns the peer. Comments
// around the blocks stay. ErrNoPeer is in the error if there is no such peer.
func RemovePeer(path, who string) (Peer, error) {
	var gone Peer
	err := rewrite(path, func(data []byte) ([]byte, error) {
		c, err := Parse(path, data)
		if err != nil {
			return nil, err
		}
		i := c.find(who)
		if i < 0 {
			return nil, c.missing(who)
		}
		gone = c.Peers[i]
		out, err := cutBlock(path, data, i)
		if err != nil {
			return nil, err
		}
		_, err = Parse(path, out)
		return out, err
	})
	return gone, err
}

// checkEdited also holds the result against the node's key, if there is one.
func checkEdited(path string, data []byte) error {
	c, err := Parse(path, data)
	if err != nil {
		return err
	}
	own, err := ownDID(path)
	if err != nil || own.IsZero() {
		return err
	}
	return c.CheckOwn(own)
}

func (s PeerSpec) lines() []string {
	lines := []string{"[[peer]]", "did = " + quote(s.DID.String())}
	if s.Name != "" {
		lines = append(lines, "name = "+quote(s.Name))
	}
	if len(s.Endpoints) > 0 {
		lines = append(lines, "endpoints = ["+quoteAll(s.Endpoints)+"]")
	}
	if len(s.AllowedIPs) > 0 {
		lines = append(lines, "allowed_ips = ["+quoteAll(s.AllowedIPs)+"]")
	}
	if s.Assigned.IsValid() {
		lines = append(lines, "assigned = "+quote(s.Assigned.String()))
	}
	if s.Hub {
		lines = append(lines, "hub = true")
	}
	return lines
}

// appendBlock adds lines at the end after one blank line, with the file's own
// kind of newline.
func appendBlock(data []byte, lines []string) []byte {
	nl := newline(data)
	out := bytes.Clone(data)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, nl...)
	}
	if len(out) > 0 {
		out = append(out, nl...)
	}
	return append(out, strings.Join(lines, nl)+nl...)
}

// cutBlock removes peer i, each of its blocks from its header to the line of its last
// entry, and the blank line that appendBlock would have put before it.
func cutBlock(path string, data []byte, i int) ([]byte, error) {
	doc, err := scan(path, data)
	if err != nil {
		return nil, err
	}
	cut := []*table{doc.peers[i]}
	for _, t := range doc.only {
		if t.about(doc.peers[i]) {
			cut = append(cut, t)
		}
	}
	slices.SortFunc(cut, func(a, b *table) int { return b.start - a.start })
	out := bytes.Clone(data)
	for _, t := range cut { // the last first
		start := t.start
		for _, blank := range []string{"\n\r\n", "\n\n"} {
			if bytes.HasSuffix(out[:start], []byte(blank)) {
				start -= len(blank) - 1
				break
			}
		}
		out = append(out[:start], out[t.end:]...)
	}
	return out, nil
}

// about reports whether an [[only]] block names a [[peer]], by its name or its DID.
func (t *table) about(peer *table) bool {
	who := t.text("peer")
	return who != "" && (who == peer.text("name") || who == peer.text("did"))
}

// text is the value of a key that is a string; "" without one.
func (t *table) text(key string) string {
	for i := range t.entries {
		if e := &t.entries[i]; e.key == key {
			return e.val.text
		}
	}
	return ""
}

// withoutPlace drops line and column from an error about text that was never
// written.
func withoutPlace(err error) error { return withoutPlaceAfter(err, 0) }

// withoutPlaceAfter does so for places after a line.
func withoutPlaceAfter(err error, line int) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Line > line {
		e.Line, e.Col = 0, 0
	}
	return err
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// CheckLink reports what another node's config would refuse of a peer and its
// prefixes, whatever else is in it.
func CheckLink(s PeerSpec, allowed []netip.Prefix) error {
	for _, p := range allowed {
		s.AllowedIPs = append(s.AllowedIPs, p.String())
	}
	_, err := Parse("the invitation", appendBlock([]byte("interface = "+quote(DefaultInterface)+"\n"), s.lines()))
	return withoutPlace(err)
}
