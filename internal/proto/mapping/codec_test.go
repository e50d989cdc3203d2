package mapping

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/router"
)

// Written by hand from the figures of the RFCs.
func TestPacketsAreThoseOfTheRFCs(t *testing.T) {
	r := request{local: local, external: netip.MustParseAddrPort("203.0.113.7:50001"), nonce: nonce, lifetime: 7200}
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"RFC 6887 11.1", "02010000" + "00001c20" + "00000000000000000000ffffc0a8010a" +
			"0102030405060708090a0b0c" + "11000000" + "a2a9" + "c351" + "00000000000000000000ffffcb007107", appendPCPMap(nil, r)},
		{"RFC 6887 14.1", "02000000" + "00000000" + "00000000000000000000ffffc0a8010a", appendPCPAnnounce(nil, local.Addr())},
		{"RFC 6886 3.2", "0000", appendPMPAddress(nil)},
		{"RFC 6886 3.3", "00010000" + "a2a9c351" + "00001c20", appendPMPMap(nil, r)},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: got\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

func TestAnswersAreReadAsInTheRFCs(t *testing.T) {
	for _, c := range []struct {
		packet string
		want   answer
	}{
		{"02810000" + "00000e10" + "00000007" + "000000000000000000000000" + "0102030405060708090a0b0c" + "11000000" + "a2a9" + "c351" + "00000000000000000000ffffcb007107",
			answer{version: 2, op: 1, protocol: 17, epoch: 7, lifetime: 3600, nonce: nonce, internal: 41641, external: netip.MustParseAddrPort("203.0.113.7:50001")}},
		{"02800004" + "00000e10" + "00000007" + "000000000000000000000000", answer{version: 2, result: 4, epoch: 7, lifetime: 3600}},
		{"00800000" + "00000007" + "cb007107", answer{epoch: 7, external: netip.MustParseAddrPort("203.0.113.7:0")}},
		{"00810000" + "00000007" + "a2a9c351" + "00000e10", answer{op: 1, epoch: 7, internal: 41641, lifetime: 3600, external: netip.AddrPortFrom(netip.Addr{}, 50001)}},
		{"00810002" + "00000007", answer{op: 1, result: 2, epoch: 7}},
	} {
		b, err := hex.DecodeString(c.packet)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parse(b); err != nil || got != c.want {
			t.Errorf("%s: got\n%+v, %v, want\n%+v", c.packet, got, err, c.want)
		}
		for n := range b[:len(b)-1] {
			if got, err := parse(b[:n]); err == nil && got.result == 0 && got.op != pcpAnnounce {
				t.Errorf("%s cut to %d bytes is taken: %+v", c.packet, n, got)
			}
		}
	}
}

// Answers that a router of ours does not give, and what may change nothing.
func TestFalseAnswersAreIgnored(t *testing.T) {
	change := func(at int, to ...byte) func([]byte) [][]byte {
		return func(b []byte) [][]byte {
			if at < len(b) {
				copy(b[at:], to)
			}
			return [][]byte{b}
		}
	}
	for name, lie := range map[string]func([]byte) [][]byte{
		"other nonce":         change(24, 0xff),
		"other protocol":      change(36, 6),
		"other internal port": change(40, 1, 2),
		"a request":           change(1, 1),
		"other version":       change(0, 3),
		"other opcode":        change(1, 0x82),
		"cut":                 func(b []byte) [][]byte { return [][]byte{b[:len(b)-4], b[:1], nil} },
		"too large":           func(b []byte) [][]byte { return [][]byte{append(b, make([]byte, MaxPacket)...)} },
		"not of fours":        func(b []byte) [][]byte { return [][]byte{append(b, 0)} },
	} {
		o := honest(true, false)
		o.Answer = lie
		s := started(t, o)
		s.run(10 * time.Second)
		if s.m.Status().Phase != Silent || len(s.told) != 0 {
			t.Errorf("%s: %v, told %v", name, s.m.Status(), s.told)
		}
	}
	for name, lie := range map[string]func([]byte) [][]byte{
		"other internal port": change(8, 1, 2),
		"too large":           func(b []byte) [][]byte { return [][]byte{append(b, 0)} },
		"cut":                 func(b []byte) [][]byte { return [][]byte{b[:len(b)-1]} },
	} {
		o := honest(false, true)
		o.Answer = func(b []byte) [][]byte {
			if len(b) == pmpMapLen {
				return lie(b)
			}
			return [][]byte{b}
		}
		s := started(t, o)
		s.run(10 * time.Second)
		if s.m.Status().Phase != Silent || len(s.told) != 0 {
			t.Errorf("NAT-PMP, %s: %v, told %v", name, s.m.Status(), s.told)
		}
	}
}

// A router whose answer comes beside false ones is heard.
func TestRightAnswerAmongFalseOnesIsTaken(t *testing.T) {
	o := honest(true, false)
	o.Answer = func(b []byte) [][]byte {
		lie := slices.Clone(b)
		if len(b) < pcpMapSize {
			return [][]byte{b} // of the packet of NAT-PMP
		}
		lie[24] ^= 1
		return [][]byte{{}, lie, make([]byte, 2000), b, lie}
	}
	s := started(t, o)
	s.want(PCP, local.Port())
}

