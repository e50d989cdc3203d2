package discovery

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
)

// A family is one method's two sockets. Questions of others come to hear, on the
// shared port. Ours leave from talk, whose port is its own: so an answer reaches
// the node that has asked, and not another one of this host.
type family struct {
	method   Method
	hear     socket
	talk     socket
	port     uint16 // of talk
	segments atomic.Pointer[[]segment]
	joined   []int // interfaces; the loop's
}

func newFamily(m Method, mark uint32) (*family, error) {
	if m != Multicast && m != Broadcast {
		return nil, ErrConfig
	}
	hear, err := open(m, Port, mark)
	if err != nil {
		return nil, err
	}
	talk, err := open(m, 0, mark)
	if err != nil {
		return nil, errors.Join(err, hear.Close())
	}
	f := &family{method: m, hear: hear, talk: talk, port: uint16(talk.LocalAddr().(*net.UDPAddr).Port)}
	f.segments.Store(new([]segment))
	return f, nil
}

// everybody is where questions go.
func (f *family) everybody() netip.AddrPort {
	if f.method == Broadcast {
		return netip.AddrPortFrom(broadcast(), Port)
	}
	return netip.AddrPortFrom(Group(), Port)
}

func (f *family) current() []segment { return *f.segments.Load() }

// use takes the interfaces of now, and joins the group on those that are new.
func (f *family) use(all []Interface, log *slog.Logger) {
	s := segments6(all)
	if f.method == Broadcast {
		s = segments4(all)
	}
	var joined []int
	for _, seg := range s {
		if !slices.Contains(f.joined, seg.index) && !slices.Contains(joined, seg.index) {
			if err := f.hear.join(seg.index); err != nil && !errors.Is(err, syscall.EADDRINUSE) { // a member already
				log.Debug("group not joined", "interface", seg.index, "error", err)
				continue // at the next scan
			}
		}
		joined = append(joined, seg.index)
	}
	f.joined = joined
	f.segments.Store(&s)
}

// segmentOf is the one that a packet came in by, if it is from a neighbour: no
// router touched it, and its source belongs to the link. Our own questions,
// which come back to us, are from nobody.
func (f *family) segmentOf(m meta) (segment, bool) {
	if m.hops != hops {
		return segment{}, false
	}
	for _, s := range f.current() {
		if s.index == m.index && s.near.Contains(m.src.Addr()) {
			return s, m.src != netip.AddrPortFrom(s.source, f.port)
		}
	}
	return segment{}, false
}

func (f *family) close() error { return errors.Join(f.hear.Close(), f.talk.Close()) }
