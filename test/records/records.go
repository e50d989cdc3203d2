// Package records makes records, and takes what a carrier delivers, for the tests of
// carriers. Nothing in it is checked or sealed: a record here is one by its form.
package records

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// New makes a record of size bytes with number n and random contents; all have one id.
func New(size int, n uint64) []byte {
	b := make([]byte, size)
	rand.Read(b)
	var id [wire.RecordIDSize]byte
	wire.PutHeader(b, wire.MakeRecordID(id), n, wire.SpaceDatagram)
	return b
}

// Batch is a batch of records.
func Batch(recs ...[]byte) *wire.Batch {
	b := new(wire.Batch)
	for _, r := range recs {
		b.Append(r)
	}
	return b
}

// BatchOf is a batch of new records of these sizes.
func BatchOf(sizes ...int) *wire.Batch {
	b := new(wire.Batch)
	for i, n := range sizes {
		b.Append(New(n, uint64(i)))
	}
	return b
}

// Repeat is n times a size.
func Repeat(size, n int) (sizes []int) {
	for range n {
		sizes = append(sizes, size)
	}
	return sizes
}

// Eventually waits until something is so, and fails the test after some time.
func Eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// An Inbox is a link.Handler that keeps copies.
type Inbox struct {
	Mu    sync.Mutex
	Recs  [][]byte
	Calls int
	Paths []link.Path // of each call

	known   map[wire.RecordID]bool
	missing []netip.AddrPort // reported unreachable
}

// Know makes the id of a record known.
func (b *Inbox) Know(rec []byte) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	if b.known == nil {
		b.known = make(map[wire.RecordID]bool)
	}
	b.known[wire.RecordID(rec[1:8])] = true
}

// Records implements link.Handler.
func (b *Inbox) Records(p link.Path, recs [][]byte) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	b.Calls++
	b.Paths = append(b.Paths, p)
	for _, r := range recs {
		b.Recs = append(b.Recs, append([]byte(nil), r...))
	}
}

// Known implements link.Handler.
func (b *Inbox) Known(id wire.RecordID) bool {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	return b.known[id]
}

// Unreachable implements link.Handler.
func (b *Inbox) Unreachable(remote netip.AddrPort) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	b.missing = append(b.missing, remote)
}

// Missing counts the reports that a remote is unreachable.
func (b *Inbox) Missing(remote netip.AddrPort) (n int) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	for _, m := range b.missing {
		if m == remote {
			n++
		}
	}
	return n
}

// Len is how many records have come.
func (b *Inbox) Len() int {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	return len(b.Recs)
}
