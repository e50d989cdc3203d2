package udp

import (
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// A virtual address stands for a circuit: what claims to come from one by a socket is
// dropped.
func TestForgedVirtualSourcesAreDropped(t *testing.T) {
	n := unstarted(t, testOptions(loopback))
	defer n.Close()
	got := new(records.Tally)
	n.Handle(got)
	quic := 0
	n.Socket.quic = func(p []Packet) { quic += len(p) }
	s := newSorter(n.Socket)
	forged, honest := netip.MustParseAddrPort("[100::1]:1"), netip.MustParseAddrPort("[2001:db8::1]:4242")
	initial := append([]byte{0xC0, 0, 0, 0, 1, 8}, make([]byte, 1194)...)
	var pkts []Packet
	for _, src := range []netip.AddrPort{forged, honest, forged} {
		pkts = append(pkts, Packet{Data: records.New(100, 1), Src: src}, Packet{Data: initial, Src: src})
	}
	s.handle(pkts)
	if got.Count.Load() != 1 || quic != 1 || n.count.Malformed.Load() != 4 {
		t.Errorf("%d records, %d packets of QUIC, %d malformed", got.Count.Load(), quic, n.count.Malformed.Load())
	}
}

func TestClassify(t *testing.T) {
	known := records.New(100, 1)
	in := new(records.Inbox)
	in.Know(known)
	of := func(size int, b0, b1 byte) []byte {
		b := make([]byte, size)
		if size > 0 {
			b[0] = b0
		}
		if size > 1 {
			b[1] = b1
		}
		return b
	}
	unknown := records.New(100, 1)
	unknown[3] ^= 1
	label := wire.MakeRecordID([wire.RecordIDSize]byte{7})
	circuit := func(datagram []byte) []byte { return wire.AppendCircuit(nil, label, datagram) }
	long := func(size int, id byte) []byte {
		b := of(size, 0xC0, 0)
		b[5] = id
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want class
	}{
		"empty":                              {nil, classBad},
		"one byte":                           {of(1, 0x40, 0), classBad},
		"not QUIC by form":                   {of(100, 0x3F, 0x80), classBad},
		"long header":                        {of(1200, 0xC0, 0), classQUIC},
		"long header, tag in the version":    {of(1200, 0xC0, 0x80), classQUIC},
		"long header, largest id":            {long(26, 20), classQUIC},
		"long header, an id too long":        {long(1200, 21), classBad},
		"long header, a cut id":              {long(25, 20), classBad},
		"long header without an id's length": {of(5, 0xC0, 0), classBad},
		"short header of QUIC":               {of(60, 0x5B, 0x7F), classQUIC},
		"short header, a whole id":           {of(9, 0x5B, 0x7F), classQUIC},
		"short header, a cut id":             {of(8, 0x5B, 0x7F), classBad},
		"known record":                       {known, classRecord},
		"known record of the reset's size":   {append([]byte(nil), known[:ResetSize]...), classRecord},
		"unknown record":                     {unknown, classUnknown},
		"unknown record of the reset's size": {unknown[:ResetSize], classQUIC},
		"reset that has our tag":             {of(ResetSize, 0x7E, 0x80), classQUIC},
		"tagged, other low bits":             {of(100, 0x41, 0x80), classBad},
		"tagged, shorter than a record":      {of(wire.Overhead-1, 0x40, 0x80), classBad},
		"known record cut too short":         {known[:wire.Overhead-1], classBad},
		"circuit with a known record":        {circuit(known), classUnknown},
		"circuit with a QUIC packet":         {circuit(of(1200, 0xC0, 0)), classUnknown},
		"circuit, too short for a record":    {circuit(of(9, 0x5B, 0x7F)), classBad},
		"circuit of the reset's size":        {circuit(of(ResetSize-wire.CircuitHeaderSize, 0x40, 0x80)), classQUIC},
	} {
		if got := classify(c.b, in); got != c.want {
			t.Errorf("%s: class %d, want %d", name, got, c.want)
		}
	}
	if classify(known, nil) != classUnknown {
		t.Error("without a handler no record is known")
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	in := new(records.Inbox)
	b := records.New(1400, 1)
	if n := testing.AllocsPerRun(100, func() { classify(b, in) }); n != 0 {
		t.Fatalf("%v allocations a packet", n)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add(records.New(100, 1))
	f.Add(make([]byte, 42))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := classify(b, new(records.Inbox))
		if c == classQUIC && b[0]&0xC0 == 0x40 && b[1]&0x80 != 0 && len(b) != ResetSize {
			t.Fatal("a tagged packet that is no reset went to QUIC")
		}
		if c == classRecord {
			t.Fatal("nobody knows this record")
		}
	})
}
