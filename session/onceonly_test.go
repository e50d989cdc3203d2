package session_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/transport"
)

// answers says messages to a node on one stream of a new connection, and what type
// of message each is answered with; 0: the connection ended. after is the least
// time that an answer took.
func answers(t *testing.T, from *transport.Transport, l wire.Link, to string, messages ...[]byte) (got []wire.MessageType, last []byte, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := from.Dial(ctx, l, netip.MustParseAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close("asked")
	st, err := conn.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	st.SetDeadline(time.Now().Add(30 * time.Second))
	after = time.Hour
	for _, m := range messages {
		begun := time.Now()
		st.Write(m)
		head := make([]byte, wire.HandshakeHeaderSize)
		if _, err := io.ReadFull(st, head); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return append(got, 0), nil, after
		}
		after = min(after, time.Since(begun))
		h, err := wire.ParseHandshakeHeader(head)
		if err != nil {
			t.Fatal(err)
		}
		rest := make([]byte, h.Type.Size()-len(head))
		if _, err := io.ReadFull(st, rest); err != nil {
			t.Fatal(err)
		}
		got, last = append(got, h.Type), append(head, rest...)
	}
	return got, last, after
}

// nobody takes what comes.
type nobody struct{}

func (nobody) Records(link.Path, [][]byte) {}
func (nobody) Known(wire.RecordID) bool    { return false }
func (nobody) Unreachable(netip.AddrPort)  {}

// SPEC 5.1: an M1 that somebody has recorded, as it was or changed, and one that was
// made for another connection, find nobody: the node that they were for answers
// like any other, and not sooner.
// SPEC R-5.1-9.
func TestARecordedM1FindsNobody(t *testing.T) {
	t.Parallel()
	where := new(did.Static)
	b, idB, addrB := secrecyNode(t, 41, where, link.KindUTCP)
	_, _, addrC := secrecyNode(t, 42, where, link.KindUTCP)
	who := numbered(43)
	if _, err := b.Add(session.Peer{DID: who.DID()}); err != nil {
		t.Fatal(err)
	}
	from, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	from.Handle(nobody{})
	made := func(kind byte) []byte {
		i, err := handshake.NewInitiator(handshake.Config{Identity: who, Binding: handshake.Binding{Kind: kind}}, idB.DID(), nil, wire.Params{RecordID: wire.RecordID{0x80, 1}, MTU: 1400, Epoch: 1})
		if err != nil {
			t.Fatal(err)
		}
		msg, err := i.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, keys, _ := answers(t, from, wire.LinkUTCP, addrB, msg)
		m1, _, err := i.Read(nil, keys)
		if err != nil {
			t.Fatal(err)
		}
		return m1
	}
	m1 := made(0)
	if got, _, _ := answers(t, from, wire.LinkUTCP, addrB, m1); !slices.Equal(got, []wire.MessageType{wire.MsgM2}) {
		t.Fatalf("the M1 itself is answered %v", got)
	}
	changed := made(0)
	changed[len(changed)-1] ^= 1
	foreign := made(1)
	ask := new(wire.KeysReq)
	wire.HandshakeHeader{Type: wire.MsgKeysReq}.Put(ask[:])
	unlike, least := 0, time.Hour
	tried := map[string][]byte{"recorded": m1, "changed": changed, "of another connection": foreign}
	for what, m := range tried {
		for _, then := range [][][]byte{{m}, {m, m}, {m, ask[:], m}, {m, ask[:], ask[:]}, {ask[:], m, ask[:]}, {ask[:], m, m}} {
			atB, _, timeB := answers(t, from, wire.LinkUTCP, addrB, then...)
			atC, _, timeC := answers(t, from, wire.LinkUTCP, addrC, then...)
			if !slices.Equal(atB, atC) {
				unlike++
				t.Errorf("%s, %d messages: %v, another node %v", what, len(then), atB, atC)
			}
			if len(then) == 1 {
				least = min(least, timeB, timeC)
			}
		}
	}
	if least < 20*time.Millisecond {
		t.Errorf("an answer after %v", least)
	}
	if got, _, _ := answers(t, from, wire.LinkUTCP, addrB, made(0)); !slices.Equal(got, []wire.MessageType{wire.MsgM2}) {
		t.Errorf("a new M1 is answered %v", got)
	}
	faults.Report(t, "S30", unlike == 0, "%d ways to say a recorded, a changed and a foreign M1: %d differ between its node and another; no answer before %v", 6*len(tried), unlike, least.Round(time.Millisecond))
}
