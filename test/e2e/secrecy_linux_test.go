package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// marker is what the inner packets carry: 16 bytes, the most that ping takes.
const marker = "L2TUN-E2E-MARKER"

// TestTheMiddleSeesNothing looks at every frame that passes the router from
// before the handshake on.
func TestTheMiddleSeesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	outside, err := w.R.Capture("eth0", 1<<20, nil)
	w.ok(err)
	b.up()
	a.up()
	w.established(a, b)
	inside, err := w.A.Capture(a.Interface, 1<<20, nil)
	w.ok(err)

	w.pings(w.A, b.v4, 10, "-p", hex.EncodeToString([]byte(marker)))
	w.pings(w.A, b.Address, 10, "-p", hex.EncodeToString([]byte(marker)))
	w.tell(w.A, w.B, b.v4, bytes.Repeat([]byte(marker), 1<<14))

	secret := secrets(t, a, b)
	seen, frames := finish(w, inside), finish(w, outside)
	if !contains(seen, []byte(marker)) || !contains(seen, secret["address of B"]) {
		t.Fatal("even inside the tunnel the marker and the address are not found: this test sees nothing")
	}
	if len(frames) < 100 {
		t.Fatalf("only %d frames passed the router", len(frames))
	}
	for what, s := range secret {
		if contains(frames, s) {
			t.Errorf("the middle sees the %s", what)
		}
	}
	t.Logf("%d frames outside, none of %d byte strings in them", len(frames), len(secret))
	faults.Report(t, "I12", true, "%d frames outside, none of %d byte strings in them", len(frames), len(secret))
}

// secrets are byte strings that must not appear outside, by what they are:
// inner bytes, both DIDs in every form, and their public keys by pieces of 16.
func secrets(t *testing.T, nodes ...*node) map[string][]byte {
	t.Helper()
	s := map[string][]byte{"marker": []byte(marker), "half of the marker": []byte(marker[:8])}
	for _, n := range nodes {
		d, err := did.Parse(n.DID)
		if err != nil {
			t.Fatal(err)
		}
		digest := d.Digest()
		name := n.Host.Name
		s["DID of "+name] = []byte(n.DID[len("did:morpheus:z"):][:16])
		s["digest of "+name] = digest[:12]
		s["end of the digest of "+name] = digest[20:]
		s["digest of "+name+" in hex"] = []byte(hex.EncodeToString(digest[:8]))
		s["address of "+name] = n.Address.AsSlice()
		id, err := config.LoadIdentity(n.Config)
		if err != nil {
			t.Fatal(err)
		}
		keys := id.KeySet().Append(nil)
		for i := 0; i < len(keys); i += 16 {
			s[fmt.Sprintf("key set of %s from byte %d", name, i)] = keys[i : i+16]
		}
	}
	s["method name"] = []byte("did:morpheus")
	return s
}

// finish ends a capture.
func finish(w *world, c *lab.Capture) [][]byte {
	w.Helper()
	frames, err := c.Packets()
	w.ok(err)
	return frames
}

func contains(frames [][]byte, s []byte) bool {
	for _, f := range frames {
		if bytes.Contains(f, s) {
			return true
		}
	}
	return false
}

// tell sends bytes by TCP and waits until the other side has them all.
func (w *world) tell(from, to *lab.Host, at netip.Addr, what []byte) {
	w.Helper()
	l, err := to.ListenTCP(netip.AddrPortFrom(at, 0))
	w.ok(err)
	defer l.Close()
	c, err := from.DialTCP(w.Context(), l.Addr().(*net.TCPAddr).AddrPort())
	w.ok(err)
	defer c.Close()
	w.ok(c.SetDeadline(time.Now().Add(30 * time.Second)))
	done := make(chan received, 1)
	go func() { done <- receive(w.Context(), l) }()
	_, err = c.Write(what)
	w.ok(err)
	w.ok(c.CloseWrite())
	if r := <-done; r.err != nil || r.size != int64(len(what)) {
		w.Fatalf("TCP: %d of %d bytes: %v", r.size, len(what), r.err)
	}
}
