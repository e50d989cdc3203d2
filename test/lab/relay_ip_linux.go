package lab

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// An IPRelay is a cable that runs through this process: a TUN device at each
// end, and a Disturbance for each direction (Up is A to B). Unlike the other
// relays it judges IP packets, so what TCP sends can be lost too, and every kind
// of tunnel over it meets the same network. A packet costs microseconds here:
// it is for slow lines.
type IPRelay struct {
	*Cable
	judges
	a, b *os.File
	up   *line
	down *line
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// RelayIP joins two hosts by an IPRelay. Its ends are named and addressed like
// those of any cable; its MTU is 1500. The seed fixes the fates of a given
// sequence of packets.
func (l *Lab) RelayIP(a, b *Host, seed uint64) (*IPRelay, error) {
	n, err := l.nextCable()
	if err != nil {
		return nil, err
	}
	return l.relayIP(a, b, numbered(n), seed)
}

// RelayIPAs is RelayIP with addresses of the caller's choice.
func (l *Lab) RelayIPAs(a, b *Host, at Addresses, seed uint64) (*IPRelay, error) {
	if _, err := l.nextCable(); err != nil {
		return nil, err
	}
	return l.relayIP(a, b, at, seed)
}

func (l *Lab) relayIP(a, b *Host, at Addresses, seed uint64) (*IPRelay, error) {
	js := newJudges(seed)
	r := &IPRelay{Cable: newCable(a, b, at), judges: js,
		up: newLine(js.up), down: newLine(js.down), done: make(chan struct{})}
	if err := r.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: IP relay of %s and %s: %w", a.Name, b.Name, err), r.Close())
	}
	r.wg.Go(func() { r.read(r.a, r.b, r.up) })
	r.wg.Go(func() { r.read(r.b, r.a, r.down) })
	r.wg.Go(func() { r.up.run(r.done) })
	r.wg.Go(func() { r.down.run(r.done) })
	return r, l.ownOrClose(r)
}

// open makes both devices and brings them up.
func (r *IPRelay) open() (err error) {
	if r.a, err = r.A.openTUN(); err != nil {
		return err
	}
	if r.b, err = r.B.openTUN(); err != nil {
		return err
	}
	for _, e := range []*End{r.A, r.B} {
		if err := e.Host.SetLink(e.Dev, true); err != nil {
			return err
		}
		if err := e.addAddresses(); err != nil {
			return err
		}
	}
	return nil
}

// openTUN makes the end's device, which goes with the file.
func (e *End) openTUN() (f *os.File, err error) {
	request, err := unix.NewIfreq(e.Dev)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	return f, e.Host.Do(func() error {
		fd, err := unix.Open(TUN, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s: %w", TUN, err)
		}
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			unix.Close(fd)
			return fmt.Errorf("make %s: %w", e.Dev, err)
		}
		f = os.NewFile(uintptr(fd), TUN) // only now: the poller is of use once there is a device
		return nil
	})
}

// read judges what the kernel sends into one device until it is closed.
func (r *IPRelay) read(from, to *os.File, l *line) {
	write := func(p []byte) { _, _ = to.Write(p) } // a full or closed device drops
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err == nil {
			l.pass(buf[:n], write)
		}
	}
}

// Close removes both devices and waits for the relay's goroutines. It is
// idempotent.
func (r *IPRelay) Close() (err error) {
	r.once.Do(func() {
		close(r.done)
		for _, f := range []*os.File{r.a, r.b} {
			if f != nil {
				err = errors.Join(err, f.Close())
			}
		}
		r.wg.Wait()
	})
	return err
}
