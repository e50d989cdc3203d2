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
func (s hostState) read(kind, flags uint16, data []byte, ignore []int) Change {
	is := kind == unix.RTM_NEWADDR || kind == unix.RTM_NEWLINK || kind == unix.RTM_NEWROUTE
	switch kind {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return s.readAddress(is, data, ignore)
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return s.readLink(is, data, ignore)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return readRoute(is, flags, data, ignore)
	}
	return Change{}
}

func (s hostState) readAddress(is bool, data []byte, ignore []int) Change {
	if len(data) < unix.SizeofIfAddrmsg {
		return Change{}
	}
	msg := nl.DeserializeIfAddrmsg(data)
	index, flags := int(msg.Index), uint32(msg.Flags)
	if slices.Contains(ignore, index) {
		return Change{OwnLost: !is}
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
	return Change{Addresses: s.address(index, ip, flags, is)}
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
	if msg.Family != unix.AF_UNSPEC { // of a bridge about its ports
		return Change{}
	}
	index := int(msg.Index)
	before, known := s.links[index]
	changed := s.link(index, msg.Flags, is)
	if !slices.Contains(ignore, index) {
		return Change{Links: changed}
	}
	return Change{OwnGone: !is, OwnUp: is && known && before&unix.IFF_UP == 0 && msg.Flags&unix.IFF_UP != 0, OwnLost: is && changed}
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

// readRoute tells routes that matter from those of ignored interfaces, from cache
// entries and from those that only mirror addresses. An ignored interface may have
// lost one when one of its goes or another's takes the place of one with our
// metric; IPv6 is usable on it again when the kernel makes its local routes.
func readRoute(is bool, flags uint16, data []byte, ignore []int) Change {
	if len(data) < unix.SizeofRtMsg {
		return Change{}
	}
	msg := nl.DeserializeRtMsg(data)
	if msg.Flags&unix.RTM_F_CLONED != 0 {
		return Change{}
	}
	own, metric := false, uint32(0)
	for _, a := range attributes(data[unix.SizeofRtMsg:]) {
		switch {
		case len(a.value) != 4:
		case a.kind == unix.RTA_OIF:
			own = slices.Contains(ignore, int(binary.NativeEndian.Uint32(a.value)))
		case a.kind == unix.RTA_PRIORITY:
			metric = binary.NativeEndian.Uint32(a.value)
		}
	}
	local := msg.Table == unix.RT_TABLE_LOCAL
	if own {
		return Change{OwnLost: !is || local && msg.Family == unix.AF_INET6}
	}
	return Change{Routes: !local && msg.Protocol != Protocol, OwnLost: is && flags&unix.NLM_F_REPLACE != 0 && metric == Metric}
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
