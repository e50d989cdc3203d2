package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// readPause follows a read that failed, so that an error that stays is no spin.
const readPause = 100 * time.Millisecond

// read hands packets of one socket to take until it is closed.
func (d *Discovery) read(ctx context.Context, f *family, s socket, take func(*family, []byte, meta, time.Time)) {
	buf := make([]byte, maxPacket+1) // one more, to see what is too long
	for {
		n, m, err := s.read(buf)
		switch {
		case err == nil:
			d.guard.Do("discovery", func() { take(f, buf[:n], m, time.Now()) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			select {
			case <-ctx.Done():
				return
			case <-time.After(readPause):
			}
		}
	}
}

// heard takes a packet to everybody: a question, which tells where its sender
// is. Who asks for us is answered.
func (d *Discovery) heard(f *family, data []byte, m meta, now time.Time) {
	s, near := f.segmentOf(m)
	if !near || m.dst != f.everybody().Addr() {
		return
	}
	peer, ok := d.judge(question, data, m, now)
	if !ok || !d.gate.answer(m.src.Addr(), now) {
		return
	}
	port := d.portAt(s.source)
	if port == 0 {
		return
	}
	if err := f.talk.write(d.book.Load().answer(s.source, port, peer), s, m.src); err != nil {
		d.log.Debug("answer not sent", "peer", peer.Short(), "error", err)
	}
}

// told takes a packet to us alone: an answer.
func (d *Discovery) told(f *family, data []byte, m meta, now time.Time) {
	if s, near := f.segmentOf(m); near && m.dst == s.source {
		d.judge(answer, data, m, now)
	}
}

// judge says which peer a packet of a kind is from, and reports where it is.
func (d *Discovery) judge(want kind, data []byte, m meta, now time.Time) (did.DID, bool) {
	p, err := parse(data)
	b := d.book.Load()
	if err != nil || p.kind != want || !d.gate.try(m.src.Addr(), len(b.peers), now) {
		return did.DID{}, false
	}
	peer, port, ok := b.sender(p, m.src.Addr())
	if ok && port != 0 {
		d.c.Found(Found{peer, zoned(netip.AddrPortFrom(m.src.Addr(), port), m.index)})
	}
	return peer, ok
}
