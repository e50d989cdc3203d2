package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/libertaria-project/l2tun/did"
)

// A JoinSpec is what joining a network writes.
type JoinSpec struct {
	Init    InitSpec     // of a config that is not there yet; its Path is the one
	Peer    PeerSpec     // the inviting node
	Hubs    []PeerSpec   // that help to reach it
	Address netip.Prefix // further address of this node; zero: none
	Network *Network     // that is joined, in place of all above but Init; nil: none
}

// A Prepared edit is checked and on the disk, and in nobody's way: only a rename
// is missing. The caller calls Commit, and Cancel in any case.
type Prepared struct {
	Identity *did.Identity

	path string
	spec JoinSpec
	base []byte // what was edited
	file *renameio.PendingFile
	made []string // that Cancel removes: there was no config before
}

// PrepareJoin makes the config and the key if neither is there, and prepares the
// edit. What it refuses has changed nothing. Errors are *Error, *KeyError and
// *ExistsError.
func PrepareJoin(s JoinSpec) (p *Prepared, err error) {
	err = asOwner(s.Init.Path, func() error {
		p, err = prepareJoin(s)
		return err
	})
	return p, err
}

func prepareJoin(s JoinSpec) (p *Prepared, err error) {
	p = &Prepared{path: s.Init.Path, spec: s}
	defer func() {
		if err != nil {
			p.cancel()
		}
	}()
	if _, err := os.Lstat(p.path); errors.Is(err, fs.ErrNotExist) {
		if err := p.init(); err != nil {
			return p, err
		}
	}
	if p.Identity, err = LoadIdentity(p.path); err != nil {
		return p, err
	}
	real, unlock, err := lockFor(p.path)
	if err != nil {
		return p, err
	}
	defer unlock()
	return p, p.stage(real)
}

// init makes what Init makes, and notes what Cancel has to remove.
func (p *Prepared) init() error {
	dir := filepath.Dir(p.path)
	_, none := os.Lstat(dir)
	if _, err := Init(p.spec.Init); err != nil {
		if errors.Is(none, fs.ErrNotExist) {
			os.Remove(dir)
		}
		return err
	}
	p.made = []string{p.path, KeyPath(p.path)}
	if errors.Is(none, fs.ErrNotExist) {
		p.made = append(p.made, dir)
	}
	return nil
}

// stage edits the file as it is now; the caller holds the lock.
func (p *Prepared) stage(real string) error {
	data, err := readFile(p.path)
	if err != nil {
		return err
	}
	out, err := p.spec.edit(p.path, data)
	if err != nil {
		return err
	}
	file, err := stage(real, out)
	if err != nil {
		return fileError(p.path, err)
	}
	p.base, p.file = data, file
	return nil
}

// Commit puts the edit in place. If the file was changed since, the edit is made
// anew on what it is now.
func (p *Prepared) Commit() error { return asOwner(p.path, p.commit) }

func (p *Prepared) commit() error {
	real, unlock, err := lockFor(p.path)
	if err != nil {
		return err
	}
	defer unlock()
	data, err := readFile(p.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, p.base) {
		p.file.Cleanup()
		if err := p.stage(real); err != nil {
			return err
		}
	}
	if err := p.file.CloseAtomicallyReplace(); err != nil {
		return fileError(p.path, err)
	}
	p.made = nil
	return nil
}

// Keep makes Cancel leave a config and key that PrepareJoin has made: the other
// node knows them by now.
func (p *Prepared) Keep() { p.made = nil }

// Cancel removes what PrepareJoin made. After Commit it does nothing.
func (p *Prepared) Cancel() {
	_ = asOwner(p.path, func() error { p.cancel(); return nil })
}

func (p *Prepared) cancel() {
	if p.file != nil {
		p.file.Cleanup()
	}
	for _, path := range p.made {
		os.Remove(path)
	}
	p.made = nil
}

func (s *JoinSpec) edit(path string, data []byte) ([]byte, error) {
	if s.Network != nil {
		return withNetwork(path, data, s.Network)
	}
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if s.Address.IsValid() {
		if data, err = withAddress(c, data, s.Address); err != nil {
			return nil, err
		}
	}
	peer := s.Peer
	peer.Assigned = s.Address
	out := appendBlock(data, peer.lines())
	for _, h := range s.Hubs {
		if out, err = withHub(path, out, h); err != nil {
			return nil, err
		}
	}
	return out, withoutPlaceAfter(checkEdited(path, out), bytes.Count(data, []byte("\n")))
}

// withHub adds a hub, or makes the peer one that is there already. A name that is
// taken is left out, and so is this node itself.
func withHub(path string, data []byte, h PeerSpec) ([]byte, error) {
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if own, err := ownDID(path); err != nil || own == h.DID {
		return data, err
	}
	i := c.find(h.DID.String())
	if i >= 0 {
		hub := true
		return PeerChange{Hub: &hub}.apply(&block{path, data, i}, &c.Peers[i])
	}
	if c.find(h.Name) >= 0 {
		h.Name = ""
	}
	h.Hub = true
	return appendBlock(data, h.lines()), nil
}

// withAddress adds an address to the text. A second one in a network that the
// node is in already would never be used as a source, so it is refused.
func withAddress(c *Config, data []byte, a netip.Prefix) ([]byte, error) {
	for _, have := range c.Addresses {
		switch {
		case have == a:
			return data, nil
		case have.Masked().Overlaps(a.Masked()):
			return nil, &Error{File: c.Path, Key: "addresses", Msg: fmt.Sprintf("this node is %s already and the invitation gives it %s; ask for one made with --no-address --allowed-ip %s/%d",
				have, a, have.Addr(), have.Addr().BitLen())}
		}
	}
	doc, err := scan(c.Path, data)
	if err != nil {
		return nil, err
	}
	at, text := doc.addressPlace(quote(a.String()))
	out := append(append(bytes.Clone(data[:at]), text...), data[at:]...)
	now, err := Parse(c.Path, out)
	if err != nil || len(now.Addresses) != len(c.Addresses)+1 || now.Addresses[len(now.Addresses)-1] != a {
		return nil, &Error{File: c.Path, Key: "addresses", Msg: fmt.Sprintf("add %s to this line yourself, and join again", quote(a.String()))}
	}
	return out, nil
}

// addressPlace is where a further element of addresses goes, and the text for it
// there: behind the last element, into the empty array, or a new line.
func (d *document) addressPlace(elem string) (at int, text string) {
	for _, e := range d.top.entries {
		if e.key != "addresses" {
			continue
		}
		if n := len(e.val.elems); n > 0 {
			last := e.val.elems[n-1]
			return d.offset(last.at) + len(last.text) + 2, ", " + elem
		}
		from := d.offset(e.at)
		return from + bytes.IndexByte(d.data[from:], '[') + 1, elem
	}
	nl := "\n"
	if bytes.Contains(d.data, []byte("\r\n")) {
		nl = "\r\n"
	}
	line := "addresses = [" + elem + "]" + nl
	if d.top.end > 0 && d.data[d.top.end-1] != '\n' {
		line = nl + line
	}
	return d.top.end, line
}

func (d *document) offset(at position) int { return d.lines[at.line-1] + at.col - 1 }
