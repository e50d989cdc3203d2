package names

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func addrs(all ...string) (out []netip.Addr) {
	for _, s := range all {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func table(t testing.TB) *Table {
	t.Helper()
	x, _ := NewTable([]Host{
		{Name: "nas", Addrs: addrs("10.9.0.2", "fd4c::2")},
		{Name: "Laptop", Network: "home", Addrs: addrs("10.9.0.3", "fd4c::3")},
		{Name: "nas", Network: "work", Addrs: addrs("10.9.0.4")},
		{Name: "tv", Network: "home", Addrs: addrs("10.9.0.5")},
		{Name: "tv", Network: "work", Addrs: addrs("10.9.0.6")},
		{Name: "-bad-", Addrs: addrs("10.9.0.7")},
		{Name: "nas", Addrs: addrs("10.9.0.8")},
	}, []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix("fd4c::/64")})
	return x
}

// ask answers one question: the code, and the records as text.
func ask(t testing.TB, x *Table, name string, typ dnsmessage.Type) string {
	t.Helper()
	n, err := dnsmessage.NewName(name)
	if err != nil {
		t.Fatal(err)
	}
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true}, Questions: []dnsmessage.Question{{Name: n, Type: typ, Class: dnsmessage.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(x.Answer(b, true)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if m.ID != 7 || !m.Response || m.RecursionAvailable || len(m.Questions) != 1 || m.Questions[0].Name.String() != name {
		t.Errorf("%s: header %+v, questions %v", name, m.Header, m.Questions)
	}
	out := []string{strings.TrimPrefix(m.RCode.String(), "RCode")}
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			out = append(out, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			out = append(out, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.PTRResource:
			out = append(out, b.PTR.String())
		case *dnsmessage.SOAResource:
			out = append(out, "SOA")
		}
		if r.Header.TTL != ttl || r.Header.Name.String() != name {
			t.Errorf("%s: %+v", name, r.Header)
		}
	}
	if len(m.Authorities) == 1 {
		out = append(out, "nothing in "+m.Authorities[0].Header.Name.String())
	}
	return strings.Join(out, " ")
}

func TestQuestions(t *testing.T) {
	x := table(t)
	for _, c := range []struct {
		name string
		typ  dnsmessage.Type
		want string
	}{
		{"nas.l2.", dnsmessage.TypeA, "Success 10.9.0.2"},
		{"nas.l2.", dnsmessage.TypeAAAA, "Success fd4c::2"},
		{"nas.l2.", dnsmessage.TypeALL, "Success 10.9.0.2 fd4c::2"},
		{"NaS.L2.", dnsmessage.TypeA, "Success 10.9.0.2"},
		{"nas.l2.", dnsmessage.TypeMX, "Success nothing in l2."},
		{"nas.work.l2.", dnsmessage.TypeA, "Success 10.9.0.4"},
		{"nas.work.l2.", dnsmessage.TypeAAAA, "Success nothing in l2."},
		{"laptop.l2.", dnsmessage.TypeA, "Success 10.9.0.3"},
		{"laptop.home.l2.", dnsmessage.TypeA, "Success 10.9.0.3"},
		{"home.l2.", dnsmessage.TypeA, "Success nothing in l2."},
		{"tv.l2.", dnsmessage.TypeA, "NameError nothing in l2."},
		{"tv.work.l2.", dnsmessage.TypeA, "Success 10.9.0.6"},
		{"nobody.l2.", dnsmessage.TypeA, "NameError nothing in l2."},
		{"a.nas.l2.", dnsmessage.TypeA, "NameError nothing in l2."},
		{"l2.", dnsmessage.TypeSOA, "Success SOA"},
		{"l2.", dnsmessage.TypeA, "Success nothing in l2."},
		{"xl2.", dnsmessage.TypeA, "Refused"},
		{"example.org.", dnsmessage.TypeA, "Refused"},
		{".", dnsmessage.TypeNS, "Refused"},
		{"2.0.9.10.in-addr.arpa.", dnsmessage.TypePTR, "Success nas.l2."},
		{"4.0.9.10.in-addr.arpa.", dnsmessage.TypePTR, "Success nas.work.l2."},
		{"3.0.9.10.in-addr.arpa.", dnsmessage.TypePTR, "Success laptop.l2."},
		{"9.0.9.10.in-addr.arpa.", dnsmessage.TypePTR, "NameError nothing in in-addr.arpa."},
		{"02.0.9.10.in-addr.arpa.", dnsmessage.TypePTR, "Refused"},
		{"0.9.10.in-addr.arpa.", dnsmessage.TypePTR, "Refused"},
		{"2.1.9.10.in-addr.arpa.", dnsmessage.TypePTR, "Refused"},
		{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.4.d.f.ip6.arpa.", dnsmessage.TypePTR, "Success nas.l2."},
		{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.4.d.e.ip6.arpa.", dnsmessage.TypePTR, "Refused"},
	} {
		if got := ask(t, x, c.name, c.typ); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.name, c.typ, got, c.want)
		}
	}
}

func TestClashesAreTold(t *testing.T) {
	_, clashes := NewTable([]Host{{Name: "tv", Network: "home"}, {Name: "tv", Network: "work"}, {Name: "nas"}, {Name: "NAS", Network: "work"}, {Name: "pc"}}, nil)
	if got := fmt.Sprint(clashes); got != "[{nas [ work]} {tv [home work]}]" {
		t.Errorf("%s", got)
	}
}

func TestZones(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "l2",
		"10.9.0.0/24":                     "l2 0.9.10.in-addr.arpa",
		"10.9.0.0/23":                     "l2 0.9.10.in-addr.arpa 1.9.10.in-addr.arpa",
		"10.9.0.0/16 10.9.3.0/24":         "l2 9.10.in-addr.arpa",
		"10.0.0.0/8":                      "l2 10.in-addr.arpa",
		"10.8.0.0/14":                     "l2 10.10.in-addr.arpa 11.10.in-addr.arpa 8.10.in-addr.arpa 9.10.in-addr.arpa",
		"100.64.0.0/10":                   "l2",
		"10.9.0.7/32":                     "l2 7.0.9.10.in-addr.arpa",
		"fd4c:3254::/32 fd4c:3254::9/128": "l2 4.5.2.3.c.4.d.f.ip6.arpa",
		"fd4c:3254::/31":                  "l2 4.5.2.3.c.4.d.f.ip6.arpa 5.5.2.3.c.4.d.f.ip6.arpa",
		"0.0.0.0/0":                       "l2",
	} {
		var prefixes []netip.Prefix
		for _, p := range strings.Fields(in) {
			prefixes = append(prefixes, netip.MustParsePrefix(p))
		}
		if got := strings.Join(Zones(prefixes), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// The names as a file of the host has them.
func TestKnownNames(t *testing.T) {
	var got []string
	for _, h := range table(t).Known() {
		got = append(got, fmt.Sprint(h.Name, h.Addrs))
	}
	if want := "laptop.home.l2[10.9.0.3 fd4c::3] laptop.l2[10.9.0.3 fd4c::3] nas.l2[10.9.0.2 fd4c::2] nas.work.l2[10.9.0.4] tv.home.l2[10.9.0.5] tv.work.l2[10.9.0.6]"; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
}

func TestBareNames(t *testing.T) {
	for in, want := range map[string]string{"nas.l2": "nas", "NAS.L2.": "nas", "nas.home.l2": "nas.home", "nas": "", "nas.l2.example": "", "l2": "", "": ""} {
		if got, is := Bare(in); is != (want != "") || is && got != want {
			t.Errorf("%q: %q %v", in, got, is)
		}
	}
}

func TestOddQueries(t *testing.T) {
	x := table(t)
	build := func(change func(*dnsmessage.Message)) []byte {
		m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("nas.l2."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		change(&m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	opt := func(class dnsmessage.Class, ttl uint32) dnsmessage.Resource {
		return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Class: class, TTL: ttl}, Body: &dnsmessage.OPTResource{}}
	}
	for name, c := range map[string]struct {
		query []byte
		want  string
	}{
		"nothing":        {nil, "no answer"},
		"cut":            {[]byte{0, 1, 0}, "no answer"},
		"an answer":      {build(func(m *dnsmessage.Message) { m.Response = true }), "no answer"},
		"opcode":         {build(func(m *dnsmessage.Message) { m.OpCode = 5 }), "RCodeNotImplemented 0 0"},
		"no question":    {build(func(m *dnsmessage.Message) { m.Questions = nil }), "RCodeFormatError 0 0"},
		"two questions":  {build(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }), "RCodeFormatError 0 0"},
		"cut in the end": {build(func(m *dnsmessage.Message) {})[:20], "RCodeFormatError 0 0"},
		"another class":  {build(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }), "RCodeRefused 0 0"},
		"EDNS":           {build(func(m *dnsmessage.Message) { m.Additionals = append(m.Additionals, opt(4096, 0)) }), "RCodeSuccess 1 1"},
		"EDNS version 1": {build(func(m *dnsmessage.Message) { m.Additionals = append(m.Additionals, opt(4096, 1<<16)) }), "RCode(16) 0 1"},
		"EDNS twice":     {build(func(m *dnsmessage.Message) { m.Additionals = append(m.Additionals, opt(4096, 0), opt(4096, 0)) }), "RCodeFormatError 0 1"},
	} {
		answer := x.Answer(c.query, true)
		if answer == nil {
			if c.want != "no answer" {
				t.Errorf("%s: no answer", name)
			}
			continue
		}
		var m dnsmessage.Message
		if err := m.Unpack(answer); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		code := m.RCode
		for _, r := range m.Additionals {
			code |= dnsmessage.RCode(r.Header.TTL >> 24 << 4)
		}
		word := code.String()
		if code == 16 {
			word = "RCode(16)"
		}
		if got := fmt.Sprint(word, " ", len(m.Answers), " ", len(m.Additionals)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAnAnswerThatIsTooLargeSaysSo(t *testing.T) {
	var many []netip.Addr
	for i := range 100 {
		many = append(many, netip.AddrFrom4([4]byte{10, 9, 1, byte(i)}))
	}
	x, _ := NewTable([]Host{{Name: "many", Addrs: many}}, nil)
	q := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("many.l2."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, _ := q.Pack()
	var m dnsmessage.Message
	if err := m.Unpack(x.Answer(b, true)); err != nil || !m.Truncated || len(m.Answers) != 0 {
		t.Errorf("by UDP: %v, truncated %v, %d answers", err, m.Truncated, len(m.Answers))
	}
	if err := m.Unpack(x.Answer(b, false)); err != nil || m.Truncated || len(m.Answers) != 100 {
		t.Errorf("by TCP: %v, truncated %v, %d answers", err, m.Truncated, len(m.Answers))
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "nas", "NAS-2", "0", strings.Repeat("x", 63)} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "a.b", "a_b", "ä", "a b", "\x1b[2J", strings.Repeat("x", 64)} {
		if CheckName(bad) == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

// serve starts a server on loopback, which takes what come from some addresses.
func serve(t *testing.T, allowed func(netip.Addr) bool) (*Server, string) {
	t.Helper()
	streams, packets, err := listen()
	for try := 0; err != nil && try < 100; try++ { // another program has the port of one of them
		streams, packets, err = listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(packets, streams, table(t), allowed)
	t.Cleanup(s.Close)
	return s, streams.Addr().String()
}

// listen takes one port of both protocols.
func listen() (net.Listener, net.PacketConn, error) {
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	packets, err := net.ListenPacket("udp", streams.Addr().String())
	if err != nil {
		streams.Close()
	}
	return streams, packets, err
}

func resolver(network, server string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
}

func TestAResolverOfTheHost(t *testing.T) {
	s, at := serve(t, netip.Addr.IsLoopback)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		got, err := resolver(network, at).LookupNetIP(ctx, "ip", "nas.l2.")
		slices.SortFunc(got, netip.Addr.Compare)
		if err != nil || len(got) != 2 || got[0].Unmap() != addrs("10.9.0.2")[0] {
			t.Errorf("%s: %v, %v", network, got, err)
		}
		if names, err := resolver(network, at).LookupAddr(ctx, "fd4c::3"); err != nil || len(names) != 1 || names[0] != "laptop.l2." {
			t.Errorf("%s: %v, %v", network, names, err)
		}
	}
	x, _ := NewTable([]Host{{Name: "new", Addrs: addrs("10.9.0.9")}}, nil)
	s.Set(x)
	if got, err := resolver("udp", at).LookupHost(ctx, "new.l2."); err != nil || len(got) != 1 {
		t.Errorf("after Set: %v, %v", got, err)
	}
}

func TestOthersAreNotAnswered(t *testing.T) {
	s, at := serve(t, func(netip.Addr) bool { return false })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		if got, err := resolver(network, at).LookupHost(ctx, "nas.l2."); err == nil {
			t.Errorf("%s: %v", network, got)
		}
	}
	for end := time.Now().Add(30 * time.Second); s.Refused() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is counted")
		}
	}
}

// Silent connections keep no query by UDP from its answer, and end with the server.
func TestSilentConnections(t *testing.T) {
	s, at := serve(t, netip.Addr.IsLoopback)
	for range 2 * maxConns {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := resolver("udp", at).LookupHost(ctx, "nas.l2."); err != nil {
		t.Error(err)
	}
	ended := make(chan struct{})
	go func() { s.Close(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		t.Error("Close waits for silent connections")
	}
}

func FuzzAnswer(f *testing.F) {
	x := table(f)
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03nas\x02l2\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, query []byte) {
		for _, udp := range []bool{true, false} {
			answer := x.Answer(query, udp)
			if answer == nil {
				continue
			}
			var m dnsmessage.Message
			if err := m.Unpack(answer); err != nil || !m.Response || udp && len(answer) > ownSize {
				t.Fatalf("%x: %x, %v", query, answer, err)
			}
		}
	})
}
