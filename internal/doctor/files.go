package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/config"
	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/health"
)

func (e *exam) lookAtConfig(context.Context) {
	c, err := config.Load(e.o.ConfigPath)
	if err != nil {
		e.find(health.Config, control.LevelError, "", err.Error(), "mend the file at that place; l2tun init --config "+e.o.ConfigPath+" makes a new one where there is none")
		return
	}
	e.config = c
	if _, err := config.LoadTrusted(e.o.ConfigPath); err != nil {
		what := strings.TrimPrefix(err.Error(), e.o.ConfigPath+": ")
		what, do, _ := strings.Cut(what, "; ")
		e.find(health.ConfigModes, control.LevelError, e.o.ConfigPath, what, cmp.Or(do, "l2tun up and reload refuse it"))
	}
}

func (e *exam) lookAtKey(context.Context) {
	path := config.KeyPath(e.o.ConfigPath)
	id, err := config.LoadIdentity(e.o.ConfigPath)
	switch {
	case err == nil:
		if e.config != nil {
			if err := e.config.CheckOwn(id.DID()); err != nil {
				e.find(health.Config, control.LevelError, "", err.Error(), "mend the file at that place")
			}
		}
	case errors.Is(err, fs.ErrNotExist):
		e.find(health.Key, control.LevelError, path, "is not there", "restore it from a copy, or make a new identity with l2tun init; the DID is then another one")
	case errors.Is(err, fs.ErrPermission):
		e.find(health.Key, control.LevelWarning, path, "cannot be read by this user", "run doctor as the user who runs the node, or as root")
	default:
		do := "restore it from a copy"
		if info, serr := os.Lstat(path); serr == nil && (errors.Is(err, did.ErrKeyFile) && info.Mode().Perm()&0o077 != 0) {
			do = "chmod 600 " + path + "; if others may have read it, make a new identity"
		}
		e.find(health.Key, control.LevelError, path, "is refused: "+err.Error(), do)
	}
}

// released is before this program was: a clock that shows less is wrong.
func released() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// clockSlack is how far a file's time may lie ahead of the clock.
const clockSlack = 10 * time.Minute

// lookAtClock has no other clock to compare with: it looks for the impossible.
func (e *exam) lookAtClock(context.Context) {
	const do = "set it, best by NTP (timedatectl set-ntp true); sessions go on, but logs, dates and other programs need it"
	if e.now.Before(released()) {
		e.find(health.Clock, control.LevelWarning, "", "the clock shows "+e.now.UTC().Format(time.DateTime)+", which is before this program was made", do)
		return
	}
	for _, path := range []string{e.o.ConfigPath, config.KeyPath(e.o.ConfigPath)} {
		if info, err := os.Stat(path); err == nil && info.ModTime().Sub(e.now) > clockSlack {
			e.find(health.Clock, control.LevelWarning, "", fmt.Sprintf("the clock shows %s, but %s was written at %s: one of the two is wrong",
				e.now.UTC().Format(time.DateTime), path, info.ModTime().UTC().Format(time.DateTime)), do)
			return
		}
	}
}
