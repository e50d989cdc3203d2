package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A super-packet that the kernel refuses is written segment by segment, each a
// plain packet with its own checksum, and counted; the next one is tried whole.
func TestRefusedSuperPacketIsSplit(t *testing.T) {
	d, r := deviceOnSocket(t)
	const payload, segment = 95, 10
	whole := superPacket(payload, segment)
	put, calls := d.direct.write, 0
	d.direct.write = func(fd uintptr) bool { // as the kernel does it: the first call fails, with nothing written
		if calls++; calls == 1 {
			d.direct.failed = unix.EINVAL
			return true
		}
		return put(fd)
	}
	if n, err := d.Write([]Packet{superPacket(payload, segment)}); n != 1 || err != nil || d.Refused() != 1 {
		t.Fatalf("%d written, %v, %d refused", n, err, d.Refused())
	}
	var got []byte
	pieces := 0
	for ; len(got) < payload; pieces++ {
		seg := readFrame(t, r)
		at, last := binary.BigEndian.Uint32(seg[24:]), len(got)+len(seg)-40 == payload
		if at != uint32(len(got)) || (seg[33] == 0x19) != last {
			t.Fatalf("segment at %d with flags %#x, want it at %d", at, seg[33], len(got))
		}
		got = append(got, seg[40:]...)
	}
	if !bytes.Equal(got, whole.Data()[40:]) || calls != 1+pieces {
		t.Fatalf("%x in %d calls", got, calls)
	}
	if n, err := d.Write([]Packet{superPacket(payload, segment)}); n != 1 || err != nil || d.Refused() != 1 || calls != 2+pieces {
		t.Fatalf("the next: %d written, %v, %d refused, %d calls", n, err, d.Refused(), calls)
	}
	faults.Report(t, "I8", true, "EINVAL of the device's descriptor for a super-packet of %d segments: written in %d plain packets, %d counted refused, the next one is tried whole", (payload+segment-1)/segment, pieces, d.Refused())
}

// What is refused with another error, or is no super-packet, is not tried again.
func TestOtherRefusalsAreErrors(t *testing.T) {
	d, _ := deviceOnSocket(t)
	calls, errno := 0, unix.EIO
	d.direct.write = func(uintptr) bool { calls++; d.direct.failed = errno; return true }
	if n, err := d.Write([]Packet{superPacket(95, 10)}); n != 0 || !errors.Is(err, unix.EIO) || calls != 1 {
		t.Errorf("EIO: %d written, %v, %d calls", n, err, calls)
	}
	errno = unix.EINVAL
	if n, err := d.Write([]Packet{superPacket(95, 0)}); n != 0 || !errors.Is(err, unix.EINVAL) || calls != 2 {
		t.Errorf("a packet: %d written, %v, %d calls", n, err, calls)
	}
	if d.Refused() != 0 {
		t.Errorf("%d refused", d.Refused())
	}
}

// deviceOnSocket is a device with offload whose descriptor is a socket; r has what
// is written, each packet with its header.
func deviceOnSocket(t *testing.T) (d *Device, r *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, r := os.NewFile(uintptr(fds[0]), "w"), os.NewFile(uintptr(fds[1]), "r")
	t.Cleanup(func() { w.Close(); r.Close() })
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return &Device{name: "l2t", direct: directOn(raw)}, r
}

// superPacket is one of TCP with FIN, PSH and ACK, and bytes counting up.
func superPacket(payload int, segment uint16) Packet {
	buf := make([]byte, Headroom+40+payload)
	pkt := buf[Headroom:]
	pkt[0], pkt[9], pkt[32], pkt[33] = 0x45, ip.ProtoTCP, 0x50, 0x19
	binary.BigEndian.PutUint16(pkt[2:], uint16(len(pkt)))
	for i := range payload {
		pkt[40+i] = byte(i)
	}
	return Packet{Buf: buf, Off: Headroom, Len: len(pkt), Segment: segment, Partial: true}
}

// readFrame reads one that must be a plain packet with complete checksums.
func readFrame(t *testing.T, r *os.File) []byte {
	t.Helper()
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
	return seg
}

// The kernel's header is understood in every form that it may have.
func TestReceived(t *testing.T) {
	tcp := make([]byte, 40+100)
	tcp[0], tcp[9], tcp[32] = 0x45, ip.ProtoTCP, 0x50
	binary.BigEndian.PutUint16(tcp[2:], uint16(len(tcp)))
	odd := make([]byte, 44+100) // with an IP option
	odd[0], odd[9], odd[36] = 0x46, ip.ProtoTCP, 0x50
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
		{"size above the length", virtioHeader{flags: needs, gsoType: tso, segment: 5000, csumStart: 20, csumOffset: 16}, tcp, true, Packet{Segment: 5000, Partial: true}, false},
		{"ECN", virtioHeader{flags: needs, gsoType: tso | unix.VIRTIO_NET_HDR_GSO_ECN, segment: 10, csumStart: 20, csumOffset: 16}, tcp, false, Packet{}, false},
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
	faults.Report(t, "I7", true, "virtio headers: size 0 and the ECN bit, which was never asked for, are refused; a size above the length is one segment")
}

// Segments of a super-packet with IP options get complete checksums. What it says
// about congestion stands in each, but that the window was reduced only in the
// first.
func TestOddSuperPacketIsTakenApart(t *testing.T) {
	odd := make([]byte, 44+95)
	odd[0], odd[1], odd[9], odd[36], odd[37] = 0x46, 3, ip.ProtoTCP, 0x50, ip.CWR|0x50
	binary.BigEndian.PutUint16(odd[2:], uint16(len(odd)))
	p := Packet{Buf: odd, Len: len(odd), Segment: 10, l4: 24}
	l, _ := p.layout()
	l.putField(odd, l.pseudo(odd))
	var s Segments
	if !s.Start(&p, true) || s.Len() != 10 {
		t.Fatalf("%d segments", s.Len())
	}
	for i := range s.Len() {
		seg := s.At(i)
		if ip.Add(l.pseudo(seg), ip.Sum(0, seg[24:])) != 0xffff || ip.Sum(0, seg[:24]) != 0xffff {
			t.Fatalf("segment %d: wrong checksum", i)
		}
		if cwr := seg[37]&ip.CWR != 0; seg[1] != 3 || cwr != (i == 0) || len(seg) != min(44+10, 44+95-i*10) {
			t.Fatalf("segment %d: %d bytes, traffic class %d, flags %#x", i, len(seg), seg[1], seg[37])
		}
	}
	faults.Report(t, "I7", true, "a super-packet with IP options, congestion marks and an odd tail is taken apart into %d segments, each with the mark", s.Len())
}
