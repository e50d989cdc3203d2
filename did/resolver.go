package did

import (
	"context"
	"slices"
	"sync"
)

// A Document is what a resolver knows about a DID. It vouches for nothing: a
// wrong endpoint leads to a handshake that fails.
type Document struct {
	DID       DID
	Endpoints []string // "host:port", best first
}

// A Resolver finds the document of a DID. It fails with ErrUnknown (possibly
// wrapped) when there is none, and with the context's error when that ends.
// Implementations are safe for concurrent use.
type Resolver interface {
	Resolve(ctx context.Context, d DID) (Document, error)
}

// Static is a Resolver over a map. The zero value is empty and
// ready; it must not be copied.
type Static struct {
	mu   sync.RWMutex
	docs map[DID][]string
}

// Set stores the endpoints of d in place of earlier ones. It copies them.
func (s *Static) Set(d DID, endpoints ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs == nil {
		s.docs = make(map[DID][]string)
	}
	s.docs[d] = slices.Clone(endpoints)
}

// Delete forgets d.
func (s *Static) Delete(d DID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.docs, d)
}

// Resolve returns what Set stored, possibly no endpoints, or ErrUnknown. The
// caller owns the document.
func (s *Static) Resolve(ctx context.Context, d DID) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	endpoints, ok := s.docs[d]
	if !ok {
		return Document{}, ErrUnknown
	}
	return Document{DID: d, Endpoints: slices.Clone(endpoints)}, nil
}
