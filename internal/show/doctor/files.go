package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/base/account"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

func (e *exam) lookAtConfig(context.Context) {
	c, err := config.Load(e.o.ConfigPath)
	if err != nil {
		e.configError(err)
		return
	}
	e.config = c
	if _, err := config.LoadTrusted(e.o.ConfigPath); err != nil {
		what := strings.TrimPrefix(err.Error(), e.o.ConfigPath+": ")
		what, _, _ = strings.Cut(what, "; ")
		run := "chmod go-w " + quoted(e.o.ConfigPath)
		switch {
		case strings.HasPrefix(what, "lies in "):
			folder, _, _ := strings.Cut(strings.TrimPrefix(what, "lies in "), ",")
			run = "chmod go-w " + quoted(folder)
		case strings.HasPrefix(what, "belongs to "):
			run = fmt.Sprintf("chown %d %s", os.Geteuid(), quoted(e.o.ConfigPath))
			if u, other := account.Of(e.o.ConfigPath); other {
				run = fmt.Sprintf("chown %d %s", u.UID, quoted(e.o.ConfigPath))
			}
		case errors.Is(err, fs.ErrPermission):
			run = e.giveFolder()
		}
		e.find(health.ConfigModes, control.LevelError, e.o.ConfigPath, what, "let the node's user alone write it: up and reload refuse it as it is", run)
	}
}

// giveFolder makes all in the folder of a config the system user's.
func (e *exam) giveFolder() string {
	return "chown -hR " + account.Name + " " + quoted(filepath.Dir(e.o.ConfigPath))
}

// configError tells a file that is not there, one that this user may not read, and
// one with a mistake in it from each other.
func (e *exam) configError(err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.find(health.Config, control.LevelError, e.o.ConfigPath, "no such file", "make a config, or name the one that there is: -i NAME", "l2tun init"+e.o.Flag)
	case errors.Is(err, fs.ErrPermission):
		e.find(health.Config, control.LevelError, e.o.ConfigPath, "cannot be read by this user", "run doctor as root, or as the user who runs the node", "sudo l2tun doctor"+e.o.Flag)
	default:
		e.find(health.Config, control.LevelError, "", err.Error(), "fix the file at that line; a node that runs goes on with what it read before")
	}
}

// quoted is a path for a shell.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func (e *exam) lookAtKey(context.Context) {
	path := config.KeyPath(e.o.ConfigPath)
	id, err := config.LoadIdentity(e.o.ConfigPath)
	switch {
	case err == nil:
		if e.config != nil {
			if err := e.config.CheckOwn(id.DID()); err != nil {
				e.find(health.Config, control.LevelError, "", err.Error(), "fix the file at that line")
			}
		}
	case errors.Is(err, fs.ErrNotExist):
		e.find(health.Key, control.LevelError, path, "is missing", "restore it from a backup; without one make a new identity and give its DID to the peers", "l2tun id --new"+e.o.Flag)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		e.find(health.Key, control.LevelError, path, "cannot be read by user "+account.Name+", as whom the node of this folder runs", "give the folder's files to that user", e.giveFolder())
	case errors.Is(err, fs.ErrPermission):
		e.find(health.Key, control.LevelWarning, path, "cannot be read by this user", "run doctor as root, or as the user who runs the node", "sudo l2tun doctor"+e.o.Flag)
	default:
		do, run := "restore it from a backup; without one make a new identity and give its DID to the peers", "l2tun id --new"+e.o.Flag
		if info, serr := os.Lstat(path); serr == nil && (errors.Is(err, did.ErrKeyFile) && info.Mode().Perm()&0o077 != 0) {
			do, run = "let its owner alone read it; if others may have read it, make a new identity: l2tun id --new"+e.o.Flag, "chmod 600 "+quoted(path)
		}
		e.find(health.Key, control.LevelError, path, "is refused: "+err.Error(), do, run)
	}
}

// released is before this program was: a clock that shows less is wrong.
func released() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// clockSlack is how far a file's time may lie ahead of the clock.
const clockSlack = 10 * time.Minute

// lookAtClock has no other clock to compare with: it looks for the impossible.
func (e *exam) lookAtClock(context.Context) {
	const do, run = "set the clock, best by NTP; sessions go on, but logs, dates and other programs need it", "timedatectl set-ntp true"
	if e.now.Before(released()) {
		e.find(health.Clock, control.LevelWarning, "", "the clock shows "+e.now.UTC().Format(time.DateTime)+", which is before this program was made", do, run)
		return
	}
	for _, path := range []string{e.o.ConfigPath, config.KeyPath(e.o.ConfigPath)} {
		if info, err := os.Stat(path); err == nil && info.ModTime().Sub(e.now) > clockSlack {
			e.find(health.Clock, control.LevelWarning, "", fmt.Sprintf("the clock shows %s, but %s was written at %s: one of the two is wrong",
				e.now.UTC().Format(time.DateTime), path, info.ModTime().UTC().Format(time.DateTime)), do, run)
			return
		}
	}
}
