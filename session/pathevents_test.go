package session

import (
	"testing"
	"time"
)

// The history says that packets begin to go through a hub, once.
func TestHistoryNamesTheHub(t *testing.T) {
	inHomes(t, symmetric, func(t *testing.T, w *homes) {
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		through := w.ab.Status().Through
		if through.IsZero() {
			t.Fatalf("%+v", w.ab.Status())
		}
		n := 0
		for _, e := range w.a.m.History() {
			if e.Cause == "path" {
				n++
				if e.Through != through || e.From != e.To || e.Carrier != "circuit" || e.Peer != w.b.id.DID() {
					t.Errorf("%+v", e)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d changes of the path", n)
		}
	})
}
