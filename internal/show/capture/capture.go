// Package capture writes packets from inside the tunnel as a pcapng stream that
// Wireshark and tcpdump read: one interface of link type RAW, each packet with
// its direction and the peer as its comment, and at the end how many were lost.
//
// A Writer belongs to one goroutine. It buffers; Flush hands everything on.
package capture

import (
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
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
	ng      *pcapgo.NgWriter
	begun   time.Time
	snap    int
	packets uint64
}

// NewWriter writes the head of the stream: who captures where, with at most snap
// bytes of each packet.
func NewWriter(w io.Writer, program, device string, snap int) (*Writer, error) {
	section := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: program}}
	ng, err := pcapgo.NewNgWriterInterface(w, pcapgo.NgInterface{Name: device, LinkType: layers.LinkTypeRaw, SnapLength: uint32(snap),
		TimestampResolution: 9}, section)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return &Writer{ng: ng, begun: time.Now(), snap: snap}, ng.Flush()
}

// Add writes a packet, cut at the snap length: readers refuse a longer one.
func (w *Writer) Add(p Packet) error {
	p.Data = p.Data[:min(len(p.Data), w.snap)]
	flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}
	if p.Out {
		flags.Direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	info := gopacket.CaptureInfo{Timestamp: p.At, CaptureLength: len(p.Data), Length: p.Len}
	w.packets++
	return w.ng.WritePacketWithOptions(info, p.Data, pcapgo.NgPacketOptions{Comments: []string{p.Peer}, Flags: &flags})
}

// Packets is how many were added.
func (w *Writer) Packets() uint64 { return w.packets }

// Flush hands on what is buffered.
func (w *Writer) Flush() error { return w.ng.Flush() }

// End writes how many packets were captured and how many lost, and flushes.
func (w *Writer) End(dropped uint64) error {
	now := time.Now()
	stats := pcapgo.NgInterfaceStatistics{LastUpdate: now, StartTime: w.begun, EndTime: now, PacketsReceived: w.packets + dropped, PacketsDropped: dropped}
	if err := w.ng.WriteInterfaceStats(0, stats); err != nil {
		return err
	}
	return w.ng.Flush()
}
