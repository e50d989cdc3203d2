package portmap

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/mapping"
	"github.com/libertaria-project/l2tun/test/router"
)

// Routers are at addresses of their own of the loopback network, which Linux has
// whole: each has the ports of the protocols for itself.
var routers atomic.Uint32

var (
	here     = netip.MustParseAddr("127.0.0.1")
	external = netip.MustParseAddr("203.0.113.7")
)

const port = 41641

func newAddress() netip.Addr {
	n := routers.Add(1)
	return netip.AddrFrom4([4]byte{127, 77, byte(n >> 8), byte(n)})
}

// serve starts a router.
func serve(t *testing.T, o router.Options) (*router.Router, Gateway) {
	t.Helper()
	o.External = external
	return serveAt(t, newAddress(), here, o)
}

func serveAt(t *testing.T, at, local netip.Addr, o router.Options) (*router.Router, Gateway) {
	t.Helper()
	r := router.New(o, time.Now())
	if err := r.Serve(at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, Gateway{Router: at, Local: local}
}

func config(gateways ...Gateway) Config {
	return Config{Port: port, Gateways: func() ([]Gateway, error) { return gateways, nil }, Log: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, cfg Config) *Mapper {
	t.Helper()
	m := Start(cfg)
	t.Cleanup(m.Close)
	return m
}

// await waits until the only gateway is in a phase.
func await(t *testing.T, m *Mapper, phase mapping.Phase) mapping.Status {
	t.Helper()
	eventually(t, func() error {
		all := m.Status()
		if len(all) != 1 || all[0].Phase != phase {
			return fmt.Errorf("%+v, want %v", all, phase)
		}
		return nil
	})
	return m.Status()[0].Status
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// wantNone fails unless a round ends with nothing, here and at the router.
func wantNone(t *testing.T, r *router.Router, g Gateway, why mapping.Why) {
	t.Helper()
	m := start(t, config(g))
	if s := await(t, m, mapping.Silent); s.Why != why || len(m.Mappings()) != 0 {
		t.Errorf("%q, %v, want %q", s.Why, m.Mappings(), why)
	}
	m.Close()
	if all := r.Mappings(time.Now()); len(all) != 0 {
		t.Errorf("the router has %v", all)
	}
}

func TestEachProtocolGivesAMappingAndTakesItBack(t *testing.T) {
	t.Parallel()
	for want, o := range map[mapping.Protocol]router.Options{
		mapping.PCP:    {PCP: true, NATPMP: true, UPnP: true},
		mapping.NATPMP: {NATPMP: true, UPnP: true},
		mapping.UPnP:   {UPnP: true},
	} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			r, g := serve(t, o)
			var changed atomic.Int32
			cfg := config(g)
			cfg.Changed = func() { changed.Add(1) }
			m := start(t, cfg)
			await(t, m, mapping.Held)
			eventually(t, func() error { // told once the status is there
				if n := changed.Load(); n == 0 {
					return fmt.Errorf("told %d times", n)
				}
				return nil
			})
			got := m.Mappings()
			if len(got) != 1 || got[0].Protocol != want || got[0].External != netip.AddrPortFrom(external, port) || changed.Load() != 1 {
				t.Errorf("%v, told %d times", got, changed.Load())
			}
			all := r.Mappings(time.Now())
			if len(all) != 1 || all[0].Protocol != want.String() || all[0].Client != netip.AddrPortFrom(here, port) || all[0].Lifetime != 7200 {
				t.Errorf("the router has %+v", all)
			}
			m.Close()
			m.Close()
			if all := r.Mappings(time.Now()); len(all) != 0 || changed.Load() != 2 || m.Mappings() != nil {
				t.Errorf("after the end: %+v, told %d times, %v", all, changed.Load(), m.Mappings())
			}
		})
	}
}

func TestPinholeOfIPv6(t *testing.T) {
	t.Parallel()
	address := netip.MustParseAddr("2001:db8::10")
	r, g := serveAt(t, netip.IPv6Loopback(), netip.IPv6Loopback(), router.Options{PCP: true, NATPMP: true, UPnP: true, External: address})
	m := start(t, config(g))
	await(t, m, mapping.Held)
	if got := m.Mappings(); got[0].External != netip.AddrPortFrom(address, port) || r.Asked("search") != 0 || r.Asked("address") != 0 {
		t.Errorf("%v", got)
	}
}

