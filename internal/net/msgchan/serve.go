package msgchan

import (
	"context"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Serve is the receiver's end of the channel with a stream id, whose preface has
// been read: it runs until ctx ends or the stream fails, and closes the stream.
func (c *Channel) Serve(ctx context.Context, st link.Stream, id uint64) error {
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	stream := c.newStream()
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	defer close(done)
	wg.Go(func() {
		defer st.SetDeadline(time.Now()) // a stream without ACKs must end, so that its sender opens another
		c.c.Protect("acknowledgements", func() { c.sendAcks(st, id, stream, done) })
	})
	r := c.Keys.NewReader(st)
	for {
		frame, err := r.Next()
		if err != nil {
			return err
		}
		p, ok := wire.ParsePiece(frame)
		if !ok || p.Channel != id || !c.chunk(stream, p) {
			return ErrMalformed
		}
	}
}

// sendAcks tells the peer what has arrived, and how much may be sent, at once
// and whenever either changes.
func (c *Channel) sendAcks(st link.Stream, id, stream uint64, done <-chan struct{}) {
	var told, now ack
	for first := true; ; first = false {
		var changed <-chan struct{}
		if now, changed = c.ack(); now.stream != stream {
			return
		}
		if first || now != told {
			told = now
			a := wire.Ack{Channel: id, Number: now.number, Limit: now.limit}
			if c.Keys.Write(st, a.Append(nil)) != nil {
				return
			}
		}
		select {
		case <-changed:
		case <-done:
			return
		}
	}
}
