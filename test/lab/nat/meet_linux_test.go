package nat

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	probeEvery = 50 * time.Millisecond
	headStart  = 300 * time.Millisecond // of the end that speaks first
	opening    = 100 * time.Millisecond // for openers to end in the core
)

// An end is a plain socket that tries to meet another.
type end struct {
	site  *Site
	sock  *net.UDPConn
	told  []netip.AddrPort // where the far end says it is
	met   atomic.Bool      // our probe was answered
	heard chan netip.AddrPort
}

// A trial is one pair, A speaking first.
type trial struct {
	a, b     *Site
	v6       bool
	openers  bool
	together bool // both speak at once
}

// run lets the two ends meet: they learn each other's addresses from the hub,
// open if the trial says so, and probe until both were answered.
func (tr trial) run(w Witnesses) (bool, error) {
	var ends [2]*end
	for i, s := range []*Site{tr.a, tr.b} {
		sock, err := meetingSocket(s, tr.v6)
		if err != nil {
			return false, err
		}
		defer sock.Close()
		ends[i] = &end{site: s, sock: sock, heard: make(chan netip.AddrPort, 64)}
	}
	for i, e := range ends {
		far := ends[1-i]
		seen, err := Seen(far.sock, w[0][0])
		if errors.Is(err, ErrNoAnswer) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		e.told = []netip.AddrPort{seen}
		if own := local(far.sock); far.site.Public() && own != seen {
			e.told = append(e.told, own)
		}
	}
	if tr.openers {
		if err := errors.Join(ends[0].open(), ends[1].open()); err != nil {
			return false, err
		}
		time.Sleep(opening)
	}
	return tr.probe(ends), nil
}

// meetingSocket marks what a Kubernetes node masquerades.
func meetingSocket(s *Site, v6 bool) (*net.UDPConn, error) {
	if s.Kind == K8sNode {
		return marked(natMark, listener(s, v6))()
	}
	return listener(s, v6)()
}

func (e *end) open() (err error) {
	for _, to := range e.told {
		err = errors.Join(err, opener(e.site, e.sock, to))
	}
	return err
}

// within is how long ends try: longer where they should meet, which ends it.
func (tr trial) within() time.Duration {
	if tr.expected() || tr.together {
		return 5 * time.Second
	}
	return time.Second
}

// probe runs both ends and says whether they met.
func (tr trial) probe(ends [2]*end) bool {
	over := time.Now().Add(tr.within())
	both := func() bool { return ends[0].met.Load() && ends[1].met.Load() }
	spoken := make(chan struct{})
	var wg sync.WaitGroup
	for _, e := range ends {
		wg.Go(func() { e.answer(over, both) })
	}
	wg.Go(func() {
		ends[0].knock(over, both, sync.OnceFunc(func() { close(spoken) }))
	})
	wg.Go(func() {
		if !tr.together {
			<-spoken
			time.Sleep(headStart)
		}
		ends[1].knock(over, both, func() {})
	})
	wg.Wait()
	return both()
}

// knock probes what the far end told, and whence its probes came. It calls spoke
// after each round.
func (e *end) knock(over time.Time, done func() bool, spoke func()) {
	to := slices.Clone(e.told)
	for time.Now().Before(over) && !done() {
		for len(e.heard) > 0 {
			if from := <-e.heard; !slices.Contains(to, from) {
				to = append(to, from)
			}
		}
		for _, at := range to {
			_, _ = e.sock.WriteToUDPAddrPort([]byte("probe"), at) // an ICMP error is one of the answers
		}
		spoke()
		time.Sleep(probeEvery)
	}
}

// answer answers probes and notes answers.
func (e *end) answer(over time.Time, done func() bool) {
	buf := make([]byte, 64)
	for time.Now().Before(over) && !done() {
		_ = e.sock.SetReadDeadline(time.Now().Add(probeEvery))
		n, from, err := e.sock.ReadFromUDPAddrPort(buf)
		switch {
		case err != nil:
		case string(buf[:n]) == "probe":
			_, _ = e.sock.WriteToUDPAddrPort([]byte("echo"), from)
			select {
			case e.heard <- from:
			default:
			}
		case string(buf[:n]) == "echo":
			e.met.Store(true)
		}
	}
}

// expected says whether a trial meets. Without a NAT that maps by destination
// everybody meets who opens first; without openers a careless one is spoilt by
// whoever speaks before it, unless that end takes packets from any port.
func (tr trial) expected() bool {
	if tr.a.Kind == NoUDP || tr.b.Kind == NoUDP {
		return false
	}
	if tr.v6 {
		return true
	}
	if tr.a.Kind.sharesCarrier() && tr.a.Kind == tr.b.Kind {
		return tr.a.Kind == SharedHairpin
	}
	for _, pair := range [][2]Kind{{tr.a.Kind, tr.b.Kind}, {tr.b.Kind, tr.a.Kind}} {
		if mapsByDestination(pair[0]) && filtersByPort(pair[1]) {
			return false
		}
	}
	return tr.openers || tr.b.Kind != Careless || !filtersByPort(tr.a.Kind)
}

// mapsByDestination is false for a node that masquerades its own packets: it is
// reached at the socket's port, and answers from there.
func mapsByDestination(k Kind) bool {
	return k != K8sNode && behaviours[k].Mapping == AddressAndPortDependent
}

func filtersByPort(k Kind) bool {
	return k != K8sNode && behaviours[k].Filtering == AddressAndPortDependent
}
