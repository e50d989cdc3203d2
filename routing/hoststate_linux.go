package routing

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// hostState is what is known of the host, so that a message which repeats it (a
// router advertisement renews addresses every few seconds) is not a change, and so
// that the host's addresses need not be listed again when one is added or removed.
type hostState struct {
	addresses map[addressKey]address
	links     map[int]uint32 // the flags that matter
}

// addressKey is what the kernel tells addresses of one interface apart by.
type addressKey struct {
	index int
	addr  netip.Addr
	in    netip.Prefix // network; IPv4 only: an address may be there twice
}

type address struct {
	flags   uint32       // those that matter: addressFlags, and of IPv6 IFA_F_TEMPORARY
	network netip.Prefix // masked; of the far end where there is one
	ours    bool         // of an interface to ignore
	special bool         // it concerns no peer
}

const (
	addressFlags = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED
	linkFlags    = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_POINTOPOINT
)

func newHostState() hostState {
	return hostState{addresses: make(map[addressKey]address), links: make(map[int]uint32)}
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
	ours := slices.Contains(ignore, index)
	var local, far []byte
	for _, a := range attributes(data[unix.SizeofIfAddrmsg:]) {
		switch {
		case a.kind == unix.IFA_LOCAL:
			local = a.value
		case a.kind == unix.IFA_ADDRESS: // the far end's, or the only one
			far = a.value
		case a.kind == unix.IFA_FLAGS && len(a.value) == 4:
			flags = binary.NativeEndian.Uint32(a.value)
		}
	}
	if local == nil {
		local = far
	} else if far == nil {
		far = local
	}
	c := s.address(index, local, far, int(msg.Prefixlen), flags, is, ours)
	if ours {
		return Change{OwnLost: !is}
	}
	return c
}

// address takes one address and the network that it makes the kernel send to its
// interface.
func (s hostState) address(index int, local, far []byte, bits int, flags uint32, is, ours bool) Change {
	a, ok := netip.AddrFromSlice(local)
	to, there := netip.AddrFromSlice(far)
	if !ok || !there {
		return Change{}
	}
	network, err := to.Unmap().Prefix(bits)
	if err != nil {
		return Change{}
	}
	key := addressKey{index: index, addr: a.Unmap()}
	if key.addr.Is4() {
		key.in = network
	}
	kept := uint32(addressFlags)
	if key.addr.Is6() {
		kept |= unix.IFA_F_TEMPORARY // of IPv4 the bit means another thing, and changes
	}
	now := address{flags & kept, network, ours, IsSpecial(network) && IsSpecial(netip.PrefixFrom(key.addr, key.addr.BitLen()))}
	before, known := s.addresses[key]
	other := known != is || known && before.network != network
	return Change{Addresses: update(s.addresses, key, now, is), Networks: other && !(now.special && (!known || before.special))}
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
	if slices.Contains(ignore, index) {
		return Change{OwnGone: !is, OwnUp: is && known && before&unix.IFF_UP == 0 && msg.Flags&unix.IFF_UP != 0, OwnLost: is && changed}
	}
	turned := !is || !known || (before^msg.Flags)&unix.IFF_UP != 0
	return Change{Links: changed, Networks: turned && s.matters(index)}
}

func (s hostState) link(index int, flags uint32, is bool) bool {
	return update(s.links, index, flags&linkFlags, is)
}

// matters reports whether an interface has an address that concerns peers.
func (s hostState) matters(index int) bool {
	for key, a := range s.addresses {
		if key.index == index && !a.special {
			return true
		}
	}
	return false
}

// list is what of the addresses may concern peers.
func (s hostState) list() (all []HostAddress) {
	for key, a := range s.addresses {
		flags, known := s.links[key.index]
		if !a.special {
			all = append(all, HostAddress{Addr: key.addr, Network: a.network, Ours: a.ours, Up: !known || flags&unix.IFF_UP != 0,
				PointToPoint: flags&unix.IFF_POINTOPOINT != 0, Usable: a.flags&addressFlags == 0, Temporary: a.flags&unix.IFA_F_TEMPORARY != 0})
		}
	}
	return all
}

// with merges what is known with an incomplete listing.
func (s hostState) with(more hostState) hostState {
	all := hostState{maps.Clone(s.addresses), maps.Clone(s.links)}
	maps.Copy(all.addresses, more.addresses)
	maps.Copy(all.links, more.links)
	return all
}

// update keeps what is there and reports whether that is news; an end always is.
func update[K, V comparable](m map[K]V, k K, v V, is bool) bool {
	if !is {
		delete(m, k)
		return true
	}
	old, known := m[k]
	m[k] = v
	return !known || old != v
}

// readRoute tells routes that matter, those of another node of this host among them, from
// those of ignored interfaces, from cache entries and from those that only mirror
// addresses. An ignored interface may have
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
	return Change{Routes: !local, OwnLost: is && flags&unix.NLM_F_REPLACE != 0 && metric == Metric}
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
