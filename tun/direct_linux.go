package tun

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSegments is how many segments of a super-packet leave in one call.
const maxSegments = 45

// offloads is what we take over from the kernel. No ECN, so that no super-packet
// has CWR, and no USO: every super-packet is TCP.
const offloads = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6

// A direct moves packets through the device's descriptor, a virtio-net header
// before each, without splitting or joining anything.
type direct struct {
	raw syscall.RawConn

	// State of the one reader.
	batch   *Batch
	errno   syscall.Errno
	skipped uint64
	read    func(fd uintptr) bool // bound once, or each read would allocate it

	// State of the one writer.
	frame  []byte
	failed syscall.Errno
	write  func(fd uintptr) bool
	split  Segments
}

func newDirect(f *os.File) (*direct, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := directOn(raw)
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, offloads) })
	return d, errors.Join(err, failed)
}

func directOn(raw syscall.RawConn) *direct {
	d := &direct{raw: raw}
	d.read, d.write = d.drain, d.put
	return d
}

// readDirect reads until nothing more is there or the batch is full.
func (d *Device) readDirect(b *Batch) (int, error) {
	r := d.direct
	b.Reset()
	r.batch, r.errno, r.skipped = b, 0, 0
	err := r.raw.Read(r.read)
	r.batch = nil
	if r.skipped > 0 {
		d.skipped.Add(r.skipped)
	}
	switch {
	case b.Len() > 0: // an error shows again
		return b.Len(), nil
	case err != nil:
		return 0, d.why(err)
	case r.errno != 0:
		return 0, d.why(r.errno)
	}
	return 0, ErrPacket
}

// drain fills the batch; false makes the poller wait.
func (r *direct) drain(fd uintptr) bool {
	for {
		room := r.batch.Room()
		if room == nil {
			return true
		}
		at := r.batch.headroom - Headroom
		n, errno := readFD(fd, room[at:])
		switch {
		case errno == unix.EAGAIN:
			return r.batch.Len() > 0
		case errno != 0 || n == 0:
			r.errno = errno
			return true
		default:
			r.take(room[at : at+n])
		}
	}
}

func (r *direct) take(b []byte) {
	if h, packet, ok := cutVirtio(b); ok {
		if p, ok := h.received(packet); ok {
			r.batch.Put(p)
			return
		}
	}
	r.skipped++
}

// writeDirect writes each packet in a call of its own; mu is held.
func (d *Device) writeDirect(pkts []Packet) (n int, errs error) {
	for i := range pkts {
		err := d.writeOne(&pkts[i])
		if err == nil {
			n++
			continue
		}
		if errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EBADFD) {
			return n, d.why(err)
		}
		errs = errors.Join(errs, err)
	}
	return n, errs
}

func (d *Device) writeOne(p *Packet) error {
	buf, err := p.framed()
	if err != nil {
		return err
	}
	h, err := headerOf(p)
	if err != nil {
		return err
	}
	h.put(buf)
	if err = d.direct.writeFrame(buf); err == nil {
		return nil
	}
	if h.segment != 0 && errors.Is(err, unix.EINVAL) {
		d.refused.Add(1)
		return d.writeSplit(p)
	}
	return fmt.Errorf("tun: write to %s: %w", d.name, err)
}

// writeFrame writes one packet with its header. Its error is an errno, or
// os.ErrClosed.
func (r *direct) writeFrame(b []byte) error {
	r.frame = b
	err := r.raw.Write(r.write)
	r.frame = nil
	switch {
	case err != nil: // the poller's, which is of no type
		return os.ErrClosed
	case r.failed != 0:
		return r.failed
	}
	return nil
}

// put is one call; false makes the poller wait.
func (r *direct) put(fd uintptr) bool {
	_, r.failed = writeFD(fd, r.frame)
	return r.failed != unix.EAGAIN
}

// writeSplit writes a super-packet segment by segment, each with its checksum.
func (d *Device) writeSplit(p *Packet) error {
	s := &d.direct.split
	if !s.Start(p, true) {
		return ErrOffload
	}
	for i := range s.Len() {
		seg := s.At(i)
		start := p.Off + i*int(p.Segment)
		frame := p.Buf[start-Headroom : start+len(seg)]
		virtioHeader{}.put(frame)
		if err := d.direct.writeFrame(frame); err != nil {
			return fmt.Errorf("tun: write a segment to %s: %w", d.name, err)
		}
	}
	return nil
}
