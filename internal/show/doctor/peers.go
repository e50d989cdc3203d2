package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/transport"
)

const (
	maxTargets = 64 // endpoints that are looked at
	atOnce     = 8
	dialTime   = 6 * time.Second // of QUIC and of TCP
	pingTime   = 2 * time.Second
)

// resolve finds the addresses of the endpoints, once.
func (e *exam) resolve(ctx context.Context) {
	if e.config == nil || e.o.Offline || e.targets != nil {
		return
	}
	for i := range e.config.Peers {
		p := &e.config.Peers[i]
		if e.o.Peer != "" && e.config.Lookup(e.o.Peer) != p {
			continue
		}
		for _, endpoint := range p.Endpoints {
			if len(e.targets) < maxTargets {
				e.resolveOne(ctx, p, endpoint)
			}
		}
	}
}

func (e *exam) resolveOne(ctx context.Context, p *config.Peer, endpoint string) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return // the config has been checked
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if (err != nil || len(addrs) == 0) && e.obstructed(called(p), endpoint) {
		return // the node has said so
	}
	if err != nil || len(addrs) == 0 {
		e.find(health.Unresolvable, control.LevelError, called(p), fmt.Sprintf("its endpoint %s does not resolve: %s", endpoint, why(err)),
			"correct the name, or write the address; check the resolver if no name works", "cat /etc/resolv.conf")
		return
	}
	e.targets = append(e.targets, target{about: called(p), endpoint: endpoint, remote: netip.AddrPortFrom(addrs[0].Unmap(), uint16(number))})
}

func why(err error) string {
	if de, ok := errors.AsType[*net.DNSError](err); ok {
		return de.Err
	}
	return fmt.Sprint(err)
}

// A passage is what got through to one endpoint.
type passage struct {
	quic, tcp bool
	echo      transport.Echo
	tcpErr    error
	session   control.Pong // what came back through the session meanwhile; zero: nothing
}

// lookAtPeers tries each endpoint by QUIC, by TCP and by plain datagrams of
// several sizes.
func (e *exam) lookAtPeers(ctx context.Context) {
	e.resolve(ctx)
	if e.o.Offline || len(e.targets) == 0 {
		return
	}
	t, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("[::]:0")})
	if err != nil {
		return // no sockets at all: the port check has said more
	}
	defer t.Close()
	t.Handle(deaf{})
	got := make([]passage, len(e.targets))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, w := range e.targets {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			got[i] = try(ctx, t, w.remote)
			got[i].session = e.ping(ctx, w.about)
		})
	}
	wg.Wait()
	for i, w := range e.targets {
		if ctx.Err() == nil {
			e.judge(w, got[i])
		}
	}
}

// ping asks a peer through its session, if that is up.
func (e *exam) ping(ctx context.Context, about string) control.Pong {
	p := e.up(about)
	if p == nil {
		return control.Pong{}
	}
	pong, err := control.New(e.o.Socket).Ping(ctx, p.DID, pingTime)
	if err != nil {
		return control.Pong{}
	}
	return pong
}

// deaf takes no records: there is no session here.
type deaf struct{}

var _ link.Handler = deaf{}

// Records implements link.Handler.
func (deaf) Records(link.Path, [][]byte) {}

// Known implements link.Handler.
func (deaf) Known(wire.RecordID) bool { return false }

// Unreachable implements link.Handler.
func (deaf) Unreachable(netip.AddrPort) {}

// try does all three at once.
func try(ctx context.Context, t *transport.Transport, remote netip.AddrPort) (p passage) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var wg sync.WaitGroup
	dial := func(l wire.Link) error {
		c, err := t.Dial(ctx, l, remote)
		if err == nil {
			c.Close("l2tun doctor")
		}
		return err
	}
	wg.Go(func() { p.quic = dial(wire.LinkQUIC) == nil })
	wg.Go(func() { p.tcpErr = dial(wire.LinkUTCP); p.tcp = p.tcpErr == nil })
	wg.Go(func() { p.echo = transport.ProbeUDP(ctx, remote, transport.EchoSizes()) })
	wg.Wait()
	return p
}

// smallestDirect is the smallest datagram that the direct carrier works with.
const smallestDirect = 1312

