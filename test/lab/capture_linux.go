package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Capture writes what passes a device into a pcap file. It is a packet socket
// of our own instead of tcpdump, which loses what it has not read yet when it
// is stopped, and refuses to run as the mapped root of a user namespace.
type Capture struct {
	File string

	sock *os.File // non-blocking packet socket
	out  *os.File
	wg   sync.WaitGroup
	once sync.Once
	err  error // of the reader, valid after wg.Wait
}

// Capture starts taking whole frames in both directions, at most max of those
// for which keep is true (nil = all; it must not keep the slice). Lab.Close
// ends it and removes the file.
func (h *Host) Capture(dev string, max int, keep func(frame []byte) bool) (*Capture, error) {
	var c Capture
	err := h.onLink(dev, "capture on", func(l netlink.Link) error {
		if err := c.open(h, l); err != nil {
			return err
		}
		return c.create(filepath.Join(h.lab.dir, fmt.Sprintf("%s-%s-%d.pcap", h.Name, dev, time.Now().UnixNano())), l)
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.wg.Go(func() { c.err = c.read(max, keep) })
	return &c, h.lab.ownOrClose(&c)
}

// open makes the socket without a protocol, so that it takes nothing before it
// is bound to the device.
func (c *Capture) open(h *Host, l netlink.Link) error {
	return h.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		c.sock = os.NewFile(uintptr(fd), "packet socket")
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20) // root only
		const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8          // network order
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: l.Attrs().Index})
	})
}

// create begins the file. A device without a link layer has raw IP packets.
func (c *Capture) create(file string, l netlink.Link) (err error) {
	if c.out, err = os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	c.File = file
	kind := uint32(linkEthernet)
	if l.Attrs().EncapType == "none" {
		kind = linkRaw
	}
	_, err = c.out.Write(pcapHeader(kind))
	return err
}

// read writes frames until max or until Close sets the deadline, and then what
// the socket still holds.
func (c *Capture) read(max int, keep func([]byte) bool) error {
	w := bufio.NewWriter(c.out)
	buf := make([]byte, 1<<17) // a GSO frame is larger than 64 KiB by its header
	raw, err := c.sock.SyscallConn()
	if err != nil {
		return err
	}
	for taken := 0; taken < max; {
		n, err := c.sock.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			n, err = readNow(raw, buf)
		}
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return errors.Join(err, w.Flush())
		}
		if keep == nil || keep(buf[:n]) {
			taken++
			_, _ = w.Write(appendPcap(nil, time.Now(), buf[:n])) // Flush returns its error
		}
	}
	return w.Flush()
}

// readNow reads what is there, without the deadline; EAGAIN if nothing is.
func readNow(raw syscall.RawConn, buf []byte) (n int, err error) {
	cerr := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buf) })
	return n, errors.Join(cerr, err)
}

// Close ends the capture; the file is then complete. It is idempotent.
func (c *Capture) Close() error {
	c.once.Do(func() {
		if c.sock != nil {
			_ = c.sock.SetReadDeadline(time.Unix(1, 0))
			c.wg.Wait()
			c.err = errors.Join(c.err, c.sock.Close())
		}
		if c.out != nil {
			c.err = errors.Join(c.err, c.out.Close())
		}
	})
	return c.err
}

// Packets ends the capture and returns its frames.
func (c *Capture) Packets() ([][]byte, error) {
	if err := c.Close(); err != nil {
		return nil, err
	}
	return ReadPcap(c.File)
}
