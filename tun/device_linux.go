package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	wgtun "golang.zx2c4.com/wireguard/tun"
)

var _ Interface = (*Device)(nil)

// Device is a TUN device. Its methods are safe for concurrent use, but only one
// goroutine may Read.
type Device struct {
	name    string
	index   int
	native  wgtun.Device
	direct  *direct // nil: wireguard/tun's own batches
	skipped atomic.Uint64
	refused atomic.Uint64

	write sync.Mutex // guards bufs
	bufs  [][]byte   // scratch of Write

	admin sync.Mutex      // guards link
	link  *netlink.Handle // a socket in the device's namespace; nil once closed

	adopted *adopted // nil: ours alone; guarded by admin

	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

// Name is the name the device was made with.
func (d *Device) Name() string { return d.name }

// Index is the kernel's interface index.
func (d *Device) Index() int { return d.index }

// Skipped counts reads that held nothing usable: a super-packet of more
// segments than the batch has, or packets larger than its buffers because
// somebody raised the device's MTU.
func (d *Device) Skipped() uint64 { return d.skipped.Load() }

// Refused counts super-packets that the kernel would not take whole; they were
// written segment by segment.
func (d *Device) Refused() uint64 { return d.refused.Load() }

// Offload reports whether super-packets and partial checksums pass, see Interface.
func (d *Device) Offload() bool { return d.direct != nil }

// Read implements Interface.
func (d *Device) Read(b *Batch) (int, error) {
	if d.direct != nil {
		return d.readDirect(b)
	}
	for i := range b.Packets {
		buf := b.Packets[i].Buf
		b.bufs[i] = buf[:len(buf):len(buf)]
	}
	for {
		n, err := d.readOnce(b)
		if err != nil && ended(err) {
			return 0, d.why(err)
		}
		if err != nil {
			d.skipped.Add(1)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// readOnce turns a panic into an error: wireguard/tun indexes past buffers that
// are smaller than a segment, and anybody who may change the MTU can cause that.
func (d *Device) readOnce(b *Batch) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("tun: split a super-packet: %v", r)
		}
	}()
	n, err = d.native.Read(b.bufs, b.sizes, b.headroom)
	for i := range n {
		p := &b.Packets[i]
		p.Off, p.Len, p.Segment, p.Partial = b.headroom, b.sizes[i], 0, false
	}
	return n, err
}

// ended tells an error of the descriptor from one about a single packet.
func ended(err error) bool {
	var path *fs.PathError
	return errors.Is(err, os.ErrClosed) || errors.As(err, &path)
}

// why is os.ErrClosed after our own Close and ErrGone else: a deleted device shows
// as EBADFD or as an error of the poller, whichever comes first.
func (d *Device) why(err error) error {
	if d.closed.Load() {
		return os.ErrClosed
	}
	return fmt.Errorf("%w: %s (%v)", ErrGone, d.name, err)
}

// Write implements Interface. Packets the device cannot take are skipped:
// ErrPacket, ErrOffload, or the kernel's error (EIO: the device is down). When
// packets were joined the count on error is an upper bound, since a refused
// super-packet counts as one.
func (d *Device) Write(pkts []Packet) (int, error) {
	d.write.Lock()
	defer d.write.Unlock()
	if d.direct != nil {
		return d.writeDirect(pkts)
	}
	var n int
	var errs error
	for len(pkts) > 0 {
		k := min(len(pkts), BatchSize) // wireguard/tun's tables hold no more flows
		m, err := d.writeSome(pkts[:k])
		n, pkts = n+m, pkts[k:]
		if err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return n, errs
}

func (d *Device) writeSome(pkts []Packet) (int, error) {
	d.bufs = d.bufs[:0]
	var errs error
	for i := range pkts {
		buf, err := pkts[i].room()
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		d.bufs = append(d.bufs, buf)
	}
	if len(d.bufs) == 0 {
		return 0, errs
	}
	n := len(d.bufs)
	bytes, err := d.native.Write(d.bufs, Headroom)
	clear(d.bufs) // the buffers are the caller's again
	if err == nil {
		return n, errs
	}
	if errors.Is(err, os.ErrClosed) {
		return 0, d.why(err)
	}
	if n = max(0, n-failures(err)); bytes <= 0 {
		n = 0
	}
	return n, errors.Join(errs, fmt.Errorf("tun: write to %s: %w", d.name, err))
}

// failures counts the leaves of joined errors.
func failures(err error) int {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return 1
	}
	n := 0
	for _, e := range joined.Unwrap() {
		n += failures(e)
	}
	return n
}

// Close removes the device and returns when the kernel no longer has it; one that
// was passed to us it gives back, without our addresses. It is idempotent and
// ends Read.
func (d *Device) Close() error {
	d.closeOnce.Do(func() {
		d.closed.Store(true) // before the descriptor closes: why asks it
		d.giveBack()
		d.closeErr = d.native.Close()
		d.admin.Lock()
		defer d.admin.Unlock()
		d.link.Close()
		d.link = nil
	})
	return d.closeErr
}
