package quicnet

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
)

// What both ends of a QUIC connection agree on, SPEC section 3.
const (
	alpn          = "l2tun/1"
	exporterLabel = "EXPORTER-l2tun-session-v1"
	bindingQUIC   = 1 // Binding's kind: the value is the TLS exporter's

	fullPacket  = udp.FullPacket // UDP payload of a path of 1500 bytes
	smallPacket = 1200           // what every path of QUIC takes

	idLength = udp.ConnIDSize // of our connection ids

	// Beyond this many handshakes a second from unproven addresses, QUIC asks
	// for a proof of the address first, which costs honest ones a round trip. A
	// handshake that nobody goes on with takes about 80 KiB for 5 s.
	freeHandshakes      = 8
	freeHandshakesBurst = 24

	// Receive windows of accepted connections, bytes: at first, and what quic-go may
	// grow them to. What a stranger sends before its proof (a KEYS request and M1, or
	// M1r) fits the first ones, and quic-go holds data that it cannot deliver yet at
	// up to 11 times its size: frames of 128 bytes keep the buffers of their packets.
	acceptStream, acceptConn   = 6 << 10, 6 << 10
	dialStream, dialConn       = 16 << 10, 32 << 10 // of a dialled one: answers are larger
	largestStream, largestConn = 64 << 10, 128 << 10
)

// quicConfig is the configuration for packets of size bytes of an accepted
// connection. The size stays: a discovered one is never lowered again by quic-go,
// and records that do not fit travel in parts.
func quicConfig(size uint16) *quic.Config {
	return &quic.Config{
		InitialStreamReceiveWindow:     acceptStream,
		MaxStreamReceiveWindow:         largestStream,
		InitialConnectionReceiveWindow: acceptConn,
		MaxConnectionReceiveWindow:     largestConn,

		Versions:                []quic.Version{quic.Version1},
		EnableDatagrams:         true,
		InitialPacketSize:       size,
		DisablePathMTUDiscovery: true,
		HandshakeIdleTimeout:    5 * time.Second,
		MaxIdleTimeout:          60 * time.Second,
		MaxIncomingStreams:      16,
		MaxIncomingUniStreams:   -1,
		Allow0RTT:               true, // of an accepted connection: M1r alone is read
	}
}

// dialConfig is that of a dialler, who keeps the connection alive: its packets
// and their acknowledgements keep the address translators of both ends open. If
// the listener did as well, both timers would fire together.
func dialConfig(size uint16) *quic.Config {
	c := quicConfig(size)
	c.KeepAlivePeriod = link.KindDatagram.Keepalive
	c.InitialStreamReceiveWindow, c.InitialConnectionReceiveWindow = dialStream, dialConn
	return c
}

// tlsConfig makes the TLS side of this process. Certificates are not verified,
// because TLS has no task here but encryption: who the peer is, is proven by the
// handshake between DIDs, which includes this connection's exporter, so a man in the
// middle of TLS is found there (SPEC section 5). The one key agreement is hybrid at
// both ends, so that nobody on the path can have the classical one chosen.
func tlsConfig() (*tls.Config, error) {
	certs := new(certificates)
	if _, err := certs.current(nil); err != nil {
		return nil, err
	}
	c := &tls.Config{
		GetCertificate:     certs.current,
		InsecureSkipVerify: true, // see above
		NextProtos:         []string{alpn},
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519MLKEM768},
	}
	return c, giveTickets(c)
}

// Bounds of smallInitials.
const (
	maxInitials  = 1024
	initialLife  = 10 * time.Second // a QUIC handshake takes no longer
	initialSweep = time.Second      // least time between two looks at all of them
)

// smallInitials remembers who began with packets of less than fullPacket: such
// a dialler has found that full ones do not get through, so it is answered in
// kind. Bounded; a flood of forged packets can only push entries out.
type smallInitials struct {
	mu    sync.Mutex
	seen  map[netip.AddrPort]time.Time // until when
	swept time.Time
}

// note looks at a packet for QUIC.
func (s *smallInitials) note(p udp.Packet) {
	if len(p.Data) >= fullPacket || !isInitial(p.Data) {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= maxInitials {
		s.makeRoom(now)
	}
	if s.seen == nil {
		s.seen = make(map[netip.AddrPort]time.Time)
	}
	s.seen[p.Src] = now.Add(initialLife)
}

// makeRoom drops what has expired and, if that was nothing, any one entry. The
// reader of the socket does it, so a flood must not make it look at all each time.
func (s *smallInitials) makeRoom(now time.Time) {
	if now.Sub(s.swept) >= initialSweep {
		s.swept = now
		for a, until := range s.seen {
			if now.After(until) {
				delete(s.seen, a)
			}
		}
	}
	for a := range s.seen {
		if len(s.seen) < maxInitials {
			return
		}
		delete(s.seen, a)
	}
}

func (s *smallInitials) has(a netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.seen[a]
	return ok && time.Now().Before(until)
}