func TestEpochTellsOfARestart(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		before, after uint32
		passed        time.Duration
		want          bool
	}{
		{1000, 1600, 600 * time.Second, false},
		{1000, 1570, 600 * time.Second, false}, // a clock that is 5 % slow
		{1000, 1630, 600 * time.Second, false},
		{1000, 999, 0, false},
		{1000, 998, 0, true},
		{1000, 0, 600 * time.Second, true},
		{0, 5, 600 * time.Second, true},       // restarted since
		{1000, 9000, 600 * time.Second, true}, // this host slept
		{0, 0, 0, false},
		{1<<32 - 1, 0, time.Second, true},
	} {
		e := epoch{}
		if e.restarted(c.before, start) {
			t.Error("the first reading tells of a restart")
		}
		if got := e.restarted(c.after, start.Add(c.passed)); got != c.want {
			t.Errorf("%d to %d in %v: %t", c.before, c.after, c.passed, got)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for a, want := range map[string]bool{
		"8.8.8.8": true, "203.0.113.7": true, "2001:db8::1": true, "2a00::1": true,
		"10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "100.64.0.1": false, "100.127.255.255": false, "100.128.0.1": true,
		"127.0.0.1": false, "169.254.0.1": false, "0.1.2.3": false, "240.0.0.1": false, "255.255.255.255": false, "224.0.0.1": false,
		"192.0.0.1": false, "198.18.0.1": false, "::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false,
		"ff02::1": false, "100::1": false, "2002::1": false, "2001::1": false, "64:ff9b::1": false, "::ffff:8.8.8.8": false,
	} {
		if got := public(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %t", a, got)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// FuzzAnswer holds what the parser promises of whatever it takes.
func FuzzAnswer(f *testing.F) {
	seed := func(r *router.Router, b []byte) {
		for _, a := range r.Datagram(b, netip.AddrPortFrom(local.Addr(), 9), time.Now()) {
			f.Add(a)
		}
	}
	r := router.New(honest(true, true), time.Now())
	seed(r, appendPCPMap(nil, request{local: local, nonce: nonce, lifetime: 7200}))
	seed(r, appendPCPAnnounce(nil, local.Addr()))
	seed(r, appendPMPAddress(nil))
	seed(r, appendPMPMap(nil, request{local: local, lifetime: 7200}))
	seed(router.New(honest(false, true), time.Now()), appendPCPAnnounce(nil, local.Addr()))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parse(b)
		if err != nil {
			if a != (answer{}) {
				t.Fatalf("an error and %+v", a)
			}
			return
		}
		switch {
		case len(b) > MaxPacket || b[1] != a.op|0x80 || b[0] != a.version:
			t.Fatalf("%x: %+v", b, a)
		case a.version == pcpVersion && a.op == pcpMap && (len(b) < 60 || [12]byte(b[24:36]) != [12]byte(a.nonce) || b[3] != byte(a.result)):
			t.Fatalf("%x: %+v", b, a)
		case a.version == pmpVersion && a.result == 0 && (a.op != pmpAddress || len(b) != 12) && (a.op != pmpMap || len(b) != 16):
			t.Fatalf("%x: %+v", b, a)
		case a.external.Addr().Is4In6():
			t.Fatalf("%v is not unmapped", a.external)
		}
	})
}

// FuzzMachine lets a router say anything at any time: nothing useless is told, the
// number of packets is bounded, and the machine ends when it is stopped.
func FuzzMachine(f *testing.F) {
	f.Add([]byte("\x00\x05\x01\x30\x02\x80\x03\x10\x04\x01\x05\x02\x06\x03"))
	f.Add([]byte("\x07\xff\x00\x01\x00\x02\x00\x03\x00\x04\x07\xff\x07\xff"))
	f.Fuzz(func(t *testing.T, script []byte) {
		s := newSim(t, honest(true, true))
		s.call = func(port uint16) Outcome { return Outcome(1 + port%3) }
		mutate := byte(0)
		s.r.Change(func(o *router.Options) {
			o.Answer = func(b []byte) [][]byte {
				if mutate != 0 {
					b[int(mutate)%len(b)] ^= mutate
				}
				return [][]byte{b}
			}
		})
		s.do(s.m.Start(s.now))
		script = script[:min(len(script), 200)]
		for len(script) >= 2 {
			what, n := script[0], script[1]
			script = script[2:]
			switch what % 8 {
			case 0:
				s.do(s.m.Found(netip.AddrFrom4([4]byte{n, 0, 113, 7}), s.now))
			case 1:
				mutate = n
			case 2:
				s.do(s.m.Called(local.Port()+uint16(n%3), Outcome(1+n%3), s.now))
			case 3:
				s.do(s.m.Unreachable(s.now))
			case 4:
				s.do(s.m.Changed(s.now))
			case 5:
				s.r.Restart(s.now)
			case 6:
				s.found = netip.AddrFrom4([4]byte{n, 0, 113, 7})
			case 7:
				s.run(time.Duration(n) * time.Duration(n) * 100 * time.Millisecond)
			}
			s.run(0)
		}
		hours := 1 + int(s.now.Sub(s.start)/time.Hour)
		if changes := 400; s.sent > hours*(12*240+changes) { // leases of 30 s, renewed every 15 s
			t.Fatalf("%d packets in %d hours", s.sent, hours)
		}
		s.do(s.m.Stop(s.now))
		s.run(time.Minute)
		if s.m.Status().Phase != Ended || !s.m.Deadline().IsZero() {
			t.Fatalf("%v after the end", s.m.Status().Phase)
		}
	})
}
