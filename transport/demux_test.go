package transport

import (
	"crypto/rand"
	"net"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

func TestClassify(t *testing.T) {
	known := record(100, 1)
	in := &inbox{known: map[wire.RecordID]bool{wire.RecordID(known[1:8]): true}}
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
	unknown := record(100, 1)
	unknown[3] ^= 1
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
		"known record of the reset's size":   {append([]byte(nil), known[:resetSize]...), classRecord},
		"unknown record":                     {unknown, classUnknown},
		"unknown record of the reset's size": {unknown[:resetSize], classQUIC},
		"reset that has our tag":             {of(resetSize, 0x7E, 0x80), classQUIC},
		"tagged, other low bits":             {of(100, 0x41, 0x80), classBad},
		"tagged, shorter than a record":      {of(wire.Overhead-1, 0x40, 0x80), classBad},
		"known record cut too short":         {known[:wire.Overhead-1], classBad},
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
	in := &inbox{}
	b := record(1400, 1)
	if n := testing.AllocsPerRun(100, func() { classify(b, in) }); n != 0 {
		t.Fatalf("%v allocations a packet", n)
	}
}

func rawSender(t *testing.T, to *node) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// SPEC R-3.1-1.
func TestTaggedUnknownPacketsAreCountedAndQUICGoesOn(t *testing.T) {
	a, b, ca, cb := pair(t)
	raw := rawSender(t, b)
	for i := range 50 {
		raw.Write(record(200+i, 1))
	}
	eventually(t, 30*time.Second, "50 unknown records counted", func() bool { return b.Stats().UnknownRecords == 50 })
	wantTraffic(t, a, b, ca, cb)
	faults.Report(t, "R7", true, "50 records of an unknown id: counted, none handed over")
}

func TestRecordsAreCountedWhileDirectIsOff(t *testing.T) {
	conf := testConfig(loopback)
	conf.Carriers = CarriersOf(link.KindDatagram, link.KindUTCP)
	b := startConfig(t, conf)
	known := record(300, 1)
	b.in.know(known)
	rawSender(t, b).Write(known)
	eventually(t, 30*time.Second, "a known record without a path counted", func() bool { return b.Stats().NoPath == 1 })
	if b.Direct(loopback) != nil || b.in.len() != 0 {
		t.Fatal("the direct carrier is not off")
	}
	a := startNode(t, loopback)
	connect(t, a, b, b.LocalAddr())
}

func TestRandomBytesOfEveryLengthHarmNothing(t *testing.T) {
	a, b, ca, cb := pair(t)
	raw := rawSender(t, b)
	buf := make([]byte, 1500)
	for n := range len(buf) + 1 {
		rand.Read(buf)
		raw.Write(buf[:n])
		if n%64 == 0 {
			time.Sleep(time.Millisecond) // let the receiver keep up: this is about contents
		}
	}
	raw.Write(make([]byte, 9000))
	eventually(t, 30*time.Second, "all of it received", func() bool { return b.Stats().Received >= 1500 })
	wantTraffic(t, a, b, ca, cb)
	s := b.Stats()
	if s.Malformed == 0 || ca.Err() != nil || cb.Err() != nil {
		t.Fatalf("stats %+v, %v, %v", s, ca.Err(), cb.Err())
	}
	connect(t, a, b, b.LocalAddr())
}

func FuzzClassify(f *testing.F) {
	f.Add(record(100, 1))
	f.Add(make([]byte, 42))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := classify(b, &inbox{})
		if c == classQUIC && b[0]&0xC0 == 0x40 && b[1]&0x80 != 0 && len(b) != resetSize {
			t.Fatal("a tagged packet that is no reset went to QUIC")
		}
		if c == classRecord {
			t.Fatal("nobody knows this record")
		}
	})
}