// judge interprets a passage. A peer whose session is up has another path.
func (e *exam) judge(w target, p passage) {
	if !p.quic && !p.tcp && !p.echo.Answered && (e.obstructed(w.about, w.remote.String()) || e.rebuffed(w)) {
		return // the node has said why
	}
	udp, tcp := e.carriers().Uses(wire.LinkQUIC), e.carriers().Uses(wire.LinkUTCP)
	level := control.LevelError
	up := e.up(w.about)
	if up != nil {
		level = control.LevelWarning
	}
	answers := up != nil && p.session.Remote == w.remote.String() && !up.Inbound
	if answers { // better evidence than a probe from another port, which a NAT may drop
		k, err := link.ParseKind(p.session.Carrier)
		byTCP := err == nil && k.Link == wire.LinkUTCP
		p.quic = p.quic || !byTCP && !p.echo.Answered
		p.tcp = p.tcp || byTCP
	}
	switch {
	case answers && !p.tcp && up.SeenAs != "" && up.SeenAs != up.Local:
		e.find(health.TCPBlocked, control.LevelNote, w.about, fmt.Sprintf("no TCP from %s, which a NAT on the path explains; the session is up by UDP", w.remote),
			"nothing to do; without TCP there is no fallback when UDP is blocked")
	case !p.quic && !p.tcp && !p.echo.Answered:
		e.unreachable(w, p, level)
	case udp && !p.quic && p.echo.Answered:
		if p.tcp {
			level = control.LevelWarning
		}
		e.find(health.NoHandshake, level, w.about, fmt.Sprintf("UDP reaches %s, but the datagrams of a handshake do not: %s", w.remote, largest(p.echo)),
			"raise the MTU on the path (1228 bytes and more must pass), and look for a firewall that inspects QUIC or drops the second datagram of a large handshake; TCP is used meanwhile if it passes")
	case udp && !p.quic:
		e.find(health.UDPBlocked, control.LevelWarning, w.about, fmt.Sprintf("no UDP traffic reaches %s; TCP does", w.remote),
			fmt.Sprintf("allow UDP to port %d at both firewalls; until then packets travel by TCP, which is slower when packets are lost", w.remote.Port()))
	case tcp && p.quic && !p.tcp:
		e.find(health.TCPBlocked, control.LevelWarning, w.about, fmt.Sprintf("no TCP traffic reaches %s (%s); UDP does", w.remote, short(p.tcpErr)),
			fmt.Sprintf("allow TCP to port %d too, or there is no fallback when UDP is blocked; nothing to do if the peer has it switched off", w.remote.Port()))
	}
	if k := e.probed(); k != nil && p.quic && p.echo.Answered && p.echo.Largest < smallestDirect {
		e.find(health.NarrowPath, control.LevelWarning, w.about, fmt.Sprintf("datagrams of more than %d bytes do not reach %s: %s needs %d", p.echo.Largest, w.remote, k.Shown, smallestDirect),
			"raise the MTU of the narrow link, which tracepath shows; until then packets are sent in two parts, which is slower", "tracepath "+w.remote.Addr().String())
	}
}

// obstructed reports whether the running node could not even try an endpoint of a
// peer, which it has named and which is more specific than a missing answer.
func (e *exam) obstructed(about, endpoint string) bool {
	if e.status == nil {
		return false
	}
	for i := range e.status.Peers {
		p := &e.status.Peers[i]
		if health.Called(p) != about || p.State == "established" || p.State == "rotating" || health.Asleep(p) {
			continue
		}
		if slices.ContainsFunc(p.Trouble.Obstacles, func(o control.Obstacle) bool { return o.Endpoint == endpoint }) {
			return true
		}
	}
	return false
}

// rebuffed reports whether an endpoint has answered the running node, which saw
// more of it than a probe from another port, and sent it away.
func (e *exam) rebuffed(w target) bool {
	if e.status == nil {
		return false
	}
	answers := []string{"refused", "authentication_failed", "version"}
	return slices.ContainsFunc(e.status.Peers, func(p control.Peer) bool {
		return health.Called(&p) == w.about && p.State == "failed" && slices.Contains(answers, p.Reason) && (p.Endpoint == w.remote.String() || p.Endpoint == w.endpoint)
	})
}

// carriers are those that the config allows.
func (e *exam) carriers() link.Set { return e.config.Carriers }

// probed is the best carrier that needs datagrams of full size; nil for none.
func (e *exam) probed() *link.Kind {
	for _, k := range link.Choices() {
		if k.Probed && e.carriers().Has(k) {
			return k
		}
	}
	return nil
}

func (e *exam) unreachable(w target, p passage, level string) {
	what := fmt.Sprintf("no UDP or TCP traffic reaches %s", w.remote)
	do := "check the address, that the host is up, and the firewalls on the path"
	if p.echo.Refused || errors.Is(p.tcpErr, transport.ErrPeerClosed) {
		what = fmt.Sprintf("connection refused at %s: nothing listens on that port", w.remote)
		do = "start l2tun there, correct the port, or allow UDP and TCP to it in its firewall"
	}
	e.find(health.Unreachable, level, w.about, what, do)
}

// up is the peer of the running node if its session is up.
func (e *exam) up(about string) *control.Peer {
	if e.status == nil {
		return nil
	}
	for i := range e.status.Peers {
		p := &e.status.Peers[i]
		if health.Called(p) == about && (p.State == "established" || p.State == "rotating") {
			return p
		}
	}
	return nil
}

func largest(e transport.Echo) string {
	return fmt.Sprintf("datagrams of up to %d bytes are answered, a QUIC handshake is not", e.Largest)
}

// short is why a dial failed, in few words.
func short(err error) string {
	switch {
	case errors.Is(err, transport.ErrPeerClosed):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, transport.ErrNoAnswer), errors.Is(err, transport.ErrIdle):
		return "no answer"
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		err = e
	}
	return strings.TrimPrefix(err.Error(), "transport: ")
}
