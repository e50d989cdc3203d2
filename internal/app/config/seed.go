package config

import (
	"errors"
	"io/fs"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// Seed is the secret of the key file of the config at path, for a person who keeps a copy.
// Its errors are *KeyError.
func Seed(path string) (seed []byte, err error) {
	err = asOwner(path, func() error {
		seed, err = did.LoadSeed(KeyPath(path))
		return err
	})
	if err != nil {
		return nil, &KeyError{Path: KeyPath(path), Err: err}
	}
	return seed, nil
}

// RestoreKey writes a key that was kept elsewhere beside the config at path, which need not
// be there yet. It replaces no other key. Errors are *KeyError and *ExistsError.
func RestoreKey(path string, seed []byte) (id *did.Identity, err error) {
	err = asOwner(path, func() error {
		id, err = did.WriteKeyFile(KeyPath(path), seed)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, &ExistsError{[]string{KeyPath(path)}}
	case err != nil:
		return nil, &KeyError{Path: KeyPath(path), Err: err}
	}
	return id, nil
}

// LetRelay makes the node of the config at path a hub for members of its networks
// (relay = "network"), unless the file says something else. It reports whether the node is
// one now.
func LetRelay(path string) (is bool, err error) {
	err = rewrite(path, func(data []byte) ([]byte, error) {
		c, err := Parse(path, data)
		if err != nil {
			return nil, err
		}
		doc, err := scan(path, data)
		if err != nil {
			return nil, err
		}
		for _, e := range doc.top.entries {
			if e.key == "relay" {
				is = c.Relay == relay.Network
				return data, nil
			}
		}
		nl := newline(data)
		at, line := doc.top.end, "relay = "+quote(relay.Network.String())+nl
		if at > 0 && data[at-1] != '\n' {
			line = nl + line
		}
		out := append(append(append([]byte{}, data[:at]...), line...), data[at:]...)
		now, err := Parse(path, out)
		is = err == nil && now.Relay == relay.Network
		return out, withoutPlace(err)
	})
	return is && err == nil, err
}
