package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

// maxLog is the size at which a log is put aside, bytes. One more is kept.
const maxLog = 4 << 20

// An Entry is one document that was taken, in a network's log: who signed what, and what
// it brought about. The documents themselves carry the signatures.
type Entry struct {
	Time     time.Time `json:"time"`     // when it was taken here
	Document string    `json:"document"` // "head", "roster" or "removals"
	Signers  []string  `json:"signers"`  // DIDs
	Serial   uint64    `json:"serial"`   // 0 of removals
	Hash     string    `json:"hash"`     // of its text
	Issued   time.Time `json:"issued"`
	From     string    `json:"from"` // "here", "trust", or the DID of the node that had it
	Added    []string  `json:"added"`
	Removed  []string  `json:"removed"`
	Altered  []string  `json:"altered"`
}

// EntryOf is the entry of a document that was taken.
func EntryOf(doc []byte, c network.Change, from string, now time.Time) (Entry, error) {
	n, err := network.Parse(doc)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Time: now.UTC().Truncate(time.Second), Hash: network.TextHash(n.Text).String(), From: from,
		Signers: []string{}, Added: texts(c.Added), Removed: texts(c.Removed), Altered: texts(c.Altered)}
	for _, s := range n.Signers {
		e.Signers = append(e.Signers, s.DID.String())
	}
	if h, err := network.ParseHead(n.Text); err == nil {
		e.Document, e.Serial, e.Issued = "head", h.Serial, h.Issued
	} else if r, err := network.ParseRoster(n.Text); err == nil {
		e.Document, e.Serial, e.Issued = "roster", r.Serial, r.Issued
	} else if r, err := network.ParseRemovals(n.Text); err == nil {
		e.Document, e.Issued = "removals", r.Issued
	}
	return e, nil
}

func texts(all []did.DID) []string {
	out := make([]string, 0, len(all))
	for _, d := range all {
		out = append(out, d.String())
	}
	return out
}

// LogPath is the log of a network in a folder of networks.
func LogPath(folder string, id network.Hash) string {
	return filepath.Join(folder, id.String()+".log")
}

// Append appends an entry to the log of a network.
func Append(folder string, id network.Hash, e Entry) error {
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	path := LogPath(folder, id)
	if info, err := os.Lstat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// ReadLog is what Append has written, oldest first. A line that a crash has cut is left out.
func ReadLog(folder string, id network.Hash) (all []Entry, err error) {
	path := LogPath(folder, id)
	for _, p := range []string{path + ".old", path} {
		text, err := os.ReadFile(p)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the log of the network: %w", err)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
			var e Entry
			if json.Unmarshal([]byte(line), &e) == nil {
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// note enters a document into the log. A log that cannot be written stops nothing.
func (o *Owner) note(h *held, doc []byte, c network.Change, from string, now time.Time) {
	e, err := EntryOf(doc, c, from, now)
	if err == nil {
		o.c.Log.Info("a document of a network was taken", "network", h.local.Name, "document", e.Document, "serial", e.Serial, "from", from,
			"added", len(e.Added), "removed", len(e.Removed), "altered", len(e.Altered))
		err = Append(o.c.Folder, h.state.ID(), e)
	}
	if err != nil {
		o.c.Log.Warn("the log of a network is incomplete", "network", h.local.Name, "error", err)
	}
}
