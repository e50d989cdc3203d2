package session

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/faults"
)

func peerNo(n int) did.DID { return did.FromDigest([32]byte{byte(n), byte(n >> 8), 1}) }

// A peer whose session flaps keeps its own past short, and nobody else's.
func TestANoisyPeerPushesOutItsOwnPastOnly(t *testing.T) {
	h := new(history)
	quiet, noisy := peerNo(1), peerNo(2)
	for i := range uint32(10) {
		h.add(Transition{Peer: quiet, Epoch: i})
	}
	const flaps = 100_000
	for i := range uint32(flaps) {
		h.add(Transition{Peer: noisy, Epoch: i})
	}
	count := make(map[did.DID]int)
	var last Transition
	for _, x := range h.all() {
		count[x.Peer]++
		last = x
	}
	if count[quiet] != 10 || count[noisy] != historySize || last.Epoch != flaps-1 {
		t.Errorf("of the quiet peer %d of 10 are kept, of the noisy one %d", count[quiet], count[noisy])
	}
	if len(h.kept) > 2*(historySize+10)+1 {
		t.Errorf("%d entries are held for %d", len(h.kept), historySize+10)
	}
	faults.Report(t, "S20", count[quiet] == 10 && count[noisy] == historySize, "%d changes of one peer: of the quiet peer 10 of 10 kept, of the noisy one %d", flaps, count[noisy])
}

// With many noisy peers there is a bound for all, and the largest gives way.
func TestHistoryOfManyPeersIsBounded(t *testing.T) {
	h := new(history)
	quiet := peerNo(9999)
	for i := range uint32(10) {
		h.add(Transition{Peer: quiet, Epoch: i})
	}
	for i := range 40 * 500 {
		h.add(Transition{Peer: peerNo(i % 500)})
	}
	all, kept := h.all(), 0
	for _, x := range all {
		if x.Peer == quiet {
			kept++
		}
	}
	if len(all) != historyAll || kept != 10 || len(h.kept) > 2*historyAll+1 {
		t.Errorf("%d kept, %d of the quiet peer, %d entries", len(all), kept, len(h.kept))
	}
	faults.Report(t, "S20", len(all) == historyAll && kept == 10, "500 noisy peers: %d changes kept in all, 10 of 10 of the quiet one", len(all))
}

// Changes of path are logged ten at a time and then one in ten seconds, each with
// how many were not.
func TestLinesAboutPathsAreLimited(t *testing.T) {
	var l lineLimit
	now := time.Now()
	lines, held := 0, uint64(0)
	for range 36_000 { // an hour of ten changes a second
		now = now.Add(100 * time.Millisecond)
		if h, ok := l.take(now); ok {
			lines++
			held += h
		}
	}
	if lines < 350 || lines > 380 || held+uint64(lines)+l.held != 36_000 {
		t.Errorf("%d lines, which tell of %d", lines, held)
	}
	now = now.Add(time.Hour)
	for i := range lineBurst {
		if _, ok := l.take(now); !ok {
			t.Errorf("line %d after an hour's rest is held back", i)
		}
	}
	faults.Report(t, "S20", lines <= 380, "36000 changes of path in an hour: %d lines", lines)
}

// The lines of a session have the name that the peer has now.
func TestLogLinesHaveTheNewName(t *testing.T) {
	var b bytes.Buffer
	l := newPeerLog(slog.New(slog.NewTextHandler(&b, nil)), Peer{DID: peerNo(1), Name: "nas"})
	l.Info("one", "x", 1)
	name := "attic"
	l.name.Store(&name)
	l.With("y", 2).Info("two")
	if got := b.String(); !strings.Contains(got, "msg=one peer="+peerNo(1).Short()+" name=nas x=1") || !strings.Contains(got, "name=attic") {
		t.Error(got)
	}
}

// Another name, and another answer to whether the session is wanted, change
// nothing of the session.
func TestUpdateKeepsTheSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		before := sa.Status()
		if err := sa.Update("attic", false); err != nil {
			t.Fatal(err)
		}
		if err := sb.Update("", true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		after := sa.Status()
		if after.Name != "attic" || after.State != Established || after.Epoch != before.Epoch || after.Handshakes != before.Handshakes || sb.Name() != "" {
			t.Errorf("%+v", after)
		}
	})
}

// A peer that gets an endpoint is asked at once.
func TestUpdateStartsASessionThatIsWanted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, false, Settings{})
		time.Sleep(time.Second)
		if sa.State() != Idle {
			t.Fatal(sa.State())
		}
		w.a.dir.Set(w.b.id.DID(), w.b.addr.String())
		if err := sa.Update("b", true); err != nil {
			t.Fatal(err)
		}
		w.want(sa, Established, time.Second)
	})
}
