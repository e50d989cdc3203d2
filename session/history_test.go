package session

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/base/peerlog"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

func peerNo(n int) did.DID { return did.FromDigest([32]byte{byte(n), byte(n >> 8), 1}) }

// A peer that goes and comes back as fast as it can, by closing, by rotating and as
// ever other incarnations, writes a bounded log; events have all of it.
func TestLinesAboutChangesAreLimited(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		var b bytes.Buffer
		const flaps = 10_000
		lines := 0
		err := sa.call(func(now time.Time) error {
			sa.loop.log.Logger = slog.New(slog.NewTextHandler(&b, nil))
			for i := range flaps {
				now = now.Add(200 * time.Millisecond)
				sa.loop.record(Established, TimeToRotate, now)
				sa.loop.meet(&connect.Proof{Result: &handshake.Result{Remote: wire.Params{Incarnation: uint64(i + 10)}}, Conn: sa.loop.paths.StreamConn()}, now)
			}
			lines = strings.Count(b.String(), "\n")
			return nil
		})
		if most := peerlog.ChangeBurst + flaps/5/10 + 10; err != nil || lines > most || !strings.Contains(b.String(), "changes_not_logged=") {
			t.Errorf("%v: %d lines, at most %d", err, lines, most)
		}
		faults.Report(t, "S46", lines <= 260, "%d changes of state and %d restarts of a peer in %d s: %d lines", flaps, flaps, flaps/5, lines)
	})
}

// Another name, and another answer to whether the session is wanted, change
// nothing of the session.
func TestUpdateKeepsTheSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		before := sa.Status()
		if err := sa.Update("attic", false, false, false); err != nil {
			t.Fatal(err)
		}
		if err := sb.Update("", true, false, false); err != nil {
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
		if err := sa.Update("b", true, false, false); err != nil {
			t.Fatal(err)
		}
		w.want(sa, Established, time.Second)
	})
}