func TestConflictByUPnP(t *testing.T) {
	t.Parallel()
	r, g := serve(t, router.Options{UPnP: true, TakenPort: []uint16{port}})
	m := start(t, config(g))
	await(t, m, mapping.Held)
	if got := m.Mappings()[0].External.Port(); got == port || got < 49152 || r.Asked("add") != 2 {
		t.Errorf("port %d, asked %d times", got, r.Asked("add"))
	}
	m.Close()
	if all := r.Mappings(time.Now()); len(all) != 0 {
		t.Errorf("the router has %v", all)
	}

	var every []uint16
	for p := range 1 << 16 {
		every = append(every, uint16(p))
	}
	r, g = serve(t, router.Options{UPnP: true, TakenPort: every})
	wantNone(t, r, g, mapping.Conflict)
	if n := r.Asked("add"); n != 2 || r.Asked("delete") != 0 {
		t.Errorf("asked %d times, gave back %d", n, r.Asked("delete"))
	}
}

func TestRouterWithoutLeases(t *testing.T) {
	t.Parallel()
	r, g := serve(t, router.Options{UPnP: true, Permanent: true})
	m := start(t, config(g))
	s := await(t, m, mapping.Held)
	if d := time.Until(s.Mapping.Expires); d > mapping.Lease {
		t.Errorf("renewed after %v", d/2)
	}
	m.Close()
	if all := r.Mappings(time.Now()); len(all) != 0 {
		t.Errorf("the router has %v", all)
	}
}

func TestNothingButThePrivateAddressOfARouter(t *testing.T) {
	t.Parallel()
	for _, o := range []router.Options{{PCP: true, External: netip.MustParseAddr("192.168.0.2")}, {NATPMP: true, External: netip.MustParseAddr("100.64.0.2")},
		{UPnP: true, External: netip.MustParseAddr("10.0.0.2")}} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			r, g := serveAt(t, newAddress(), here, o)
			wantNone(t, r, g, mapping.Private)
			if r.Asked("add") != 0 {
				t.Error("UPnP was asked")
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	r, g := serve(t, router.Options{UPnP: true, Refuse: 606})
	wantNone(t, r, g, mapping.Refused)
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	r := router.New(router.Options{}, time.Now())
	began := time.Now()
	wantNone(t, r, Gateway{Router: newAddress(), Local: here}, mapping.NoAnswer)
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("%v", d)
	}
}

// What is not from the router's address does not arrive: not from another, and not
// from another with the right nonce.
func TestAnswersFromElsewhereAreDropped(t *testing.T) {
	t.Parallel()
	r, g := serve(t, router.Options{PCP: true, NATPMP: true, UPnP: true, Foreign: newAddress()})
	wantNoneTold(t, g)
	if r.Asked("map") == 0 || r.Asked("search") == 0 || r.Asked("http") != 0 {
		t.Errorf("%d mappings, %d searches, %d by HTTP", r.Asked("map"), r.Asked("search"), r.Asked("http"))
	}
}

// wantNoneTold fails if a mapping is believed.
func wantNoneTold(t *testing.T, g Gateway) {
	t.Helper()
	wantNoneOfThese(t, map[string]router.Options{"": {}}, func(router.Options) Gateway { return g })
}

// wantNoneOfThese fails if a mapping of one of several routers is believed. All are
// waited for at once.
func wantNoneOfThese(t *testing.T, all map[string]router.Options, serve func(router.Options) Gateway) {
	t.Helper()
	asking := make(map[string]*Mapper)
	for name, o := range all {
		cfg := config(serve(o))
		cfg.Changed = func() { t.Errorf("%s: told", name) }
		asking[name] = start(t, cfg)
	}
	for name, m := range asking {
		if s := await(t, m, mapping.Silent); s.Why != mapping.NoAnswer {
			t.Errorf("%s: %q", name, s.Why)
		}
		m.Close()
	}
}

