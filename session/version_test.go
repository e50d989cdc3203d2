package session

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// answersLike010 does what version 0.1.0 does with the first message of a stream:
// its own KEYS_REQ for another node gets NOT_ME, and whatever it does not know
// ends the connection.
func answersLike010(ctx context.Context, node *memnet.Node) {
	for {
		conn, err := node.Accept(ctx)
		if err != nil {
			return
		}
		go func() {
			st, err := conn.AcceptStream(ctx)
			if err != nil {
				return
			}
			st.SetDeadline(time.Now().Add(5 * time.Second))
			msg := make([]byte, wire.OldKeysReqSize)
			if _, err := io.ReadFull(st, msg[:16]); err == nil && msg[0] == 1 && binary.LittleEndian.Uint16(msg[2:]) == 2 && msg[8] == 48 {
				if _, err := io.ReadFull(st, msg[16:]); err == nil {
					st.Write([]byte{3, 1, 2, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0})
					st.Read(make([]byte, 1))
				}
			}
			st.Close()
			conn.Close("no session")
		}()
	}
}

// SPEC 5.3: a peer of version 0.1.0 is known as such, over both links.
func TestAPeerOfVersion010IsNamed(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		w.b.down()
		old := w.net.Node(w.b.addr)
		ctx, cancel := context.WithCancel(t.Context())
		defer func() { cancel(); old.Kill() }()
		go answersLike010(ctx, old)
		sa := w.a.peer(w.b, true, Settings{})
		took := w.want(sa, Failed, 10*time.Second)
		s := sa.Status()
		if s.Reason != ReasonVersion || sa.Counts().Handshakes["version"] != 1 {
			t.Errorf("reason %q, counts %v", s.Reason, sa.Counts().Handshakes)
		}
		faults.Report(t, "M6", s.Reason == ReasonVersion, "a peer of version 0.1.0: failed, reason %q, after %v", s.Reason, took)

		// Upgraded, it is a peer like others.
		cancel()
		old.Kill()
		w.b.up()
		w.b.peer(w.a, false, Settings{})
		w.want(sa, Established, 2*time.Minute)
		if r := sa.Status().Reason; r != NoReason {
			t.Errorf("reason %q is left", r)
		}
	})
}

// Nor can one of the two join the other: the new one says why.
func TestAJoinWithVersion010SaysSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.b.down()
		old := w.net.Node(w.b.addr)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer func() { cancel(); old.Kill() }()
		go answersLike010(ctx, old)
		from := w.net.Node(netip.MustParseAddrPort("10.0.0.9:4242"))
		defer from.Kill()
		_, err := enroll.Join(ctx, enroll.Ask{Identity: w.a.id, Network: from, Peer: w.b.id.DID(), Endpoints: []string{w.b.addr.String()}, Request: []byte("x")})
		if !errors.Is(err, ErrVersion) {
			t.Errorf("the old one invites: %v", err)
		}
		req := append(wire.JoinPreface(), wire.OldKeysReq()...)
		req[len(req)-1] = 1
		if answer := ask(t, w, from, req); !wire.IsOld(answer) {
			t.Errorf("the new one invites: %x", answer)
		}
		if got := w.a.m.OldCallers(); len(got) != 1 {
			t.Errorf("old callers: %v", got)
		}
	})
}

// A peer of this version that ends a connection is not taken for an old one.
func TestAPeerOfThisVersionIsNotTakenForAnOldOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		conn, err := w.a.node.Dial(ctx, wire.LinkQUIC, w.b.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close("")
		if err := connect.CheckVersion(ctx, w.a.node, conn, io.ErrUnexpectedEOF); err != io.ErrUnexpectedEOF {
			t.Error(err)
		}
		if got := w.b.m.OldCallers(); len(got) != 0 {
			t.Errorf("who only asks is taken for an old node: %v", got)
		}
	})
}

// What an initiator of version 0.1.0 is answered: a header that it can read, of a
// type that has no place there, so that it ends with protocol_violation; and its
// address is shown.
// SPEC R-5.3-3.
func TestAnInitiatorOfVersion010IsAnswered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		from := w.net.Node(netip.MustParseAddrPort("10.0.0.9:4242"))
		defer from.Kill()
		for typ, want := range map[byte]byte{1: 4, 5: 3, 9: 3} {
			size := map[byte]int{1: 48, 5: 4752, 9: 1272}[typ]
			msg := make([]byte, size)
			msg[0], msg[1], msg[2], msg[12], msg[20] = typ, 1, 2, 7, 1
			binary.LittleEndian.PutUint32(msg[8:], uint32(size))
			answer := ask(t, w, from, msg)
			if !slices.Equal(answer, []byte{want, 1, 2, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0}) {
				t.Errorf("type %d is answered %x", typ, answer)
			}
		}
		if got := w.a.m.OldCallers(); !slices.Equal(got, []netip.Addr{from.Addr().Addr()}) {
			t.Errorf("old callers: %v", got)
		}
		time.Sleep(time.Hour + time.Second)
		if got := w.a.m.OldCallers(); len(got) != 0 {
			t.Errorf("an hour later: %v", got)
		}
	})
	faults.Report(t, "M6", true, "KEYS_REQ, M1 and M1r of version 0.1.0: an answer that it ends with protocol_violation for; its address is shown for an hour")
}

func ask(t *testing.T, w *world, from *memnet.Node, msg []byte) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var conn link.Conn
	conn, err := from.Dial(ctx, wire.LinkQUIC, w.a.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close("done")
	st, err := conn.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	st.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := st.Write(msg); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 16)
	if _, err := io.ReadFull(st, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}
