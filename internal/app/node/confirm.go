package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

// ErrNotConfirmed ends a node whose up --confirm was not confirmed in time.
var ErrNotConfirmed = errors.New("node: it was not confirmed in time, so all that it had set up is undone")

// A confirmation is one commit-confirmed change: it is rolled back unless it is
// confirmed in time, so that an operator who locked themselves out regains access.
type confirmation struct {
	wg sync.WaitGroup // the goroutine of the pending change

	mu      sync.Mutex
	waiting chan struct{} // closed by confirm; nil: no change is pending
	over    chan struct{} // closed by stop
	stopped sync.Once
}

func newConfirmation() *confirmation { return &confirmation{over: make(chan struct{})} }

// begin calls undo unless confirm is called within d. It refuses while another
// change is pending.
func (c *confirmation) begin(d time.Duration, undo func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil {
		return errPending()
	}
	pending := make(chan struct{})
	c.waiting = pending
	c.wg.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-pending:
		case <-c.over:
		case <-timer.C:
			if c.take(pending) {
				undo()
			}
		}
	})
	return nil
}

// take ends a pending change; false if it has ended.
func (c *confirmation) take(pending chan struct{}) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != pending || pending == nil {
		return false
	}
	c.waiting = nil
	return true
}

// confirm keeps the pending change; false if none is pending.
func (c *confirmation) confirm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return false
	}
	close(c.waiting)
	c.waiting = nil
	return true
}

func (c *confirmation) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting != nil
}

// stop gives up waiting; nothing is undone any more.
func (c *confirmation) stop() {
	c.stopped.Do(func() { close(c.over) })
	c.wg.Wait()
}

func errPending() error {
	return refuse(http.StatusConflict, "a change waits to be confirmed: run l2tun confirm, or wait until it is undone")
}

// Confirm implements control.Changer.
func (h handler) Confirm(context.Context) error {
	if !h.n.confirm.confirm() {
		return refuse(http.StatusConflict, "nothing waits to be confirmed; what was not confirmed in time is undone")
	}
	h.n.log.Info("confirmed")
	return nil
}

// ReloadUnlessUnconfirmed implements control.Changer.
func (h handler) ReloadUnlessUnconfirmed(ctx context.Context, within time.Duration) error {
	return h.n.reloadFor(ctx, within)
}

// reloadFor is reload, undone unless it is confirmed within d. The file stays as
// it is: it is the owner's.
func (n *node) reloadFor(ctx context.Context, d time.Duration) error {
	n.reloads.Lock()
	defer n.reloads.Unlock()
	if n.confirm.pending() {
		return errPending()
	}
	before := n.config.Load()
	if err := n.load(ctx); err != nil {
		if n.config.Load() != before { // in part: there is nothing to confirm
			err = errors.Join(err, n.apply(before))
		}
		return err
	}
	return n.confirm.begin(d, func() { n.goBack(before, d) })
}

func (n *node) goBack(before *config.Config, d time.Duration) {
	n.reloads.Lock()
	defer n.reloads.Unlock()
	n.log.Warn("the reload was not confirmed in time: rolled back to the previous config", "within", d)
	if err := n.apply(before); err != nil {
		n.log.Error("the rollback to the previous config is incomplete", "error", err)
	}
}

var _ control.Changer = handler{}

// confirmStart lets a node that is up live on only if that is confirmed.
func (n *node) confirmStart(fail context.CancelCauseFunc) error {
	n.defers(n.confirm.stop)
	if n.o.Confirm == 0 {
		return nil
	}
	return n.confirm.begin(n.o.Confirm, func() {
		fail(fmt.Errorf("%w (waited %s)", ErrNotConfirmed, n.o.Confirm))
	})
}
