package session

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// SPEC 5.2: an M1r whose secret is known and that does not open is answered as one
// whose secret is not.
func TestAnUnopenedM1rIsUnknown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, sb := w.pair(Settings{})
		known := resumeOf(sb).in
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
			if got[i], err = connect.ReadMessage(st); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if took := time.Since(begun); took < 20*time.Millisecond {
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
