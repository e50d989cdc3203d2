package routing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const sysctlDir = "/proc/sys/net"

// Settings owns settings of the kernel's network (sysctl net.*) that it has
// changed, in the namespace of the calling thread. It is safe for concurrent use.
type Settings struct {
	journal *Journal

	mu     sync.Mutex
	before map[string]string // by path below sysctlDir
	set    map[string]string
	looked map[string]bool // it has been what it should be
}

// NewSettings changes nothing yet. The journal may be nil.
func NewSettings(j *Journal) *Settings {
	return &Settings{journal: j, before: make(map[string]string), set: make(map[string]string), looked: make(map[string]bool)}
}

// Hold sets a setting, and reports whether another program has changed it since the
// last Hold; the first Hold reports false. A setting that this kernel does not have,
// or that a container may only read, is left.
func (s *Settings) Hold(path, value string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is, err := readSetting(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && is == value {
		s.looked[path] = true
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("routing: read setting net/%s: %w", path, err)
	}
	_, held := s.set[path]
	if !held {
		if err := s.journal.put(journalLine{Setting: path, Before: is, Value: value}); err != nil {
			return false, err
		}
	}
	if err := writeSetting(path, value); err != nil {
		if !held {
			s.journal.gone(journalKey{Setting: path})
		}
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
			return false, nil
		}
		return false, fmt.Errorf("routing: change setting net/%s: %w", path, err)
	}
	if !held {
		s.before[path], s.set[path] = is, value
	}
	changed := s.looked[path]
	s.looked[path] = true
	return changed, nil
}

// Undo gives settings back that nobody else has changed since.
func (s *Settings) Undo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, value := range s.set {
		restore(path, value, s.before[path])
		s.journal.gone(journalKey{Setting: path})
	}
	clear(s.set)
	clear(s.looked)
}

func restore(path, ours, before string) bool {
	is, err := readSetting(path)
	return err == nil && is == ours && is != before && writeSetting(path, before) == nil
}

// undoSettings is Undo for a process that was killed.
func undoSettings(h journalHead, live map[journalKey]journalLine) (undone []string) {
	if h.Netns != namespace() {
		return nil
	}
	for _, l := range live {
		if l.Setting != "" && filepath.IsLocal(l.Setting) && restore(l.Setting, l.Value, l.Before) {
			undone = append(undone, l.name())
		}
	}
	return undone
}

func readSetting(path string) (string, error) {
	text, err := os.ReadFile(filepath.Join(sysctlDir, path))
	return strings.TrimSpace(string(text)), err
}

func writeSetting(path, value string) error {
	return os.WriteFile(filepath.Join(sysctlDir, path), []byte(value), 0)
}
