package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Dir is where configs lie: that of NAME is NAME.toml there, and makes the
// interface NAME unless it names another.
const Dir = "/etc/l2tun"

// PathOf is the config of a name.
func PathOf(name string) string { return filepath.Join(Dir, name+".toml") }

// Named is the interface of a config that names none: its file's name.
func Named(path string) string { return strings.TrimSuffix(filepath.Base(path), ".toml") }

// InterfaceOf finds the interface of the config at path even if the config is
// broken, so that a running node can be found by a file with a mistake in it. It
// never fails: what cannot be read has its file's name.
func InterfaceOf(path string) string {
	data, err := readFile(path)
	if err != nil {
		return Named(path)
	}
	if c, err := Parse(path, data); err == nil {
		return c.Interface
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimSpace(line), "[") {
			break // a table: interface stands before all of them
		}
		if m := interfaceLine().FindStringSubmatch(line); m != nil && CheckInterface(m[1]) == nil {
			return m[1]
		}
	}
	return Named(path)
}

func interfaceLine() *regexp.Regexp {
	return regexp.MustCompile(`^\s*interface\s*=\s*["']([^"']*)["']`)
}

// Names are the names of the configs in dir, sorted.
func Names(dir string) (names []string) {
	all, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil {
		return nil
	}
	for _, path := range all {
		names = append(names, Named(path))
	}
	return names
}

// Only returns the one config in dir; false if there are none or several.
func Only(dir string) (path string, ok bool) {
	names := Names(dir)
	if len(names) != 1 {
		return "", false
	}
	return filepath.Join(dir, names[0]+".toml"), true
}

// There reports whether there is a file at path.
func There(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
