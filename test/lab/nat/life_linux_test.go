package nat

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// TestPrematurePacketSpoilsACarelessMapping: a packet of the far end that comes
// before ours leaves home's mapping alone, and moves careless's to another port.
// An opener sent first saves it.
func TestPrematurePacketSpoilsACarelessMapping(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(Home, Careless))
	w := witness(t, n, false)
	for _, c := range []struct {
		name          string
		site          *Site
		opens, spoilt bool
	}{
		{"home", n.A, false, false},
		{"home with an opener", n.A, true, false},
		{"careless", n.B, false, true},
		{"careless with an opener", n.B, true, false},
	} {
		sock, far := socket(t, c.site, false), w[1][0]
		before := mustSee(t, sock, w[0][0])
		if c.opens {
			if err := opener(c.site, sock, local(far)); err != nil {
				t.Fatal(err)
			}
			if from, err := receive(far, "opener", silence); err == nil {
				t.Errorf("%s: the opener arrived from %v", c.name, from)
			}
		}
		if in := comesIn(t, far, sock, before, silence); in != c.opens {
			t.Errorf("%s: a premature packet came in: %v", c.name, in)
		}
		after := mustSee(t, sock, far)
		if spoilt := after != before; spoilt != c.spoilt {
			t.Errorf("%s: seen from %v, after a premature packet from %v", c.name, before, after)
		}
	}
}

// TestFirewallIsNeverSpoilt: without a translation there is no port to lose.
func TestFirewallIsNeverSpoilt(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(Firewall, Careless))
	for _, c := range []struct {
		site *Site
		v6   bool
	}{{n.A, false}, {n.A, true}, {n.B, true}} {
		w := witness(t, n, c.v6)
		sock := socket(t, c.site, c.v6)
		seen := mustSee(t, sock, w[0][0])
		staysOut(t, "before anything was sent", w[1][0], sock, seen)
		if again := mustSee(t, sock, w[1][0]); again != seen || again != local(sock) {
			t.Errorf("seen from %v and %v, is %v", seen, again, local(sock))
		}
		comes(t, "after a packet went out", w[1][0], sock, seen)
	}
}

func TestRestartForgetsMappings(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(None, None))
	w := witness(t, n, false)
	for _, k := range []Kind{Firewall, Cone, AddressCone, Home, Careless, Symmetric, Tiny} {
		s := site(t, n, k)
		sock := socket(t, s, false)
		seen := mustSee(t, sock, w[0][0])
		comes(t, s.Name, w[0][0], sock, seen)
		if err := s.Router.Restart(); err != nil {
			t.Fatal(err)
		}
		staysOut(t, s.Name+" after the restart", w[0][0], sock, seen)
		again := mustSee(t, sock, w[0][0])
		if moved, want := again != seen, k == Careless || k == Symmetric; moved != want {
			t.Errorf("%v: seen from %v, after the restart from %v", k, seen, again)
		}
		comes(t, s.Name+" by the new mapping", w[0][0], sock, again)
	}
}

// TestRestartOfACarrier: the home's own router keeps its mappings, the pool draws
// new ports.
func TestRestartOfACarrier(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(Double, DoubleSymmetric))
	w := witness(t, n, false)
	for _, s := range []*Site{n.A, n.B} {
		sock := socket(t, s, false)
		seen := mustSee(t, sock, w[0][0])
		if err := s.Router.Carrier.Restart(); err != nil {
			t.Fatal(err)
		}
		staysOut(t, s.Kind.String(), w[0][0], sock, seen)
		if again := mustSee(t, sock, w[0][0]); again == seen {
			t.Errorf("%v: seen from %v before and after", s.Kind, seen)
		}
	}
}

// TestIdleMappingEnds uses short lifetimes: what leaves keeps a mapping, silence
// ends it.
func TestIdleMappingEnds(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(None, None))
	w := witness(t, n, false)
	type flow struct {
		site *Site
		sock *net.UDPConn
		seen netip.AddrPort
	}
	var flows []flow
	for _, k := range []Kind{Firewall, Cone, AddressCone, Home, Symmetric, Double} {
		s := site(t, n, k)
		r := s.Router
		if r.Carrier != nil {
			r = r.Carrier
		}
		if err := r.Lifetime(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		flows = append(flows, flow{site: s, sock: socket(t, s, false)})
	}
	for i := range 5 { // 10 s: longer than a lifetime
		for j := range flows {
			f := &flows[j]
			seen := mustSee(t, f.sock, w[0][0])
			if i > 0 && seen != f.seen {
				t.Errorf("%v: seen from %v, then from %v", f.site.Kind, f.seen, seen)
			}
			f.seen = seen
		}
		time.Sleep(2 * time.Second)
	}
	for _, f := range flows {
		comes(t, f.site.Name+" in use", w[0][0], f.sock, f.seen)
	}
	time.Sleep(9500 * time.Millisecond)
	for _, f := range flows {
		staysOut(t, f.site.Name+" after the lifetime", w[0][0], f.sock, f.seen)
	}
}

