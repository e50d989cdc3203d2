package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/join"
)

// changes puts changed configs into use, one at a time. While one waits to be
// confirmed no other is applied: its rollback has to lead back to what was before.
type changes struct {
	path    string  // of the config
	id      did.DID // of this node
	log     *slog.Logger
	use     *applier
	confirm *confirmation

	mu sync.Mutex // one change at a time
}

var (
	_ control.Changer = (*changes)(nil)
	_ join.Host       = (*changes)(nil)
)

// Reload implements control.Handler. It applies the config file as it is now.
// Peers that did not change keep their sessions. A file that is wrong, or needs a
// new device or socket, changes nothing. A prefix whose packets go elsewhere, by a
// route that the kernel prefers, is named; the rest is applied.
func (x *changes) Reload(context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.Pending(); err != nil {
		return err
	}
	return x.stands(x.load())
}

// stands notes that the config in use is not to be rolled back, and returns err.
func (x *changes) stands(err error) error {
	x.use.memory.Prune()
	return err
}

// load applies the file; the caller holds mu.
func (x *changes) load() error {
	c, err := config.LoadTrusted(x.path)
	if err == nil {
		err = c.CheckOwn(x.id)
	}
	if err != nil {
		return mistake(err)
	}
	if err := x.InUse().CheckReload(c); err != nil {
		return err
	}
	return x.use.put(c)
}

// mistake tells the caller of an error whose file is wrong from one of the system.
func mistake(err error) error {
	if e, ok := errors.AsType[*config.Error](err); ok && !config.BySystem(err) {
		return refuse(http.StatusBadRequest, "%s", e.Error())
	}
	return err
}

// InUse implements join.Host: the file's, without the members of networks.
func (x *changes) InUse() *config.Config { return x.use.base.Load() }

// Pending implements join.Host.
func (x *changes) Pending() error {
	if x.confirm.pending() {
		return errPending()
	}
	return nil
}

// Apply implements join.Host.
func (x *changes) Apply(c *config.Config) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.Pending(); err != nil {
		return err
	}
	if err := c.CheckOwn(x.id); err != nil {
		return err
	}
	return x.stands(x.use.put(c))
}

// Confirm implements control.Changer.
func (x *changes) Confirm(context.Context) error {
	if !x.confirm.confirm() {
		return refuse(http.StatusConflict, "nothing waits to be confirmed; what was not confirmed in time is undone")
	}
	x.log.Info("confirmed")
	return x.stands(nil)
}

// ReloadUnlessUnconfirmed implements control.Changer: Reload, rolled back unless it
// is confirmed within a time. The file stays as it is: it is the owner's.
func (x *changes) ReloadUnlessUnconfirmed(_ context.Context, within time.Duration) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.Pending(); err != nil {
		return err
	}
	before := x.InUse()
	if err := x.load(); err != nil {
		if x.InUse() != before { // in part: there is nothing to confirm
			err = x.stands(errors.Join(err, x.use.put(before)))
		}
		return err
	}
	return x.confirm.begin(within, func() { x.rollBack(before, within) })
}

func (x *changes) rollBack(before *config.Config, within time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.log.Warn("the reload was not confirmed in time: rolled back to the previous config", "within", within)
	if err := x.stands(x.use.put(before)); err != nil {
		x.log.Error("the rollback to the previous config is incomplete", "error", err)
	}
}
