package node

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A world is some managers, as nodes have them, on a network in memory and in
// virtual time.
type world struct {
	*testing.T
	net   *memnet.Net
	hosts []*host
}

type host struct {
	w    *world
	id   *did.Identity
	addr netip.AddrPort
	node *memnet.Node
	m    *session.Manager
	dir  did.Static
}

func inWorld(t *testing.T, hosts int, f func(w *world)) {
	bubble.Test(t, func(t *testing.T) {
		w := &world{T: t, net: memnet.New(1)}
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond})
		for i := range hosts {
			w.hosts = append(w.hosts, w.host(byte(i+1)))
		}
		defer func() {
			for _, h := range w.hosts {
				h.m.Close()
				h.node.Kill()
			}
			time.Sleep(time.Second) // what is on the lines arrives
		}()
		f(w)
	})
}

func (w *world) host(n byte) *host {
	id, err := did.NewIdentity(bytes.Repeat([]byte{n}, 32))
	w.ok(err)
	h := &host{w: w, id: id, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 4242)}
	h.node = w.net.Node(h.addr)
	h.m, err = session.New(session.Config{Identity: id, Network: h.node, Resolver: &h.dir})
	w.ok(err)
	return h
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// add makes other a peer of h; with keep it is dialled.
func (h *host) add(other *host, name string, keep bool, set session.Settings) *session.Session {
	h.w.Helper()
	if keep {
		h.dir.Set(other.id.DID(), other.addr.String())
	}
	s, err := h.m.Add(session.Peer{DID: other.id.DID(), Name: name, Keep: keep, Settings: set})
	h.w.ok(err)
	return s
}

// join makes two hosts peers of one another and waits for their session.
func (w *world) join(a, b *host, nameOfB string) (atA, atB *session.Session) {
	w.Helper()
	atB = b.add(a, "", false, session.Settings{})
	atA = a.add(b, nameOfB, true, session.Settings{})
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	for _, h := range []struct {
		*host
		peer did.DID
	}{{a, b.id.DID()}, {b, a.id.DID()}} {
		_, err := h.m.Establish(ctx, h.peer)
		w.ok(err)
	}
	return atA, atB
}

// wantRefused checks what a caller is told.
func (w *world) wantRefused(err error, code int, msg string) {
	w.Helper()
	var ae *control.APIError
	if !errors.As(err, &ae) || ae.Code != code || ae.Msg != msg {
		w.Errorf("got %#v (%v), want %d %s", err, err, code, msg)
	}
}

// within runs f with a context that ends after d.
func within(t *testing.T, d time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return f(ctx)
}
