package mapping

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Layouts, big endian (RFC 6887 7.1, 7.2, 11.1; RFC 6886 3.2, 3.3):
//
//	PCP request  version 2  op        0[2]      lifetime[4]  client[16]
//	PCP answer   version 2  op|0x80   0 result  lifetime[4]  epoch[4] 0[12]
//	MAP, both    nonce[12]  protocol  0[3]      internal[2]  external[2] address[16]
//
//	NAT-PMP      version 0  op
//	  MAP        0[2]  internal[2]  external[2]  lifetime[4]
//	answer       version 0  op|0x80  result[2]  epoch[4]
//	  address    address[4]
//	  MAP        internal[2]  external[2]  lifetime[4]
const (
	pcpVersion = 2
	pmpVersion = 0

	answerBit = 0x80
	protoUDP  = 17

	pcpAnnounce = 0
	pcpMap      = 1
	pmpAddress  = 0
	pmpMap      = 1 // UDP

	pcpHeaderSize = 24
	pcpMapSize    = 60
	pmpHeaderSize = 8
	pmpAddressLen = 12
	pmpMapLen     = 16

	// MaxPacket is the largest packet of either protocol.
	MaxPacket = 1100

	// Both protocols: the request has a version that the router does not know.
	unsupportedVersion = 1
)

// Port is the UDP port of routers for both protocols.
const Port = 5351

var errPacket = errors.New("mapping: not an answer of PCP or NAT-PMP")

// A Nonce ties answers of PCP to requests, and is what permits changes of a
// mapping (RFC 6887 11.2).
type Nonce [12]byte

// A request is what the router is asked to map. A lifetime of 0 deletes.
type request struct {
	local    netip.AddrPort
	external netip.AddrPort // suggested
	nonce    Nonce          // PCP
	lifetime uint32         // seconds
}

// An answer is one packet of the router. Fields that its kind does not have are
// zero.
type answer struct {
	version, op, protocol byte
	result                uint16
	epoch, lifetime       uint32
	nonce                 Nonce
	internal              uint16
	external              netip.AddrPort
}

func appendPCPHeader(b []byte, op byte, client netip.Addr, lifetime uint32) []byte {
	b = append(b, pcpVersion, op, 0, 0)
	b = binary.BigEndian.AppendUint32(b, lifetime)
	a := client.As16()
	return append(b, a[:]...)
}

// appendPCPMap appends a request for a mapping. RFC 6887 11.1.
func appendPCPMap(b []byte, r request) []byte {
	b = appendPCPHeader(b, pcpMap, r.local.Addr(), r.lifetime)
	b = append(b, r.nonce[:]...)
	b = append(b, protoUDP, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, r.local.Port())
	b = binary.BigEndian.AppendUint16(b, r.external.Port())
	a := r.external.Addr().As16()
	return append(b, a[:]...)
}

// appendPCPAnnounce appends a question for the router's clock. RFC 6887 14.1.
func appendPCPAnnounce(b []byte, client netip.Addr) []byte {
	return appendPCPHeader(b, pcpAnnounce, client, 0)
}

// appendPMPAddress appends a question for the router's address. RFC 6886 3.2.
func appendPMPAddress(b []byte) []byte { return append(b, pmpVersion, pmpAddress) }

// appendPMPMap appends a request for a mapping. RFC 6886 3.3.
func appendPMPMap(b []byte, r request) []byte {
	b = append(b, pmpVersion, pmpMap, 0, 0)
	b = binary.BigEndian.AppendUint16(b, r.local.Port())
	b = binary.BigEndian.AppendUint16(b, r.external.Port())
	return binary.BigEndian.AppendUint32(b, r.lifetime)
}

// parse reads an answer of either protocol. Options that follow a PCP answer are
// passed over.
func parse(b []byte) (answer, error) {
	switch {
	case len(b) < pmpHeaderSize || len(b) > MaxPacket || b[1]&answerBit == 0:
	case b[0] == pcpVersion:
		return parsePCP(b)
	case b[0] == pmpVersion:
		return parsePMP(b)
	}
	return answer{}, errPacket
}

func parsePCP(b []byte) (answer, error) {
	if len(b) < pcpHeaderSize || len(b)%4 != 0 {
		return answer{}, errPacket
	}
	a := answer{version: pcpVersion, op: b[1] &^ answerBit, result: uint16(b[3]),
		lifetime: binary.BigEndian.Uint32(b[4:]), epoch: binary.BigEndian.Uint32(b[8:])}
	if a.op != pcpMap {
		return a, nil
	}
	if len(b) < pcpMapSize {
		return answer{}, errPacket
	}
	m := b[pcpHeaderSize:pcpMapSize]
	a.nonce, a.protocol = Nonce(m[:12]), m[12]
	a.internal = binary.BigEndian.Uint16(m[16:])
	address := netip.AddrFrom16([16]byte(m[20:]))
	a.external = netip.AddrPortFrom(address.Unmap(), binary.BigEndian.Uint16(m[18:]))
	return a, nil
}

// parsePMP accepts refusals of any of the sizes, because routers differ.
func parsePMP(b []byte) (answer, error) {
	a := answer{version: pmpVersion, op: b[1] &^ answerBit, result: binary.BigEndian.Uint16(b[2:]), epoch: binary.BigEndian.Uint32(b[4:])}
	switch {
	case a.op == pmpAddress && len(b) == pmpAddressLen:
		a.external = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[8:])), 0)
	case a.op == pmpMap && len(b) == pmpMapLen:
		a.internal, a.lifetime = binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint32(b[12:])
		a.external = netip.AddrPortFrom(netip.Addr{}, binary.BigEndian.Uint16(b[10:]))
	case a.result == 0 || len(b) > pmpMapLen:
		return answer{}, errPacket
	}
	return a, nil
}
