package history

import (
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

const (
	each  = 128
	total = 8192
)

type event struct{ source, number int }

func of(all []event, source int) (n int) {
	for _, e := range all {
		if e.source == source {
			n++
		}
	}
	return n
}

// A source with many events keeps its own past short, and nobody else's.
func TestManyEventsPushOutTheirOwnPastOnly(t *testing.T) {
	h := New[int, event](each, total)
	const quiet, noisy, flaps = 1, 2, 100_000
	for i := range 10 {
		h.Add(quiet, event{quiet, i})
	}
	for i := range flaps {
		h.Add(noisy, event{noisy, i})
	}
	all := h.All()
	if of(all, quiet) != 10 || of(all, noisy) != each || all[len(all)-1].number != flaps-1 {
		t.Errorf("of the quiet source %d of 10 are kept, of the noisy one %d", of(all, quiet), of(all, noisy))
	}
	if len(h.kept) > 2*(each+10)+1 {
		t.Errorf("%d entries are held for %d", len(h.kept), each+10)
	}
	faults.Report(t, "S20", of(all, quiet) == 10 && of(all, noisy) == each, "%d changes of one peer: of the quiet peer 10 of 10 kept, of the noisy one %d", flaps, of(all, noisy))
}

// With many noisy sources there is a bound for all, and the largest gives way.
func TestHistoryOfManySourcesIsBounded(t *testing.T) {
	h := New[int, event](each, total)
	const quiet = 9999
	for i := range 10 {
		h.Add(quiet, event{quiet, i})
	}
	for i := range 40 * 500 {
		h.Add(i%500, event{i % 500, i})
	}
	all := h.All()
	kept := of(all, quiet)
	if len(all) != total || kept != 10 || len(h.kept) > 2*total+1 {
		t.Errorf("%d kept, %d of the quiet source, %d entries", len(all), kept, len(h.kept))
	}
	faults.Report(t, "S20", len(all) == total && kept == 10, "500 noisy peers: %d changes kept in all, 10 of 10 of the quiet one", len(all))
}
