package tun

import (
	"errors"
	"testing"
)

func TestBatchBuffersDoNotOverlap(t *testing.T) {
	b := NewBatch(3, 100, 16)
	for i := range b.Packets {
		p := &b.Packets[i]
		if len(p.Buf) != 116 || cap(p.Buf) != 116 || p.Off != 16 || p.Len != 0 {
			t.Fatalf("packet %d: len %d cap %d off %d", i, len(p.Buf), cap(p.Buf), p.Off)
		}
		for j := range p.Buf {
			p.Buf[j] = byte(i + 1)
		}
	}
	for i, p := range b.Packets {
		if p.Buf[0] != byte(i+1) || p.Buf[115] != byte(i+1) {
			t.Fatalf("packet %d was overwritten by another", i)
		}
	}
}

func TestRoomKeepsWriteInsideTheBuffer(t *testing.T) {
	back := make([]byte, 200)
	buf := back[:100] // what lies behind belongs to somebody else
	buf[20], buf[10] = 0x45, 0x60
	for _, c := range []struct {
		name string
		p    Packet
		want error
		cap  int
	}{
		{"whole", Packet{Buf: buf, Off: 20, Len: 80}, nil, 90},
		{"spare room", Packet{Buf: buf, Off: 20, Len: 20}, nil, 90},
		{"least headroom", Packet{Buf: buf, Off: 10, Len: 20}, nil, 100},
		{"no headroom", Packet{Buf: buf, Off: 9, Len: 20}, ErrPacket, 0},
		{"empty", Packet{Buf: buf, Off: 20}, ErrPacket, 0},
		{"negative", Packet{Buf: buf, Off: 20, Len: -1}, ErrPacket, 0},
		{"past the end", Packet{Buf: buf, Off: 20, Len: 81}, ErrPacket, 0},
		{"overflow", Packet{Buf: buf, Off: int(^uint(0) >> 1), Len: 20}, ErrPacket, 0},
		{"not IP", Packet{Buf: buf, Off: 21, Len: 20}, ErrPacket, 0},
		{"nil", Packet{}, ErrPacket, 0},
		{"super-packet", Packet{Buf: buf, Off: 20, Len: 80, Segment: 20}, ErrOffload, 0},
		{"partial checksum", Packet{Buf: buf, Off: 20, Len: 80, Partial: true}, ErrOffload, 0},
	} {
		b, err := c.p.room()
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if err == nil && (cap(b) != c.cap || len(b) != c.p.Len+Headroom) {
			t.Errorf("%s: len %d cap %d, want %d %d", c.name, len(b), cap(b), c.p.Len+Headroom, c.cap)
		}
	}
}
