package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

// asOwner runs f, which reads or writes files beside the config at path, with the
// rights of the system user where the folder is that user's: root's own files there
// would be closed to the node.
func asOwner(path string, f func() error) error {
	err := account.As(path, f)
	if _, other := account.Of(path); other && errors.Is(err, fs.ErrPermission) {
		return &Error{File: path, Msg: fmt.Sprintf("it, its key or its folder is closed to user %s, as whom the node of this folder runs; run chown -hR %s %s",
			account.Name, account.Name, filepath.Dir(path)), cause: err}
	}
	return err
}
