package node

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/internal/show/capture"
)

// captureFlush is how long a packet may wait in the writer's buffer.
const captureFlush = 200 * time.Millisecond

// captures answers l2tun capture.
type captures struct{ peers peerCalls }

// Capture implements control.Observer.
func (c captures) Capture(ctx context.Context, o control.CaptureOptions, begin func(), w io.Writer) (control.Captured, error) {
	var of *datapath.Peer
	if o.Peer != "" {
		s, err := c.peers.session(o.Peer)
		if err != nil {
			return control.Captured{}, err
		}
		of = s.Plane().(*datapath.Peer)
	}
	if o.SnapLen <= 0 || o.SnapLen > capture.MaxPacket {
		o.SnapLen = capture.MaxPacket
	}
	tap, err := c.peers.use.data.Tap(of, o.SnapLen)
	if err != nil {
		return control.Captured{}, refuse(http.StatusServiceUnavailable, "%v", err)
	}
	defer tap.Close()
	begin()
	run := &capturing{use: c.peers.use, tap: tap, names: make(map[*datapath.Peer]string), left: o.Count}
	return run.run(ctx, w, o.SnapLen)
}

// A capturing copies packets from a tap to a stream.
type capturing struct {
	use   *applier
	tap   *datapath.Tap
	w     *capture.Writer
	names map[*datapath.Peer]string
	left  int // packets; 0: no end
}

func (c *capturing) run(ctx context.Context, w io.Writer, snap int) (got control.Captured, err error) {
	if c.w, err = capture.NewWriter(w, control.Program(), c.use.dev.Name(), snap); err != nil {
		return got, err
	}
	flush := time.NewTicker(captureFlush)
	defer flush.Stop()
	for err == nil && (c.left == 0 || c.w.Packets() < uint64(c.left)) && ctx.Err() == nil {
		select {
		case p := <-c.tap.Packets():
			err = c.add(p)
		case <-flush.C:
			err = c.w.Flush()
		case <-ctx.Done():
		}
	}
	for err == nil && c.left == 0 && len(c.tap.Packets()) > 0 { // what came before the end
		err = c.add(<-c.tap.Packets())
	}
	got = control.Captured{Packets: c.w.Packets(), Dropped: c.tap.Dropped()}
	if err == nil {
		err = c.w.End(got.Dropped)
	}
	return got, err
}

func (c *capturing) add(p datapath.Captured) error {
	defer c.tap.Took(p)
	return c.w.Add(capture.Packet{At: p.At, Peer: c.name(p.Peer), Out: p.Out, Len: p.Len, Data: p.Data})
}

// name finds what people call the peer of a packet.
func (c *capturing) name(p *datapath.Peer) string {
	if name, ok := c.names[p]; ok {
		return name
	}
	for _, s := range c.use.manager.Sessions() {
		if s.Plane() == p {
			c.names[p] = called(s)
		}
	}
	return c.names[p]
}
