// Package bugreport makes a bundle for support: a tar.gz of diagnostics of a node,
// without its secrets. Each file passes through a Cleaner, which takes out the node's key in every form in which it
// could have got anywhere, and whatever looks like a secret.
package bugreport

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"
)

// Removed stands where something secret was.
const Removed = "(removed)"

// MaxFile is the most of one file that is taken: its end, bytes.
const MaxFile = 1 << 20

// A File is one file of the bundle.
type File struct {
	Name string
	Data []byte
}

// A Cleaner takes secrets out of texts.
type Cleaner struct {
	known    *strings.Replacer
	patterns []*regexp.Regexp
}

// minSecret is the shortest secret that is looked for: shorter ones are in
// ordinary texts by chance.
const minSecret = 8

// NewCleaner returns a cleaner that knows some secrets as texts. What is base64 is
// also found raw and in hex.
func NewCleaner(secrets ...string) *Cleaner {
	var pairs []string
	for _, s := range secrets {
		for _, form := range forms(s) {
			if len(form) >= minSecret {
				pairs = append(pairs, form, Removed)
			}
		}
	}
	return &Cleaner{strings.NewReplacer(pairs...), []*regexp.Regexp{
		regexp.MustCompile(`l2tun-key-v1[ \t]+\S+`),
		regexp.MustCompile(`l2tun:join\?[^\s"']+`),
		regexp.MustCompile(`(?i)\b((?:[a-z0-9]+[_-])*(?:token|secret|seed|psk|password|passphrase|private[_-]?key)s?\\?"?\s*[=:]\s*)(?:\\"(?:[^"\\\n]|\\[^"\n])*\\?"|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\[[^\]\n]*\]|[^\s,}"']+)`),
	}}
}

// forms are the ways in which a secret may be written.
func forms(s string) []string {
	all := []string{s, strings.TrimRight(s, "=")}
	if raw, err := base64.StdEncoding.DecodeString(s); err == nil {
		all = append(all, string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
			base64.RawURLEncoding.EncodeToString(raw), fmt.Sprint(raw))
	}
	return all
}

// Clean returns b without secrets.
func (c *Cleaner) Clean(b []byte) []byte {
	text := c.known.Replace(string(b))
	for _, p := range c.patterns {
		repl := Removed
		if p.NumSubexp() == 1 {
			repl = "${1}" + Removed
		}
		text = p.ReplaceAllString(text, repl)
	}
	return []byte(text)
}

// Write writes a bundle: all files, cleaned, in one folder.
func Write(w io.Writer, folder string, now time.Time, c *Cleaner, files []File) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, f := range files {
		data := c.Clean(f.Data)
		data = data[max(0, len(data)-MaxFile):] // after cleaning: half a secret is not known
		head := &tar.Header{Name: path.Join(folder, f.Name), Mode: 0o600, Size: int64(len(data)), ModTime: now, Format: tar.FormatPAX}
		if err := t.WriteHeader(head); err != nil {
			return fmt.Errorf("bugreport: %w", err)
		}
		if _, err := t.Write(data); err != nil {
			return fmt.Errorf("bugreport: %w", err)
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return fmt.Errorf("bugreport: %w", err)
	}
	return nil
}
