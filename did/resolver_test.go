package did

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestStatic(t *testing.T) {
	var s Static
	var r Resolver = &s
	d := FromDigest([32]byte{1})
	if _, err := r.Resolve(t.Context(), d); !errors.Is(err, ErrUnknown) {
		t.Errorf("empty: %v", err)
	}
	eps := []string{"a:1", "b:2"}
	s.Set(d, eps...)
	eps[0] = "changed"
	doc, err := r.Resolve(t.Context(), d)
	if err != nil || doc.DID != d || len(doc.Endpoints) != 2 || doc.Endpoints[0] != "a:1" {
		t.Errorf("%v, %v", doc, err)
	}
	doc.Endpoints[1] = "changed"
	if again, _ := r.Resolve(t.Context(), d); again.Endpoints[1] != "b:2" {
		t.Error("a caller changed what the resolver knows")
	}
	s.Delete(d)
	if _, err := r.Resolve(t.Context(), d); !errors.Is(err, ErrUnknown) {
		t.Errorf("deleted: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Resolve(ended, d); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func TestStaticConcurrently(t *testing.T) {
	var s Static
	var wg sync.WaitGroup
	for i := range byte(8) {
		wg.Go(func() {
			d := FromDigest([32]byte{i % 3, 1})
			for range 100 {
				s.Set(d, "a:1")
				if _, err := s.Resolve(context.Background(), d); err != nil && !errors.Is(err, ErrUnknown) {
					t.Error(err)
				}
				s.Delete(d)
			}
		})
	}
	wg.Wait()
}
