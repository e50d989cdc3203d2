package tun

import (
	"fmt"

	"github.com/libertaria-project/l2tun/internal/base/ifname"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Defaults of Config.
const (
	DefaultName = ifname.Default
	DefaultMTU  = wire.DefaultMTU
)

// MinMTU is what IPv6 needs: below it the kernel takes IPv6 off the device
// without a word.
const MinMTU = 1280

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
	if err := ifname.Check(c.Name); err != nil {
		return fmt.Errorf("%w: %v", ErrName, err)
	}
	return checkMTU(c.MTU)
}

func checkMTU(mtu int) error {
	if mtu < MinMTU || mtu > maxPacket {
		return fmt.Errorf("%w: %d is not between %d and %d", ErrMTU, mtu, MinMTU, maxPacket)
	}
	return nil
}
