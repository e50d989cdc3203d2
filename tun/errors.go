package tun

import "errors"

// What Create, Read and Write report; each comes wrapped in a sentence that
// says what to do about it.
var (
	ErrUnavailable = errors.New("tun: this system has no TUN devices")
	ErrPermission  = errors.New("tun: making a network interface needs CAP_NET_ADMIN")
	ErrTaken       = errors.New("tun: interface name is taken")
	ErrName        = errors.New("tun: not usable as an interface name")
	ErrMTU         = errors.New("tun: MTU out of range")
	ErrDescriptor  = errors.New("tun: cannot use the TUN device that was passed")
	ErrGone        = errors.New("tun: the device was removed by somebody else")
	ErrPacket      = errors.New("tun: not an IP packet with headroom inside its buffer")
	ErrNoIPv6      = errors.New("tun: IPv6 is switched off on this host")
	ErrOffload     = errors.New("tun: device takes no super-packets and no partial checksums")
)
