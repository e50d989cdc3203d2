package tun

import "fmt"

// Defaults of Config.
const (
	DefaultName = "l2tun0"
	DefaultMTU  = 1420 // bytes; fits IPv4 and IPv6 paths of 1500 on direct
)

// MinMTU is what IPv6 needs: below it the kernel takes IPv6 off the device
// without a word.
const MinMTU = 1280

const maxName = 15 // IFNAMSIZ without its zero

// Config says which device to make; the zero value is DefaultName with
// DefaultMTU.
type Config struct {
	Name string // at most 15 of letters, digits, '.', '_' and '-'
	MTU  int    // bytes, 1280 to 65535
	// NoOffload has the kernel's super-packets split and checksummed on reading,
	// and takes plain packets only.
	NoOffload bool
	// FD is the descriptor of a device that somebody else has made (IFF_TUN and
	// IFF_NO_PI; with IFF_VNET_HDR it is as fast as our own) and that has this
	// Name; 0: make one. Once Create has succeeded it is the Device's.
	FD int
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	return c
}

func (c Config) check() error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	return checkMTU(c.MTU)
}

func checkMTU(mtu int) error {
	if mtu < MinMTU || mtu > maxPacket {
		return fmt.Errorf("%w: %d is not between %d and %d", ErrMTU, mtu, MinMTU, maxPacket)
	}
	return nil
}

// checkName is stricter than the kernel, which would read a '%' as a request to
// number devices and takes quotes and control characters; "all" and "default"
// stand for every interface in sysctl.
func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("%w: %q has %d characters, at most %d are possible", ErrName, name, len(name), maxName)
	}
	switch name {
	case "", ".", "..", "all", "default":
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	for _, c := range []byte(name) {
		if !nameByte(c) {
			return fmt.Errorf("%w: %q may hold letters, digits, '.', '_' and '-' only", ErrName, name)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
