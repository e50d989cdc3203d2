// Package capture writes packets from inside the tunnel as a pcapng stream that
// Wireshark and tcpdump read: one interface of link type RAW, each packet with
// its direction and the peer as its comment, and at the end how many were lost.
//
// A Writer belongs to one goroutine. It buffers; Flush hands everything on.
package capture

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// MaxPacket is the largest packet and so the largest useful snap length, bytes.
const MaxPacket = 65535

// A Packet is one packet as it passed between the system and a peer.
type Packet struct {
	At   time.Time
	Peer string
	Out  bool   // from the system to the peer
	Len  int    // bytes of the packet
	Data []byte // its first bytes
}

// A Writer makes a pcapng stream.
type Writer struct {
	w       *bufio.Writer
	block   block
	begun   time.Time
	snap    int
	packets uint64
}

// NewWriter writes the head of the stream: who captures where, with at most snap
// bytes of each packet.
func NewWriter(w io.Writer, program, device string, snap int) (*Writer, error) {
	c := &Writer{w: bufio.NewWriter(w), begun: time.Now(), snap: snap}
	err := c.section(program)
	if err == nil {
		err = c.device(device)
	}
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return c, nil
}

// section begins the stream: pcapng 1.0, whose length is not known yet.
func (w *Writer) section(program string) error {
	x := &w.block
	x.begin(sectionBlock)
	x.u32(byteOrder)
	x.u16(1)
	x.u16(0)
	x.u64(unknownSectionLength)
	x.text(sectionApplication, program)
	return w.write(x.end())
}

// device is the one interface of the stream, number 0.
func (w *Writer) device(name string) error {
	x := &w.block
	x.begin(interfaceBlock)
	x.u16(linkRaw)
	x.u16(0)
	x.u32(uint32(w.snap))
	x.text(interfaceName, name)
	x.text(interfaceResolution, string([]byte{nanoseconds}))
	return w.write(x.end())
}

// Add writes a packet, cut at the snap length: readers refuse a longer one.
func (w *Writer) Add(p Packet) error {
	p.Data = p.Data[:min(len(p.Data), w.snap)]
	direction := uint32(inbound)
	if p.Out {
		direction = outbound
	}
	x := &w.block
	x.begin(packetBlock)
	x.u32(0) // the interface
	x.when(p.At)
	x.u32(uint32(len(p.Data)))
	x.u32(uint32(p.Len))
	x.bytes(p.Data)
	x.text(anyComment, p.Peer)
	x.option(packetFlags, func() { x.u32(direction) })
	w.packets++
	return w.write(x.end())
}

// Packets is how many were added.
func (w *Writer) Packets() uint64 { return w.packets }

// Flush hands on what is buffered.
func (w *Writer) Flush() error { return w.w.Flush() }

// End writes how many packets were captured and how many lost, and flushes.
func (w *Writer) End(dropped uint64) error {
	now, x := time.Now(), &w.block
	x.begin(statisticsBlock)
	x.u32(0) // the interface
	x.when(now)
	x.option(statisticsBegun, func() { x.when(w.begun) })
	x.option(statisticsEnded, func() { x.when(now) })
	x.option(statisticsDropped, func() { x.u64(dropped) })
	x.option(statisticsReceived, func() { x.u64(w.packets + dropped) })
	if err := w.write(x.end()); err != nil {
		return err
	}
	return w.Flush()
}

func (w *Writer) write(b []byte) error {
	_, err := w.w.Write(b)
	return err
}
