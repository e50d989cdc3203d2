package peercache

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/statefile"
)

// saveAfter is how long after a change the file is written, and so the least time
// between two writes.
const saveAfter = time.Minute

// PathOf is where the file of the node with a config lies: beside the config, as its key
// and its invitations do.
func PathOf(config string) string { return strings.TrimSuffix(config, ".toml") + ".peers" }

// Open reads the file at path, or begins with nothing, and writes it from then on, until
// Close. A file that cannot be used is warned of once, and replaced when there is
// something to write. A nil logger logs nothing.
func Open(path string, log *slog.Logger) *Cache {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Cache{path: path, log: log, changed: make(chan struct{}, 1), end: make(chan struct{}), peers: make(map[did.DID]*known)}
	entries, err := read(path)
	if err != nil {
		log.Warn("the addresses and keys of peers from before are not used", "file", path, "error", err)
	}
	c.fill(entries, time.Now())
	c.ended.Go(c.run)
	return c
}

// Close writes what has changed and ends the cache.
func (c *Cache) Close() {
	c.close.Do(func() { close(c.end) })
	c.ended.Wait()
}

// run writes changes, each within saveAfter.
func (c *Cache) run() {
	timer := time.NewTimer(saveAfter)
	defer timer.Stop()
	for due := false; ; due = !due {
		changed, over := c.changed, timer.C
		if due {
			changed = nil
			timer.Reset(saveAfter)
		} else {
			over = nil
		}
		select {
		case <-changed:
		case <-over:
			c.save()
		case <-c.end:
			c.save()
			return
		}
	}
}

// save writes the file if it is not as the table. What fails is tried again after the
// next change, and warned of once.
func (c *Cache) save() {
	text, dirty := c.text()
	if !dirty {
		return
	}
	err := statefile.Replace(c.path, text)
	if err == nil {
		c.failed = ""
		return
	}
	c.mu.Lock()
	c.dirty = true
	c.mu.Unlock()
	if c.failed != err.Error() {
		c.failed = err.Error()
		c.log.Warn("cannot store addresses and keys of peers; after a restart peers are found as at the first start", "file", c.path, "error", err)
	}
}

// read returns what the file says; nothing if there is none.
func read(path string) ([]entry, error) {
	text, _, err := statefile.Read(path, int64(maxSize))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, statefile.ErrKind):
		return nil, errForeign
	case err != nil:
		return nil, err
	}
	return decode(text)
}
