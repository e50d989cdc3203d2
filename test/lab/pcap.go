package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	pcapMagic    = 0xa1b2c3d4 // microseconds
	linkEthernet = 1
	linkRaw      = 101 // IP packets
)

var errPcap = errors.New("lab: not a little-endian pcap file")

// ReadPcap returns the packets of a pcap file. A last packet that was not
// written out whole is left off.
func ReadPcap(file string) ([][]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return parsePcap(b)
}

// parsePcap reads a header of 24 bytes, then records: seconds, fraction, length
// kept, length on the wire, 4 bytes each, and the packet.
func parsePcap(b []byte) (packets [][]byte, err error) {
	if len(b) < 24 || binary.LittleEndian.Uint32(b) != pcapMagic {
		return nil, errPcap
	}
	for b = b[24:]; len(b) >= 16; {
		n := uint64(binary.LittleEndian.Uint32(b[8:]))
		b = b[16:]
		if n > uint64(len(b)) {
			break
		}
		packets = append(packets, b[:n:n])
		b = b[n:]
	}
	return packets, nil
}

// pcapHeader begins a file of version 2.4 with whole packets.
func pcapHeader(link uint32) []byte {
	b := make([]byte, 0, 24)
	b = binary.LittleEndian.AppendUint32(b, pcapMagic)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 1<<18)
	return binary.LittleEndian.AppendUint32(b, link)
}

// appendPcap appends one record.
func appendPcap(b []byte, at time.Time, packet []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(at.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(at.Nanosecond()/1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
	return append(b, packet...)
}
