package tun

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/faults"
)

// A super-packet that the kernel refuses is written segment by segment, each a
// plain packet with its own checksum.
func TestRefusedSuperPacketIsSplit(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, r := os.NewFile(uintptr(fds[0]), "w"), os.NewFile(uintptr(fds[1]), "r")
	defer w.Close()
	defer r.Close()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{direct: directOn(raw)}
	const payload, segment = 95, 10
	buf := make([]byte, Headroom+40+payload)
	pkt := buf[Headroom:]
	pkt[0], pkt[9], pkt[32], pkt[33] = 0x45, protoTCP, 0x50, 0x19
	binary.BigEndian.PutUint16(pkt[2:], uint16(len(pkt)))
	for i := range payload {
		pkt[40+i] = byte(i)
	}
	if err := d.writeSplit(&Packet{Buf: buf, Off: Headroom, Len: len(pkt), Segment: segment, Partial: true}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < payload {
		frame := make([]byte, 200)
		n, err := r.Read(frame)
		if err != nil {
			t.Fatal(err)
		}
		seg := frame[Headroom:n]
		whole := bytes.Clone(seg)
		if !bytes.Equal(frame[:Headroom], make([]byte, Headroom)) || !Complete(whole) || !bytes.Equal(whole, seg) || !HeaderHolds(seg) {
			t.Fatalf("not a plain packet: %x", frame[:n])
		}
		if at := binary.BigEndian.Uint32(seg[24:]); at != uint32(len(got)) {
			t.Fatalf("segment at %d, want %d", at, len(got))
		}
		if last := len(got)+len(seg)-40 == payload; (seg[33] == 0x19) != last {
			t.Fatalf("flags %#x", seg[33])
		}
		got = append(got, seg[40:]...)
	}
	for i, c := range got {
		if c != byte(i) {
			t.Fatalf("byte %d is %d", i, c)
		}
	}
	faults.Report(t, "I8", true, "a refused super-packet is written one by one")
}

// The kernel's header is understood in every form that it may have.
func TestReceived(t *testing.T) {
	tcp := make([]byte, 40+100)
	tcp[0], tcp[9], tcp[32] = 0x45, protoTCP, 0x50
	binary.BigEndian.PutUint16(tcp[2:], uint16(len(tcp)))
	odd := make([]byte, 44+100) // with an IP option
	odd[0], odd[9], odd[36] = 0x46, protoTCP, 0x50
	binary.BigEndian.PutUint16(odd[2:], uint16(len(odd)))
	const needs, tso = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, unix.VIRTIO_NET_HDR_GSO_TCPV4
	for _, c := range []struct {
		name   string
		h      virtioHeader
		data   []byte
		ok     bool
		want   Packet
		filled bool // the checksum is computed here
	}{
		{"plain", virtioHeader{}, tcp, true, Packet{}, false},
		{"partial", virtioHeader{flags: needs, csumStart: 20, csumOffset: 16}, tcp, true, Packet{Partial: true}, false},
		{"partial with options", virtioHeader{flags: needs, csumStart: 24, csumOffset: 16}, odd, true, Packet{}, true},
		{"partial elsewhere", virtioHeader{flags: needs, csumStart: 20, csumOffset: 10}, tcp, true, Packet{}, true},
		{"checksum outside", virtioHeader{flags: needs, csumStart: 200, csumOffset: 16}, tcp, false, Packet{}, false},
		{"super-packet", virtioHeader{flags: needs, gsoType: tso, segment: 10, csumStart: 20, csumOffset: 16}, tcp, true, Packet{Segment: 10, Partial: true}, false},
		{"super-packet with options", virtioHeader{flags: needs, gsoType: tso, segment: 10, csumStart: 24, csumOffset: 16}, odd, true, Packet{Segment: 10, l4: 24}, false},
		{"no size", virtioHeader{flags: needs, gsoType: tso, csumStart: 20, csumOffset: 16}, tcp, false, Packet{}, false},
		{"not TCP", virtioHeader{flags: needs, gsoType: unix.VIRTIO_NET_HDR_GSO_UDP_L4, segment: 10, csumStart: 20, csumOffset: 6}, tcp, false, Packet{}, false},
	} {
		data := bytes.Clone(c.data)
		p, ok := c.h.received(data)
		if ok != c.ok || ok && (p.Segment != c.want.Segment || p.Partial != c.want.Partial || p.l4 != c.want.l4 || p.Len != len(data)) {
			t.Errorf("%s: %v %+v", c.name, ok, p)
		}
		if bytes.Equal(data, c.data) == c.filled {
			t.Errorf("%s: computed a checksum: %v", c.name, !c.filled)
		}
	}
	faults.Report(t, "I7", true, "wrong virtio headers are refused")
}

// Segments of a super-packet with IP options get complete checksums.
func TestOddSuperPacketIsTakenApart(t *testing.T) {
	odd := make([]byte, 44+95)
	odd[0], odd[9], odd[36] = 0x46, protoTCP, 0x50
	binary.BigEndian.PutUint16(odd[2:], uint16(len(odd)))
	p := Packet{Buf: odd, Len: len(odd), Segment: 10, l4: 24}
	l, _ := p.layout()
	binary.BigEndian.PutUint16(odd[l.field():], l.pseudo(odd))
	var s Segments
	if !s.Start(&p, true) || s.Len() != 10 {
		t.Fatalf("%d segments", s.Len())
	}
	for i := range s.Len() {
		seg := s.At(i)
		if add(l.pseudo(seg), sum(0, seg[24:])) != 0xffff || sum(0, seg[:24]) != 0xffff {
			t.Fatalf("segment %d: wrong checksum", i)
		}
	}
	faults.Report(t, "I7", true, "odd super-packets are taken apart")
}
