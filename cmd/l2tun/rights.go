package main

import (
	"errors"
	"io/fs"
)

// rights is what a user may do about a config or key that is another's: most are
// root's. Other rights that are missing are explained where they are needed.
func rights(err error, uid int) string {
	if uid == 0 || !errors.Is(err, fs.ErrPermission) || !isFileOrUsage(err) {
		return ""
	}
	return "; try sudo, or name a config of your own with --config"
}