// TestTinyTableFillsUp: old flows go on, new ones are refused until old ones end.
func TestTinyTableFillsUp(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(Tiny, Home))
	if err := n.A.Router.Lifetime(8 * time.Second); err != nil {
		t.Fatal(err)
	}
	w := witness(t, n, false)
	first := socket(t, n.A, false)
	seen := mustSee(t, first, w[0][0])
	passed := 1
	for range tableSize + 20 {
		_, err := socket(t, n.A, false).WriteToUDPAddrPort([]byte("flow"), local(w[0][1]))
		if err != nil {
			t.Fatal(err)
		}
	}
	for within := patience; ; within = silence {
		if _, err := receive(w[0][1], "flow", within); err != nil {
			break
		}
		passed++
	}
	if passed < tableSize-5 || passed > tableSize {
		t.Errorf("%d flows passed a table of %d", passed, tableSize)
	}
	if again := mustSee(t, first, w[0][0]); again != seen {
		t.Errorf("an old flow is seen from %v, then from %v", seen, again)
	}
	refused(t, first, w[1][0])
	time.Sleep(9500 * time.Millisecond)
	mustSee(t, first, w[1][0])
}

// refused sends to a witness who must not hear it.
func refused(t *testing.T, c, witness *net.UDPConn) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte("refused"), local(witness)); err != nil {
		t.Fatal(err)
	}
	if from, err := receive(witness, "refused", silence); err == nil {
		t.Errorf("a new flow passed from %v", from)
	}
}

// TestSiteMoves: a host that moves has another address inside and outside, and
// the next kind's behaviour.
func TestSiteMoves(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(Home, None))
	w := witness(t, n, false)
	seen := make(map[netip.Addr]Kind)
	for _, k := range []Kind{Home, Symmetric, None, K8sNode, Double, Home} {
		if k != n.A.Kind || len(seen) > 0 {
			if err := n.A.Move(k); err != nil {
				t.Fatal(err)
			}
		}
		listen := listener(n.A, false)
		if k == K8sNode {
			listen = marked(natMark, listen)
		}
		if got, err := Classify(w, listen); err != nil || got != behaviours[k] {
			t.Errorf("%v behaves as\n%+v, want\n%+v: %v", k, got, behaviours[k], err)
		}
		from := mustSee(t, socket(t, n.A, false), w[0][0]).Addr()
		if old, ok := seen[from]; ok {
			t.Errorf("%v: seen from %v, as at %v", k, from, old)
		}
		seen[from] = k
		sock6 := socket(t, n.A, true)
		w6 := witness(t, n, true)
		if at := mustSee(t, sock6, w6[0][0]); at != local(sock6) {
			t.Errorf("%v: IPv6 seen from %v, is %v", k, at, local(sock6))
		}
	}
}

// TestNodeMasqueradesMarkedPackets: with a mark as l2tun once had, the ports
// differ from peer to peer; without the bit they do not; and the socket's own
// port is open to everybody either way.
func TestNodeMasqueradesMarkedPackets(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(K8sNode, None))
	w := witness(t, n, false)
	for _, c := range []struct {
		mark int
		want Dependence
	}{{0x6c327475, AddressAndPortDependent}, {0x6c, EndpointIndependent}, {0, EndpointIndependent}} {
		listen := marked(c.mark, listener(n.A, false))
		got, err := Classify(w, listen)
		if err != nil || got.Mapping != c.want {
			t.Errorf("mark %#x: %v mapping, want %v: %v", c.mark, got.Mapping, c.want, err)
		}
		sock, err := listen()
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
		comes(t, "at the socket's own port", w[1][1], sock, local(sock))
	}
}

func TestDelayIsBetweenSiteAndCore(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	n := Use(t, Shape{A: Home, B: Double, Delay: delay})
	for _, v6 := range []bool{false, true} {
		w := witness(t, n, v6)
		for _, s := range []*Site{n.A, n.B} {
			sock := socket(t, s, v6)
			var up, both time.Duration
			for end := time.Now().Add(30 * time.Second); both == 0 || both > 10*delay && time.Now().Before(end); { // a busy machine takes longer
				start := time.Now()
				seen := mustSee(t, sock, w[0][0])
				up = time.Since(start)
				comes(t, s.Name, w[0][0], sock, seen)
				both = time.Since(start)
			}
			if up < delay || both < 2*delay || both > 10*delay {
				t.Errorf("%v, IPv6 %v: the hub hears after %v, the answer is there after %v", s.Kind, v6, up, both)
			}
		}
	}
}

func TestIPv4Only(t *testing.T) {
	t.Parallel()
	n := Use(t, Shape{A: Home, B: Double, IPv4Only: true})
	if n.A.Addr6().IsValid() || n.B.Addr6().IsValid() || n.Hub.Addrs6[0].IsValid() {
		t.Error("IPv6 addresses in a network of IPv4")
	}
	w := witness(t, n, false)
	mustSee(t, socket(t, n.A, false), w[0][0])
	mustSee(t, socket(t, n.B, false), w[0][0])
}

// TestNoUDPLeavesTCP: what is left is for carriers over TCP.
func TestNoUDPLeavesTCP(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(NoUDP, None))
	var _ lab.Network = n.A
	for _, addr := range []netip.Addr{n.Hub.Addrs4[0], n.Hub.Addrs6[0]} {
		l, err := n.Hub.ListenTCP(netip.AddrPortFrom(addr, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := n.A.DialTCP(t.Context(), l.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}
