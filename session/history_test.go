package session

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
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

// A peer that goes and comes back as fast as it can, by closing, by rotating and as
// ever other incarnations, writes a bounded log; events have all of it.
func TestLinesAboutChangesAreLimited(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		var b bytes.Buffer
		const flaps = 10_000
		lines := 0
		err := sa.call(func(now time.Time) error {
			sa.log.Logger = slog.New(slog.NewTextHandler(&b, nil))
			for i := range flaps {
				now = now.Add(200 * time.Millisecond)
				sa.record(Established, TimeToRotate, now)
				sa.meet(&proof{Proof: connect.Proof{Result: &handshake.Result{Remote: wire.Params{Incarnation: uint64(i + 10)}}, Conn: sa.streamConn()}}, now)
			}
			lines = strings.Count(b.String(), "\n")
			return nil
		})
		if most := turnBurst + flaps/5/10 + 10; err != nil || lines > most || !strings.Contains(b.String(), "changes_not_logged=") {
			t.Errorf("%v: %d lines, at most %d", err, lines, most)
		}
		faults.Report(t, "S46", lines <= 260, "%d changes of state and %d restarts of a peer in %d s: %d lines", flaps, flaps, flaps/5, lines)
	})
}

// Strangers who speak version 0.1.0 from ever other addresses write a bounded log too.
func TestLinesAboutOldCallersAreLimited(t *testing.T) {
	var c oldCallers
	now, lines := time.Now(), 0
	for i := range 36_000 { // an hour of ten a second
		now = now.Add(100 * time.Millisecond)
		if c.add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now) {
			lines++
		}
	}
	if lines < 350 || lines > 380 {
		t.Errorf("%d lines", lines)
	}
	faults.Report(t, "S46", lines <= 380, "36000 callers of version 0.1.0 in an hour, each from another address: %d lines", lines)
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
