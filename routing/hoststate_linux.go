package routing

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// hostState is what is known of the host, so that a message which repeats it (a
// router advertisement renews addresses every few seconds) is not a change.
type hostState struct {
	addresses map[addressKey]uint32 // the flags that matter
	links     map[int]uint32
}

type addressKey struct {
	index int
	addr  netip.Addr
}

const (
	addressFlags = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED
	linkFlags    = unix.IFF_UP | unix.IFF_RUNNING
)

func newHostState() hostState {
	return hostState{addresses: make(map[addressKey]uint32), links: make(map[int]uint32)}
}

// read takes one rtnetlink message and says what it changed.
func (s hostState) read(kind uint16, data []byte, ignore []int) Change {
	switch kind {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return Change{Addresses: s.readAddress(kind == unix.RTM_NEWADDR, data, ignore)}
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return s.readLink(kind == unix.RTM_NEWLINK, data, ignore)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return Change{Routes: foreignRoute(data, ignore)}
	}
	return Change{}
}

func (s hostState) readAddress(is bool, data []byte, ignore []int) bool {
	if len(data) < unix.SizeofIfAddrmsg {
		return false
	}
	msg := nl.DeserializeIfAddrmsg(data)
	index, flags := int(msg.Index), uint32(msg.Flags)
	if slices.Contains(ignore, index) {
		return false
	}
	var ip []byte
	for _, a := range attributes(data[unix.SizeofIfAddrmsg:]) {
		switch {
		case a.kind == unix.IFA_LOCAL, a.kind == unix.IFA_ADDRESS && ip == nil: // local wins: address may be the far end
			ip = a.value
		case a.kind == unix.IFA_FLAGS && len(a.value) == 4:
			flags = binary.NativeEndian.Uint32(a.value)
		}
	}
	return s.address(index, ip, flags, is)
}

func (s hostState) address(index int, ip []byte, flags uint32, is bool) bool {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return false
	}
	return update(s.addresses, addressKey{index, a.Unmap()}, flags&addressFlags, is)
}

func (s hostState) readLink(is bool, data []byte, ignore []int) Change {
	if len(data) < unix.SizeofIfInfomsg {
		return Change{}
	}
	msg := nl.DeserializeIfInfomsg(data)
	index := int(msg.Index)
	before, known := s.links[index]
	changed := s.link(index, msg.Flags, is)
	if !slices.Contains(ignore, index) {
		return Change{Links: changed}
	}
	return Change{OwnGone: !is, OwnUp: is && known && before&unix.IFF_UP == 0 && msg.Flags&unix.IFF_UP != 0}
}

func (s hostState) link(index int, flags uint32, is bool) bool {
	return update(s.links, index, flags&linkFlags, is)
}

// update keeps what is there and reports whether that is news; an end always is.
func update[K comparable](m map[K]uint32, k K, v uint32, is bool) bool {
	if !is {
		delete(m, k)
		return true
	}
	old, known := m[k]
	m[k] = v
	return !known || old != v
}

// foreignRoute tells routes that matter from ours, from those of ignored
// interfaces, from cache entries and from those that only mirror addresses.
func foreignRoute(data []byte, ignore []int) bool {
	if len(data) < unix.SizeofRtMsg {
		return false
	}
	msg := nl.DeserializeRtMsg(data)
	if msg.Protocol == Protocol || msg.Table == unix.RT_TABLE_LOCAL || msg.Flags&unix.RTM_F_CLONED != 0 {
		return false
	}
	for _, a := range attributes(data[unix.SizeofRtMsg:]) {
		if a.kind == unix.RTA_OIF && len(a.value) == 4 && slices.Contains(ignore, int(binary.NativeEndian.Uint32(a.value))) {
			return false
		}
	}
	return true
}

type attribute struct {
	kind  uint16
	value []byte
}

// attributes reads rtattr{len u16, type u16, value, padding to 4} until one does
// not fit.
func attributes(b []byte) []attribute {
	var all []attribute
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		all = append(all, attribute{binary.NativeEndian.Uint16(b[2:]), b[unix.SizeofRtAttr:n]})
		b = b[min((n+3)&^3, len(b)):]
	}
	return all
}
