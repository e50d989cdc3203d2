package e2e

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// C sends to A what the router saw B send, and forgeries of it. A does not take
// C's address for B's (SPEC 6.10).
func TestReplaysAndForgeriesMoveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	w.bothUp(a, b)
	w.direct(a, b)

	seen, err := w.R.Capture("eth1", 4096, nil)
	w.ok(err)
	w.pings(w.A, b.v4, 100)
	records := recordsFrom(finish(w, seen), netip.AddrPortFrom(w.B.IP4, port))
	if len(records) < 100 {
		t.Fatalf("only %d records of B were seen", len(records))
	}
	before, check := a.peer(b), a.undisturbed(b)
	from, to := w.stranger(w.C, netip.AddrPort{}), netip.AddrPortFrom(w.A.IP4, port)
	for _, r := range records {
		_, err := from.WriteToUDPAddrPort(r, to)
		w.ok(err)
		for _, forge := range []func([]byte){
			func(r []byte) { r[8] += 100 },                   // a number not seen yet
			func(r []byte) { r[10]++ },                       // one far ahead
			func(r []byte) { r[8] += 100; r[len(r)-1] ^= 1 }, // another tag
		} {
			f := bytes.Clone(r)
			forge(f)
			_, err := from.WriteToUDPAddrPort(f, to)
			w.ok(err)
		}
		time.Sleep(time.Millisecond)
	}
	a.waitPeer(b, patience, "counting replays", func(p control.Peer) bool {
		return p.Dropped["replayed"]-before.Dropped["replayed"] >= uint64(len(records))
	})
	after := a.peer(b)
	t.Logf("%d records sent again; A counts %v, before %v", len(records), after.Dropped, before.Dropped)
	if n := after.Dropped["forged"] - before.Dropped["forged"]; n < 2*uint64(len(records)) {
		t.Errorf("%d forgeries counted for %d records", n, len(records))
	}
	if after.RxPackets != before.RxPackets {
		t.Errorf("%d packets came in by replay", after.RxPackets-before.RxPackets)
	}
	if after.Endpoint != before.Endpoint || after.Endpoint != b.endpoint4() {
		t.Errorf("the endpoint is %s, before %s", after.Endpoint, before.Endpoint)
	}
	check()
	spy, err := w.R.Capture("eth2", 4096, nil) // towards C
	w.ok(err)
	w.pings(w.A, b.v4, 20)
	if sent := recordsFrom(finish(w, spy), to); len(sent) > 0 {
		t.Errorf("A sends %d records to C", len(sent))
	}
	faults.Report(t, "O17", true, "%d records replayed and %d forgeries from another host: the endpoint stays, nothing is sent there", len(records), 3*len(records))
}

// recordsFrom are the direct records in UDP datagrams from an address, of frames
// of Ethernet and IPv4.
func recordsFrom(frames [][]byte, from netip.AddrPort) (records [][]byte) {
	addr := from.Addr().As4()
	for _, f := range frames {
		const ip, udp, body = 14, 14 + 20, 14 + 20 + 8
		if len(f) < body+32 || f[ip] != 0x45 || f[ip+9] != 17 || !bytes.Equal(f[ip+12:ip+16], addr[:]) ||
			binary.BigEndian.Uint16(f[udp:]) != from.Port() {
			continue
		}
		if payload := f[body:]; payload[0] == 0x40 && payload[1]&0x80 != 0 {
			records = append(records, payload)
		}
	}
	return records
}