func TestFalseAnswersByUDP(t *testing.T) {
	t.Parallel()
	wantNoneOfThese(t, map[string]router.Options{
		"other nonce": {Answer: func(b []byte) [][]byte { b[min(24, len(b)-1)] ^= 1; return [][]byte{b} }},
		"cut":         {Answer: func(b []byte) [][]byte { return [][]byte{b[:len(b)-1], {}} }},
		"too large":   {Answer: func(b []byte) [][]byte { return [][]byte{append(b, make([]byte, 1400)...)} }},
		"endless":     {Answer: func(b []byte) [][]byte { return slices.Repeat([][]byte{b[:4]}, 1000) }},
	}, func(o router.Options) Gateway {
		o.PCP = true
		_, g := serve(t, o)
		return g
	})
}

// A trap is a server beside the router that nobody may ask.
func trap(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(newAddress(), 0).String())
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %v", r.URL) })}}
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) { t.Errorf("a connection: %v", st) }
	s.Start()
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func TestNobodyButTheRouterIsAskedByHTTP(t *testing.T) {
	t.Parallel()
	elsewhere := trap(t)
	wantNoneOfThese(t, map[string]router.Options{
		"location":         {Location: elsewhere + "description.xml"},
		"name":             {Location: "http://localhost:80/description.xml"},
		"scheme":           {Location: "https://127.0.0.1/"},
		"no location":      {Location: " "},
		"base":             {Description: router.Described(elsewhere)},
		"relative":         {Description: router.Described("//" + elsewhere[len("http://"):])},
		"control":          {Description: strings.Replace(router.Described("%s"), "/control", elsewhere, 1)},
		"redirection":      {Redirect: elsewhere},
		"no description":   {Description: "<root/>"},
		"not XML":          {Description: "\x00\xff<<<"},
		"deep":             {Description: deep(10_000)},
		"entities":         {Description: `<!DOCTYPE r [<!ENTITY a "` + elsewhere + `">]><root><URLBase>&a;</URLBase></root>`},
		"other characters": {Description: `<?xml version="1.0" encoding="utf-7"?><root/>`},
		"endless":          {Endless: true},
	}, func(o router.Options) Gateway {
		o.UPnP = true
		_, g := serve(t, o)
		return g
	})
}

func deep(n int) string {
	s := `<root xmlns="urn:schemas-upnp-org:device-1-0">`
	for range n {
		s += "<device>"
	}
	return s
}

func TestDescriptionWithManyServicesIsBounded(t *testing.T) {
	t.Parallel()
	one := `<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/nothing</controlURL></service>`
	text := `<root xmlns="urn:schemas-upnp-org:device-1-0"><device><serviceList>`
	for range 100 {
		text += one
	}
	r, g := serve(t, router.Options{UPnP: true, Description: text + `</serviceList></device></root>`})
	wantNoneTold(t, g)
	if n := r.Asked("http"); n > 1+maxServices {
		t.Errorf("%d requests", n)
	}
}

