package session

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// SPEC 5.1: a prekey takes each M1 once, and so many; the next one follows at once.
func TestAPrekeyTakesSoManyM1s(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.a.m.prekeys
		first := p.Current()
		m1 := func(n int) *wire.M1 {
			m := new(wire.M1)
			binary.LittleEndian.PutUint64(m.SID(), uint64(n))
			return m
		}
		for n := range maxMarks {
			if p.Current() != first {
				t.Fatalf("another prekey after %d", n)
			}
			if p.claim(first.ID(), m1(n)) != first {
				t.Fatalf("number %d is not taken", n)
			}
			if n%1000 == 0 && p.claim(first.ID(), m1(n)) != nil {
				t.Fatalf("number %d is taken twice", n)
			}
		}
		second := p.Current()
		if second == first || p.claim(first.ID(), m1(maxMarks)) != nil || p.claim(first.ID(), m1(7)) != nil {
			t.Error("a full prekey takes more, or none follows it")
		}
		if p.claim(second.ID(), m1(7)) != second || p.claim(second.ID()+1, m1(8)) != nil {
			t.Error("the next prekey does not take an M1 of its own, or takes another's")
		}
		p.mu.Lock()
		cur, prev := len(p.taken[0]), len(p.taken[1])
		p.mu.Unlock()
		if cur+prev > 2*maxMarks {
			t.Error(cur, prev)
		}
		time.Sleep(prekeyLife + time.Minute)
		if p.Current() == second {
			t.Error("no longer renewed in time")
		}
	})
}

// SPEC 5.2: an M1r whose secret is known and that does not open is answered as one
// whose secret is not.
func TestAnUnopenedM1rIsUnknown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, sb := w.pair(Settings{})
		var known handshake.ResumeID
		sb.call(func(time.Time) error { known = sb.resume.in.ID; return nil })
		var got [2][]byte
		for i, id := range []handshake.ResumeID{known, {1, 2, 3, 4, 5, 6}} {
			conn, err := w.a.node.Dial(t.Context(), wire.LinkQUIC, w.b.addr)
			if err != nil {
				t.Fatal(err)
			}
			st, err := conn.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m := new(wire.M1r)
			ref := wire.Ref{Low: binary.LittleEndian.Uint16(id[:]), High: binary.LittleEndian.Uint32(id[2:])}
			wire.HandshakeHeader{Type: wire.MsgM1r, Mode: wire.ModeResume, Ref: ref}.Put(m[:])
			m.Ex()[0] = 9
			begun := time.Now()
			st.Write(m[:])
			if got[i], err = readMessage(st); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if took := time.Since(begun); took < unknownAfter {
				t.Errorf("answer %d after %v", i, took)
			}
			conn.Close("")
		}
		for i := range got {
			if h, err := wire.ParseHandshakeHeader(got[i]); err != nil || h.Type != wire.MsgUnknown {
				t.Errorf("%d: %v, %v", i, h.Type, err)
			}
		}
	})
}
