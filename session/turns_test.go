package session

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// begun is how many handshakes sessions have begun.
func begun(all []*Session) (n uint64) {
	for _, s := range all {
		n += s.Counts().Entered[HandshakeInitiated.String()]
	}
	return n
}

// SPEC 6.13: a node that starts with many peers that it keeps, all of them away, begins with
// all within a minute and not at once; a scan of them all begins ten a second beyond 50. A
// hub does not wait.
func TestSessionsWithoutKeysTakeTurns(t *testing.T) {
	const n = 300
	withAllCarriers(t, func(t *testing.T, w *world) {
		var all []*Session
		add := func(i int, hub bool) *Session {
			id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(bytes.Repeat([]byte{8}, 24), uint64(i)))
			if err != nil {
				t.Fatal(err)
			}
			w.a.dir.Set(id.DID(), netip.AddrPortFrom(w4(10, 1, byte(i>>8), byte(i)), 4242).String())
			s, err := w.a.m.Add(Peer{DID: id.DID(), Keep: true, Hub: hub})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		for i := range n {
			all = append(all, add(i, false))
		}
		hub := add(n, true)
		time.Sleep(time.Millisecond)
		if got := begun(all); got < 50 || got > 52 || begun([]*Session{hub}) != 1 {
			t.Errorf("%d of %d at once, and the hub %d times", got, n, begun([]*Session{hub}))
		}
		time.Sleep(10 * time.Second)
		if got := begun(all); got > n {
			t.Errorf("%d of %d after 10 s", got, n)
		}
		time.Sleep(50 * time.Second)
		for i, s := range all {
			if begun([]*Session{s}) == 0 {
				t.Errorf("session %d has not begun after a minute", i)
			}
		}
		time.Sleep(10 * time.Minute) // all are tried once a minute
		before := begun(all)
		for _, s := range all {
			s.wake(wakePacket)
		}
		time.Sleep(3 * time.Second)
		if got := begun(all) - before; got < 50 || got > 120 {
			t.Errorf("%d within 3 s of a scan", got)
		}
	})
}
