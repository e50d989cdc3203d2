package session

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An owner of networks notes what it is told, and gives two documents.
type owner struct {
	mu sync.Mutex
	told
	docs [][]byte // that were fetched
}

// told is what sessions have told an owner, on their goroutines.
type told struct {
	up    map[documents.Peer]bool
	ended int
	heard []wire.News
}

func newOwner() *owner { return &owner{told: told{up: make(map[documents.Peer]bool)}} }

// soFar is a copy of that.
func (o *owner) soFar() told {
	o.mu.Lock()
	defer o.mu.Unlock()
	return told{maps.Clone(o.up), o.ended, slices.Clone(o.heard)}
}

func (o *owner) Up(p documents.Peer, capable bool) { o.mu.Lock(); o.up[p] = capable; o.mu.Unlock() }
func (o *owner) Ended(documents.Peer)              { o.mu.Lock(); o.ended++; o.mu.Unlock() }
func (o *owner) Heard(_ documents.Peer, n wire.News) {
	o.mu.Lock()
	o.heard = append(o.heard, n)
	o.mu.Unlock()
}
func (o *owner) Asked(documents.Peer, wire.News) (context.Context, documents.Answer) {
	return context.Background(), documents.Answer{Docs: [][]byte{[]byte("one"), bytes.Repeat([]byte{2}, 40_000)}}
}
func (o *owner) Piece() {}
func (o *owner) Document(d []byte) error {
	o.docs = append(o.docs, d)
	return nil
}

// SPEC R-10.6-4: both ends state that they take the frames of networks; then the owners hear
// of the session and of NEWS, and documents pass. With a node that is in no network none of
// it is sent.
func TestDocumentsPassInASession(t *testing.T) {
	news := wire.News{Network: [32]byte{1}, Head: 2}
	inWorld(t, func(t *testing.T, w *world) {
		a, b := newOwner(), newOwner()
		w.a.networks, w.b.networks = a, b
		w.a.down()
		w.b.down()
		w.a.up()
		w.b.up()
		w.b.peer(w.a, false, Settings{})
		w.want(w.a.peer(w.b, true, Settings{}), Established, 5*time.Second)
		time.Sleep(time.Second)
		w.a.m.SendFrame(w.b.id.DID().Digest(), news.Append(nil, wire.FrameNews))
		time.Sleep(time.Second)
		toA, toB := a.soFar(), b.soFar()
		if !toA.up[w.b.id.DID().Digest()] || !toB.up[w.a.id.DID().Digest()] || len(toB.heard) != 1 || toB.heard[0].Head != 2 {
			t.Fatalf("up %v, %v; heard %v", toA.up, toB.up, toB.heard)
		}
		status, err := w.a.m.Fetch(t.Context(), w.b.id.DID(), news, a)
		if err != nil || status != wire.AnswerAll || len(a.docs) != 2 || !slices.Equal(a.docs[0], []byte("one")) || len(a.docs[1]) != 40_000 {
			t.Errorf("status %d, %d documents, %v", status, len(a.docs), err)
		}
		w.a.m.Remove(w.b.id.DID())
		time.Sleep(time.Second)
		if toA, toB := a.soFar(), b.soFar(); toA.ended != 1 || toB.ended != 1 {
			t.Errorf("ended %d, %d", toA.ended, toB.ended)
		}
		if _, err := w.a.m.Fetch(t.Context(), w.b.id.DID(), news, a); !errors.Is(err, ErrUnknownPeer) {
			t.Error(err)
		}
	})
	inWorld(t, func(t *testing.T, w *world) {
		a := newOwner()
		w.a.networks = a
		w.a.down()
		w.a.up()
		w.b.peer(w.a, false, Settings{})
		w.want(w.a.peer(w.b, true, Settings{}), Established, 5*time.Second)
		time.Sleep(time.Second)
		if capable, up := a.soFar().up[w.b.id.DID().Digest()]; !up || capable {
			t.Errorf("up %v, capable %v", up, capable)
		}
		if _, err := w.a.m.Fetch(t.Context(), w.b.id.DID(), news, a); !errors.Is(err, ErrNotEstablished) {
			t.Error(err)
		}
	})
}
