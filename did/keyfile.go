package did

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A key file is one line: keyFileTag, a space, the seed in base64, a newline.
const (
	keyFileTag = "l2tun-key-v1"
	keyFileMax = 4096 // bytes; more is not a key file
)

// GenerateKeyFile makes a new identity and writes its seed to path, readable by
// the owner only. It never overwrites: if anything is at path it fails with
// fs.ErrExist. The file appears under its name whole and synced, or not at all.
func GenerateKeyFile(path string) (*Identity, error) {
	if err := checkFolder(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	seed := make([]byte, SeedSize)
	rand.Read(seed)
	id, err := NewIdentity(seed)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, encodeKey(seed)); err != nil {
		return nil, fmt.Errorf("did: cannot write the key file %s: %w", path, plain(err))
	}
	return id, nil
}

// WriteKeyFile writes a seed, 32 bytes, to path as GenerateKeyFile does: a key that is
// brought back. If anything is at path it fails with fs.ErrExist.
func WriteKeyFile(path string, seed []byte) (*Identity, error) {
	id, err := NewIdentity(seed)
	if err != nil {
		return nil, err
	}
	if err := checkFolder(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := writeNew(path, encodeKey(seed)); err != nil {
		return nil, fmt.Errorf("did: cannot write the key file %s: %w", path, plain(err))
	}
	return id, nil
}

// KeyLine is the line of a key file, for a person to keep: whoever has it is the node.
func KeyLine(seed []byte) string { return strings.TrimSuffix(string(encodeKey(seed)), "\n") }

// ParseKeyLine returns the seed in a line of KeyLine. Space around it, and within, is what
// copying from paper brings. The error never repeats the line.
func ParseKeyLine(line string) ([]byte, error) {
	tag, b64, _ := strings.Cut(strings.TrimSpace(line), " ")
	seed, err := decodeKey(tag + " " + strings.Join(strings.Fields(b64), ""))
	if err != nil {
		return nil, fmt.Errorf("did: this is not the line of a key: it %w", err)
	}
	return seed, nil
}

// writeNew writes a temporary file beside path and links it to its name:
// unlike a rename, a link never replaces what is there.
func writeNew(path string, text []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	defer os.Remove(tmp)
	if err := writeSynced(tmp, text); err != nil {
		return err
	}
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadKeyFile reads the identity at path. It refuses a path that is not a
// regular file (it follows no symbolic link), a file that belongs to neither
// this user nor root or that others can read or write, and malformed content.
// Errors are one sentence that names the path.
func LoadKeyFile(path string) (id *Identity, err error) {
	seed, err := LoadSeed(path)
	if err != nil {
		return nil, err
	}
	return NewIdentity(seed)
}

// LoadSeed is LoadKeyFile for whoever keeps a copy of the key.
func LoadSeed(path string) ([]byte, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, fmt.Errorf("did: cannot open the key file %s: %w", path, plain(err))
	}
	defer f.Close()
	if err := checkFile(f, path); err != nil {
		return nil, err
	}
	if err := checkFolder(path); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, keyFileMax))
	if err != nil {
		return nil, fmt.Errorf("did: cannot read the key file %s: %w", path, plain(err))
	}
	seed, err := decodeKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %s %w", ErrKeyFile, path, err)
	}
	return seed, nil
}

// checkFile looks at the open file, so that nobody can swap it in between.
func checkFile(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("did: cannot look at the key file %s: %w", path, plain(err))
	}
	mode := info.Mode()
	switch {
	case mode.IsDir():
		return fmt.Errorf("%w: %s is a directory", ErrKeyFile, path)
	case !mode.IsRegular():
		return fmt.Errorf("%w: %s is not a regular file", ErrKeyFile, path)
	case !ownedByUsOrRoot(info):
		return fmt.Errorf("%w: %s belongs to another user", ErrKeyFile, path)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("%w: %s can be read or written by others (mode %04o); run chmod 600 on it", ErrKeyFile, path, mode.Perm())
	}
	return nil
}

// checkFolder refuses a folder in which others can put another file in the key's
// place, but for its owner: people keep what root runs in folders of their own. With
// the sticky bit others cannot. The folders above it are not looked at.
func checkFolder(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("did: cannot look at the folder of the key file %s: %w", path, plain(err))
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: %s lies in a folder that others can write to (mode %04o); take that from them with chmod go-w", ErrKeyFile, path, info.Mode().Perm())
	}
	return nil
}

func encodeKey(seed []byte) []byte {
	return []byte(keyFileTag + " " + base64.StdEncoding.EncodeToString(seed) + "\n")
}

var (
	errEmptyKey  = errors.New("is empty")
	errKeyTag    = errors.New(`does not begin with "` + keyFileTag + ` "`)
	errKeyBase64 = errors.New("does not hold one line with a seed of 32 bytes in base64")
)

// decodeKey accepts what encodeKey writes, with or without the newline. Its
// errors complete a sentence and never repeat the content.
func decodeKey(text string) ([]byte, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errEmptyKey
	}
	b64, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), keyFileTag+" ")
	if !ok {
		return nil, errKeyTag
	}
	seed, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(seed) != SeedSize || strings.ContainsAny(b64, "\r\n") {
		return nil, errKeyBase64
	}
	return seed, nil
}

// plain drops the operation and path of a PathError or LinkError: the sentence
// around it names the path already.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
