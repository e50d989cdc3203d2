package node

import (
	"errors"
	"net/http"
	"sync"
	"time"
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
