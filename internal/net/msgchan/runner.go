package msgchan

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// again is the wait before another stream on a connection that lives although a
// stream of it has failed.
const again = 250 * time.Millisecond

// A Runner keeps the sending end of a channel on the connection in use. It belongs
// to one loop, and reads no clock.
type Runner struct {
	Channel *Channel
	// Go runs f in a goroutine of its own and then ended on the loop.
	Go func(f func() error, ended func(now time.Time))

	conn link.Conn // that the channel is on; nil: none
	run  uint64    // counts streams
	stop context.CancelFunc
	at   time.Time // when to open the channel again; zero: not
}

// Carry opens the channel on conn when a message waits and the channel is not
// carried there yet. It ends with ctx.
func (r *Runner) Carry(ctx context.Context, conn link.Conn) {
	if conn == nil || r.conn == conn || !r.Channel.Pending() {
		return
	}
	r.conn, r.at = conn, time.Time{}
	if r.stop != nil {
		r.stop()
	}
	ctx, cancel := context.WithCancel(ctx)
	r.stop = cancel
	r.run++
	run := r.run
	r.Go(func() error {
		defer cancel()
		return r.Channel.Carry(ctx, conn)
	}, func(now time.Time) { r.ended(run, now) })
}

// ended lets the channel be opened again, a moment later.
func (r *Runner) ended(run uint64, now time.Time) {
	if r.run == run {
		r.conn, r.at = nil, now.Add(again)
	}
}

// Stop ends what carries the channel. Carry begins anew.
func (r *Runner) Stop() {
	r.run++
	r.conn, r.at = nil, time.Time{}
	if r.stop != nil {
		r.stop()
	}
}

// Deadline is when Due has something to say; zero: never.
func (r *Runner) Deadline() time.Time { return r.at }

// Due reports, once, that the time has come to carry the channel again.
func (r *Runner) Due(now time.Time) bool {
	if r.at.IsZero() || now.Before(r.at) {
		return false
	}
	r.at = time.Time{}
	return true
}
