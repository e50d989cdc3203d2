package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/libertaria-project/l2tun/did"
)

// NewIdentity gives the config at path another key and keeps the old file aside,
// under the name that is returned; "" if there was none. At no moment is there
// no key file. Errors are *Error and *KeyError.
func NewIdentity(path string) (id *did.Identity, old string, err error) {
	err = asOwner(path, func() error {
		id, old, err = newIdentity(path)
		return err
	})
	return id, old, err
}

func newIdentity(path string) (id *did.Identity, old string, err error) {
	_, unlock, err := lockFor(path)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	key := KeyPath(path)
	made := key + ".new"
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was interrupted
		return nil, "", &KeyError{Path: made, Err: err}
	}
	if id, err = did.GenerateKeyFile(made); err != nil {
		return nil, "", &KeyError{Path: made, Err: err}
	}
	if old, err = keepAside(key); err == nil {
		err = os.Rename(made, key)
	}
	if err != nil {
		os.Remove(made)
		return nil, "", &KeyError{Path: key, Err: err}
	}
	return id, old, nil
}

// maxOld bounds how many old keys are kept beside a config.
const maxOld = 100

// keepAside gives a file a second name that is free.
func keepAside(path string) (old string, err error) {
	for n := 1; n <= maxOld; n++ {
		old = fmt.Sprintf("%s.old%d", path, n)
		err = os.Link(path, old)
		switch {
		case err == nil:
			return old, nil
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		case !errors.Is(err, fs.ErrExist):
			return "", err
		}
	}
	return "", fmt.Errorf("there are %d old keys beside it; remove some", maxOld)
}
