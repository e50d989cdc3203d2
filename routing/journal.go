package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

const (
	journalVersion = 1
	maxJournal     = 64 << 20 // bytes; more is no journal
	// compactAt is how many lines may be about what is gone already.
	compactAt = 4096
)

// A Journal is a file (0600) that says what a process has put into the kernel
// beside its device: each line is written before the thing is done. Devices
// mostly take it all with them; one that outlives its process does not, and then
// UndoJournal takes out what is left. It is safe for concurrent use.
type Journal struct {
	path string
	head journalHead

	mu   sync.Mutex
	file *os.File                   // nil once closed
	live map[journalKey]journalLine // in the file and not undone
	dead int                        // lines about what is not
}

// journalHead is the first line. A journal of another boot is about nothing.
type journalHead struct {
	Version   int    `json:"version"`
	Boot      string `json:"boot"`
	Interface string `json:"interface"`
	Index     int    `json:"index"`
	Netns     uint64 `json:"netns,omitempty"` // inode of the network namespace
}

type journalKey struct {
	Prefix  netip.Prefix
	Address bool
	Setting string
}

// journalLine is one change. Of a route that stood for the kernel's own it says
// how that one was.
type journalLine struct {
	Done    string       `json:"done"` // "put" or "gone"
	Prefix  netip.Prefix `json:"prefix"`
	Address bool         `json:"address"`           // else a route
	Metric  int          `json:"metric,omitempty"`  // of the route
	Instead bool         `json:"instead,omitempty"` // of the connected route
	Src     netip.Addr   `json:"src,omitzero"`      // preferred source of that one

	Setting string `json:"setting,omitempty"` // below /proc/sys/net, instead of a prefix
	Before  string `json:"before,omitempty"`  // what it was
	Value   string `json:"value,omitempty"`   // what it is made
}

func (l journalLine) key() journalKey { return journalKey{l.Prefix, l.Address, l.Setting} }

// NewJournal begins a journal in place of what is at path.
func NewJournal(path, device string, index int) (*Journal, error) {
	j := &Journal{path: path, head: journalHead{journalVersion, bootID(), device, index, namespace()}, live: make(map[journalKey]journalLine)}
	if err := j.begin(); err != nil {
		return nil, err
	}
	return j, nil
}

// begin writes a file with what is live, and puts it in place by one rename.
func (j *Journal) begin() error {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.Encode(j.head)
	for _, l := range j.live {
		lines.Encode(l)
	}
	next := j.path + ".new"
	os.Remove(next)                                                                                      // of a process that was killed; a name, so that no link is followed
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW|os.O_APPEND, 0o600) // EXCL: nothing that somebody has prepared
	if err == nil {
		if _, err = f.Write(text.Bytes()); err == nil {
			err = os.Rename(next, j.path)
		}
		if err != nil {
			f.Close()
			os.Remove(next)
		}
	}
	if err != nil {
		return fmt.Errorf("routing: begin the journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.dead = f, 0
	return nil
}

// PutAddress notes an address that is about to be given to the device; a nil
// journal notes nothing.
func (j *Journal) PutAddress(p netip.Prefix) error {
	return j.put(journalLine{Prefix: p, Address: true})
}

// GoneAddress notes that an address was taken away.
func (j *Journal) GoneAddress(p netip.Prefix) { j.gone(journalKey{Prefix: p, Address: true}) }

func (j *Journal) put(l journalLine) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l.Done = "put"
	if have, there := j.live[l.key()]; there && have == l {
		return nil
	}
	if err := j.append(l); err != nil {
		return err
	}
	j.live[l.key()] = l
	return nil
}

// gone reports no error: UndoJournal ignores a line whose thing is gone.
func (j *Journal) gone(k journalKey) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, there := j.live[k]; !there {
		return
	}
	delete(j.live, k)
	if j.dead += 2; j.dead > compactAt && j.dead > len(j.live) && j.file != nil {
		_ = j.begin()
		return
	}
	_ = j.append(journalLine{Done: "gone", Prefix: k.Prefix, Address: k.Address, Setting: k.Setting})
}

// append is one write, so that a process that dies leaves whole lines and at
// most one that is cut.
func (j *Journal) append(l journalLine) error {
	if j.file == nil {
		return fmt.Errorf("routing: journal: %w", os.ErrClosed)
	}
	text, err := json.Marshal(l)
	if err == nil {
		_, err = j.file.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("routing: write the journal: %w", err)
	}
	return nil
}

// Close ends the journal and removes its file: everything is undone, or the
// device is gone. It is idempotent, also on nil.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Close(), os.Remove(j.path))
	j.file = nil
	return err
}

// readJournal returns what a journal says was put and not undone. A last line
// that was cut short is left out: its change was never made.
func readJournal(path string) (h journalHead, live map[journalKey]journalLine, err error) {
	text, err := readOwn(path)
	if err != nil {
		return h, nil, err
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	if json.Unmarshal([]byte(first), &h) != nil || h.Version != journalVersion {
		return h, nil, fmt.Errorf("routing: %s is not a journal of this version", path)
	}
	live = make(map[journalKey]journalLine)
	for line := range strings.Lines(rest) {
		var l journalLine
		if json.Unmarshal([]byte(line), &l) != nil || !l.Prefix.IsValid() && l.Setting == "" {
			continue
		}
		if l.Done == "put" {
			live[l.key()] = l
		} else {
			delete(live, l.key())
		}
	}
	return h, live, nil
}

// readOwn reads a file that nobody else can have written: what a journal says is
// done with the rights of the node.
func readOwn(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("routing: %s is a symbolic link, not a journal; remove it", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxJournal {
		return nil, fmt.Errorf("routing: %s is not a journal", path)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() && !account.Is(int(st.Uid)) || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("routing: %s was written by another user, or others can write to it; remove it", path)
	}
	return io.ReadAll(io.LimitReader(f, maxJournal))
}

// LeftJournal reports whether a journal is at path: a process ended without
// undoing.
func LeftJournal(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// namespace is the inode of the calling thread's network namespace; 0: not known.
func namespace() uint64 {
	info, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return 0
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	if st == nil {
		return 0
	}
	return st.Ino
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
