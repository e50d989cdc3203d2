package transport

import (
	"log/slog"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/net/utcp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Config says where and how to listen. It is not changed after Listen.
type Config struct {
	// Listen is the UDP and TCP address; [::] is dual stack, port 0 lets the
	// system choose.
	Listen netip.AddrPort
	// ResetKey and TokenKey make stateless resets and address tokens. They should
	// survive a restart of the process, which is how a peer notices one at once, and
	// nothing else: whoever gets a reset can recognise the key. Zero: random.
	ResetKey, TokenKey [32]byte
	Mark               uint32       // SO_MARK when not 0
	Carriers           Carriers     // which may be used; zero is all
	NoOffload          bool         // no UDP_GRO and no UDP_SEGMENT
	Logger             *slog.Logger // nil discards
}

// wantsUTCP reports whether a TCP listener belongs to a config.
func (c Config) wantsUTCP() bool { return utcp.Works && c.Carriers.links(wire.LinkUTCP) }

// onUDP is what the UDP socket is to know of a config.
func (c Config) onUDP(count *counters) udp.Options {
	return udp.Options{Listen: c.Listen, Mark: c.Mark, NoOffload: c.NoOffload, NoDirect: !c.Carriers.Has(link.KindDirect),
		Log: c.Logger, Guard: count.guard, Count: &count.udp}
}
