package connect

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

func testPrekeys(t *testing.T) *Prekeys {
	t.Helper()
	id, err := did.NewIdentity(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Self: Self{Identity: id, Rand: rand.Reader, ClockSynced: func() bool { return false }}, Logger: slog.New(slog.DiscardHandler)}
	p, err := newPrekeys(&c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// SPEC 5.1: a prekey takes each M1 once, and so many; the next one follows at once.
func TestAPrekeyTakesSoManyM1s(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := testPrekeys(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go p.Keep(ctx)
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
		time.Sleep(PrekeyLife + time.Minute)
		if p.Current() == second {
			t.Error("no longer renewed in time")
		}
	})
}