// The client of HTTP holds its bounds by itself, whoever calls it.
func TestHTTPReachesTheRouterAloneAndReadsLittle(t *testing.T) {
	t.Parallel()
	elsewhere := trap(t)
	r, g := serve(t, router.Options{UPnP: true, Endless: true})
	web := (&client{cfg: new(Config), gateway: g}).web()
	answer, err := web.Get("http://" + r.WebAt() + "/description.xml")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(answer.Body); err != nil || len(b) != maxBody {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	answer.Body.Close()
	for _, to := range []string{elsewhere, "http://localhost:1/"} {
		if answer, err := web.Get(to); !errors.Is(err, errElsewhere) {
			t.Errorf("%s: %v, %v", to, answer, err)
		}
	}
	r.Change(func(o *router.Options) { o.Redirect = "http://" + r.WebAt() + "/other" })
	answer, err = web.Get("http://" + r.WebAt() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusTemporaryRedirect || answer.Request.URL.Path != "/" {
		t.Errorf("followed to %v: %s", answer.Request.URL, answer.Status)
	}
}

func TestSlowRouter(t *testing.T) {
	t.Parallel()
	_, g := serve(t, router.Options{UPnP: true, Delay: 500 * time.Millisecond})
	await(t, start(t, config(g)), mapping.Held)
	_, g = serve(t, router.Options{UPnP: true, Delay: 6 * time.Second})
	m := start(t, config(g))
	await(t, m, mapping.Silent)
}

func TestClosedWhileAsking(t *testing.T) {
	t.Parallel()
	r, g := serve(t, router.Options{PCP: true, UPnP: true, Delay: 5 * time.Millisecond})
	cfg := config(g)
	cfg.Seed = [32]byte{1}
	for range 20 {
		m := Start(cfg)
		m.Close()
	}
	m := start(t, cfg)
	eventually(t, func() error {
		if r.Asked("map") == 0 {
			return fmt.Errorf("not asked")
		}
		return nil
	})
	m.Close()
	if all := r.Mappings(time.Now()); len(all) != 0 {
		t.Errorf("the router has %v", all)
	}
}

func TestGatewaysThatComeAndGo(t *testing.T) {
	t.Parallel()
	r1, g1 := serve(t, router.Options{PCP: true})
	r2, g2 := serve(t, router.Options{NATPMP: true})
	var now atomic.Pointer[[]Gateway]
	cfg := config()
	cfg.Gateways = func() ([]Gateway, error) {
		if all := now.Load(); all != nil {
			return *all, nil
		}
		return nil, fmt.Errorf("none")
	}
	m := start(t, cfg)
	have := func(n1, n2 int) {
		t.Helper()
		m.NetworkChanged()
		eventually(t, func() error {
			a, b := r1.Mappings(time.Now()), r2.Mappings(time.Now())
			if len(a) != n1 || len(b) != n2 || len(m.Mappings()) != n1+n2 {
				return fmt.Errorf("%v and %v, told %v", a, b, m.Mappings())
			}
			return nil
		})
	}
	have(0, 0)
	now.Store(&[]Gateway{g1})
	have(1, 0)
	now.Store(&[]Gateway{{}, g1, g2, {Router: g1.Router, Local: netip.IPv6Loopback()}})
	have(1, 1)
	now.Store(&[]Gateway{g2})
	have(0, 1)
	now.Store(nil) // nobody can say: what there is stays
	have(0, 1)
	if all := m.Status(); len(all) != 1 || all[0].Gateway != g2 {
		t.Errorf("%v", all)
	}
}

// A defect that an answer meets ends the client of that router and nothing else.
func TestADefectEndsOneClient(t *testing.T) {
	t.Parallel()
	_, g1 := serve(t, router.Options{PCP: true})
	_, g2 := serve(t, router.Options{PCP: true})
	m := start(t, config(g1, g2))
	held := func(n int) {
		t.Helper()
		eventually(t, func() error {
			if all := m.Mappings(); len(all) != n {
				return fmt.Errorf("%v, want %d", all, n)
			}
			return nil
		})
	}
	held(2)
	m.mu.Lock()
	broken := m.clients[g1]
	m.mu.Unlock()
	broken.post(func(time.Time) []mapping.Action { panic("met in an answer") })
	<-broken.done
	held(1)
	m.NetworkChanged()
	m.Close()
}

func TestAtMostFourGateways(t *testing.T) {
	t.Parallel()
	var all []Gateway
	for range 2 * maxGateways {
		all = append(all, Gateway{Router: newAddress(), Local: here})
	}
	m := start(t, config(all...))
	eventually(t, func() error {
		if n := len(m.Status()); n != maxGateways {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}

// A node that comes back with the same seed may renew what it had.
func TestSeedGivesTheSameNonce(t *testing.T) {
	g := Gateway{Router: newAddress(), Local: here}
	a, b := Config{Port: port, Seed: [32]byte{1}}, Config{Port: port, Seed: [32]byte{2}}
	again := a
	if nonce(&a, g) != nonce(&again, g) || nonce(&a, g) == nonce(&b, g) || nonce(&a, g) == nonce(&a, Gateway{Router: g.Router, Local: g.Router}) {
		t.Error("the nonce is not one of the seed and the addresses")
	}
}
