package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ErrNoPeer is in RemovePeer's error when the config has no such peer.
var ErrNoPeer = errors.New("config: no such peer")

// An Error is what is wrong with a config file, and where. Line and Col count
// from 1, Col in bytes; both are 0 when the error has no place in the text.
type Error struct {
	File      string
	Line, Col int
	Key       string // "listen", "session.ttl", "peer.did"; empty for broken TOML
	Msg       string
	cause     error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Col)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	return b.String() + ": " + e.Msg
}

// Unwrap is the cause, if there was one below (a missing file, say).
func (e *Error) Unwrap() error { return e.cause }

// A KeyError is a key file that is missing, unsafe or unreadable.
type KeyError struct {
	Path string
	Err  error
}

// Error is the sentence of package did, which names the path, or what to do where
// there is no key.
func (e *KeyError) Error() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return fmt.Sprintf("the key file %s is missing: restore it from a backup, or make a new identity (another DID) with l2tun id --new", e.Path)
	}
	return strings.TrimPrefix(e.Err.Error(), "did: ")
}

func (e *KeyError) Unwrap() error { return e.Err }

// An ExistsError is Init's refusal to overwrite.
type ExistsError struct{ Paths []string }

func (e *ExistsError) Error() string {
	if len(e.Paths) > 1 {
		return strings.Join(e.Paths, " and ") + " exist already: nothing was changed"
	}
	return e.Paths[0] + " exists already: nothing was changed"
}
