package mapping

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/router"
)

func honest(pcp, pmp bool) router.Options {
	return router.Options{PCP: pcp, NATPMP: pmp, External: external}
}

func TestBestProtocolOfTheRouterIsUsed(t *testing.T) {
	for _, c := range []struct {
		pcp, pmp, upnp bool
		want           Protocol
	}{
		{true, false, false, PCP}, {false, true, false, NATPMP}, {false, false, true, UPnP},
		{true, true, true, PCP}, {false, true, true, NATPMP}, {true, false, true, PCP},
	} {
		s := newSim(t, honest(c.pcp, c.pmp))
		s.delay = 10 * time.Millisecond
		s.call = func(uint16) Outcome { return Done }
		if c.upnp {
			s.found = external
		}
		s.do(s.m.Start(s.now))
		s.run(time.Second)
		s.want(c.want, local.Port())
		if n := len(s.mapped); (n != 0) != (c.want == UPnP) {
			t.Errorf("%+v: UPnP was asked %d times", c, n)
		}
		if n := len(s.r.Mappings(s.now)); c.want != UPnP && n != 1 {
			t.Errorf("%+v: %d mappings", c, n)
		}
	}
}

// A router that says which version it lacks is not waited for.
func TestRefusedVersionEndsTheWait(t *testing.T) {
	s := started(t, honest(false, true))
	s.want(NATPMP, local.Port())
	if s.now != s.start {
		t.Errorf("after %v", s.now.Sub(s.start))
	}
}

func TestBetterProtocolIsWaitedForAQuarterOfASecond(t *testing.T) {
	for delay, want := range map[time.Duration]Protocol{200 * time.Millisecond: PCP, 400 * time.Millisecond: UPnP} {
		s := newSim(t, honest(true, false))
		s.call = func(uint16) Outcome { return Done }
		s.delay = delay
		s.do(s.m.Start(s.now))
		s.do(s.m.Found(external, s.now))
		s.run(249 * time.Millisecond)
		if want == UPnP && len(s.mapped) != 0 {
			t.Error("UPnP was not kept waiting")
		}
		s.run(time.Millisecond)
		s.want(want, local.Port())
		s.run(time.Minute)
		s.want(want, local.Port())
	}
}

func TestRouterThatIsSlowIsUsed(t *testing.T) {
	s := newSim(t, honest(false, true))
	s.delay = 1500 * time.Millisecond
	s.do(s.m.Start(s.now))
	s.run(5 * time.Second)
	s.want(NATPMP, local.Port())
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	s := newSim(t, honest(true, false))
	s.cut = true
	s.do(s.m.Start(s.now))
	s.run(600 * time.Millisecond)
	s.cut = false
	s.run(time.Second)
	s.want(PCP, local.Port())
}

func TestMappingIsRenewedAtHalfOfItsLease(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true)} {
		s := started(t, o)
		s.run(time.Hour - time.Second)
		if n := s.r.Asked("map"); n != 1 {
			t.Fatalf("%d requests before the half", n)
		}
		s.run(time.Second)
		if n := s.r.Asked("map"); n != 2 {
			t.Fatalf("%d requests after the half", n)
		}
		s.run(24 * time.Hour)
		if n := s.r.Asked("map"); n != 26 || len(s.told) != 1 {
			t.Errorf("%d requests in 25 hours, told %d times", n, len(s.told))
		}
	}
}

func TestShortLeaseIsRenewedAtItsHalf(t *testing.T) {
	o := honest(true, false)
	o.Lease = 60
	s := started(t, o)
	s.run(time.Hour)
	s.want(PCP, local.Port())
	if n := s.r.Asked("map"); n != 121 || len(s.told) != 1 {
		t.Errorf("%d requests, told %d times", n, len(s.told))
	}
}

func TestLeaseThatIsTooShortIsGivenBack(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true)} {
		o.Lease = 20
		s := started(t, o)
		s.run(10 * time.Second)
		s.wantNone(ShortLease)
		s.wantNothingAt()
		before := s.sent
		s.run(59 * time.Minute)
		if s.sent != before {
			t.Error("the silence was broken")
		}
	}
}

func TestRestartedRouterIsAskedAtOnce(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true)} {
		s := started(t, o)
		s.run(25 * time.Minute)
		s.r.Restart(s.now)
		s.run(4 * time.Minute)
		s.wantNothingAt() // not noticed yet
		s.run(2 * time.Minute)
		s.want(s.m.held.Protocol, local.Port())
		if len(s.r.Mappings(s.now)) != 1 || len(s.told) != 1 {
			t.Errorf("%v, told %d times", s.r.Mappings(s.now), len(s.told))
		}
	}
}

func TestChangeOfTheNetworkReadsTheClock(t *testing.T) {
	s := started(t, honest(true, false))
	s.run(time.Minute)
	s.r.Restart(s.now.Add(-time.Second))
	s.do(s.m.Changed(s.now))
	s.run(0)
	if len(s.r.Mappings(s.now)) != 1 {
		t.Error("not renewed")
	}
	before := s.sent
	for range 1000 { // an interface that comes and goes
		s.do(s.m.Changed(s.now))
		s.run(10 * time.Millisecond)
	}
	if n := s.sent - before; n > 2 {
		t.Errorf("%d packets in 10 s", n)
	}
}

func TestNewAddressOfTheRouterIsTold(t *testing.T) {
	s := started(t, honest(false, true))
	next := netip.MustParseAddr("198.51.100.9")
	s.r.Change(func(o *router.Options) { o.External = next })
	s.run(11 * time.Minute)
	if got := s.m.Status().Mapping.External; got != netip.AddrPortFrom(next, local.Port()) || len(s.told) != 2 {
		t.Errorf("%v, told %v", got, s.told)
	}
}

func TestPrivateAddressIsNotTold(t *testing.T) {
	for _, a := range []string{"10.1.2.3", "192.168.0.2", "100.64.3.4", "169.254.1.1", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"} {
		for _, o := range []router.Options{honest(true, false), honest(false, true), honest(true, true)} {
			o.External = netip.MustParseAddr(a)
			s := newSim(t, o)
			s.found = o.External
			s.do(s.m.Start(s.now))
			s.run(10 * time.Second)
			s.wantNone(Private)
			s.wantNothingAt()
			if len(s.mapped) != 0 {
				t.Error("UPnP was asked")
			}
		}
	}
}

func TestAddressThatBecomesPrivateIsTakenBack(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true), {}} {
		s := newSim(t, o)
		s.call = func(uint16) Outcome { return Done }
		upnp := !o.PCP && !o.NATPMP
		if upnp {
			s.found = external
		}
		s.do(s.m.Start(s.now))
		s.run(time.Second)
		if s.m.Status().Phase != Held {
			t.Fatalf("%+v", s.m.Status())
		}
		behind := netip.MustParseAddr("100.64.0.1")
		s.r.Change(func(o *router.Options) { o.External = behind })
		if upnp {
			s.found = behind
		}
		s.run(61 * time.Minute)
		if got := s.m.Status(); got.Phase != Silent || got.Why != Private || s.told[len(s.told)-1] != (Mapping{}) || upnp != (len(s.gone) == 1) {
			t.Errorf("%+v, told %v, gave back %v", got, s.told, s.gone)
		}
		s.wantNothingAt()
	}
}

func TestPortBelow1024IsNotTold(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true)} {
		o.OnlyPort = 53
		s := started(t, o)
		s.run(10 * time.Second)
		s.wantNone(WrongPort)
		s.wantNothingAt()
	}
}

func TestAnotherPortIsTakenWhereTheOwnIsNotFree(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true)} {
		o.TakenPort = []uint16{local.Port(), local.Port() + 1}
		s := started(t, o)
		s.want(s.m.held.Protocol, local.Port()+2)
		s.run(3 * time.Hour)
		s.want(s.m.held.Protocol, local.Port()+2)
	}
}

func TestConflictLeadsToOneOtherPort(t *testing.T) {
	s := newSim(t, router.Options{})
	s.found = external
	s.call = func(port uint16) Outcome {
		if port == local.Port() {
			return Taken
		}
		return Done
	}
	s.do(s.m.Start(s.now))
	s.run(time.Second)
	s.want(UPnP, other)
	s.run(65 * time.Minute)
	s.want(UPnP, other)
	s.do(s.m.Stop(s.now))
	s.run(time.Second)
	if !slices.Equal(s.mapped, []uint16{local.Port(), other, other}) || !slices.Equal(s.gone, []uint16{other}) {
		t.Errorf("asked for %v, gave back %v", s.mapped, s.gone)
	}
}

func TestTwoConflictsLeadToSilence(t *testing.T) {
	s := newSim(t, router.Options{})
	s.found = external
	s.call = func(uint16) Outcome { return Taken }
	s.do(s.m.Start(s.now))
	s.run(time.Minute)
	s.wantNone(Conflict)
	before := s.sent
	s.run(58 * time.Minute)
	if s.sent != before || len(s.mapped) != 2 || len(s.gone) != 0 {
		t.Errorf("%d packets, asked for %v, gave back %v", s.sent-before, s.mapped, s.gone)
	}
	s.call = func(uint16) Outcome { return Done }
	s.run(2 * time.Minute)
	s.want(UPnP, local.Port())
}

func TestRefusalsAndNoAnswerLeadToSilence(t *testing.T) {
	for _, refuse := range []uint16{2, 4, 8} {
		for _, o := range []router.Options{honest(true, false), honest(false, true), honest(true, true)} {
			o.Refuse = refuse
			s := started(t, o)
			s.run(5 * time.Second)
			s.wantNone(Refused)
		}
	}
	s := started(t, router.Options{})
	s.run(5 * time.Second)
	s.wantNone(NoAnswer)
	if s.sent > 10 {
		t.Errorf("%d packets", s.sent)
	}
	before := s.sent
	s.run(59 * time.Minute)
	if s.sent != before {
		t.Error("the silence was broken")
	}
	s.run(time.Minute)
	if s.sent == before {
		t.Error("no round after an hour")
	}
}

func TestRenewalThatFailsIsRepeatedUntilTheEnd(t *testing.T) {
	s := started(t, honest(true, false))
	s.run(time.Minute)
	s.cut = true
	s.run(118 * time.Minute)
	if got := s.m.Status(); got.Phase != Held || got.Why != NoAnswer {
		t.Errorf("%v %q", got.Phase, got.Why)
	}
	s.run(2 * time.Minute)
	if got := s.m.Status(); got.Phase != Silent || s.told[len(s.told)-1] != (Mapping{}) {
		t.Errorf("%v, told %v", got, s.told)
	}
	if s.sent > 120 {
		t.Errorf("%d packets", s.sent)
	}
	s.cut = false
	s.run(time.Hour)
	s.want(PCP, local.Port())
}

func TestStopGivesTheMappingBack(t *testing.T) {
	for _, o := range []router.Options{honest(true, false), honest(false, true)} {
		s := started(t, o)
		s.want(s.m.held.Protocol, local.Port())
		s.do(s.m.Stop(s.now))
		s.run(0)
		s.wantNothingAt()
		if s.m.Status().Phase != Ended || s.told[len(s.told)-1] != (Mapping{}) {
			t.Errorf("%v, told %v", s.m.Status(), s.told)
		}
		if s.m.Start(s.now) != nil || s.m.Tick(s.now) != nil || !s.m.Deadline().IsZero() {
			t.Error("it is not at its end")
		}
	}
}

func TestStopIsSentAgainAndEnds(t *testing.T) {
	s := started(t, honest(true, false))
	s.cut = true
	s.do(s.m.Stop(s.now))
	s.run(300 * time.Millisecond)
	s.cut = false
	s.run(100 * time.Millisecond)
	s.wantNothingAt()
	if s.m.Status().Phase != Ended {
		t.Errorf("%v", s.m.Status().Phase)
	}

	s = started(t, honest(true, false))
	s.cut = true
	s.do(s.m.Stop(s.now))
	s.run(deleteTime)
	if s.m.Status().Phase != Ended {
		t.Errorf("%v", s.m.Status().Phase)
	}
}

func TestCallThatEndsAfterStopIsTakenBack(t *testing.T) {
	s := newSim(t, router.Options{})
	s.found, s.lasts = external, 100*time.Millisecond
	s.call = func(uint16) Outcome { return Done }
	s.do(s.m.Start(s.now))
	s.run(300 * time.Millisecond)
	if len(s.mapped) != 1 || s.m.Status().Phase != Asking {
		t.Fatalf("asked for %v in %v", s.mapped, s.m.Status().Phase)
	}
	s.do(s.m.Stop(s.now))
	s.run(time.Second)
	if !slices.Equal(s.gone, []uint16{local.Port()}) || s.m.Status().Phase != Ended || len(s.told) != 0 {
		t.Errorf("gave back %v, %v, told %v", s.gone, s.m.Status().Phase, s.told)
	}
}

func TestStopWithoutARouterIsAtOnce(t *testing.T) {
	s := started(t, router.Options{})
	s.run(10 * time.Second)
	s.do(s.m.Stop(s.now))
	if s.m.Status().Phase != Ended {
		t.Errorf("%v", s.m.Status().Phase)
	}
}

func TestIPv6HasPCPAlone(t *testing.T) {
	o := honest(true, true)
	o.External = netip.MustParseAddr("2001:db8::10")
	s := newSim(t, o)
	s.m = New(Config{Local: netip.AddrPortFrom(o.External, 41641), Nonce: nonce})
	s.do(s.m.Start(s.now))
	s.run(time.Second)
	if got := s.m.Status().Mapping; got.Protocol != PCP || got.External != netip.AddrPortFrom(o.External, 41641) {
		t.Errorf("%v", got)
	}
	if s.r.Asked("address") != 0 || s.sent != 1 {
		t.Errorf("%d packets", s.sent)
	}
}

// A node that comes back after a crash has the nonce of before, or PCP would refuse
// until the old lease has ended.
func TestSameNonceAfterACrash(t *testing.T) {
	s := started(t, honest(true, false))
	s.m = New(Config{Local: local, Nonce: nonce, Other: other})
	s.do(s.m.Start(s.now))
	s.run(0)
	s.want(PCP, local.Port())

	s.m, s.told = New(Config{Local: local, Nonce: Nonce{9}, Other: other}), nil
	s.do(s.m.Start(s.now))
	s.run(5 * time.Second)
	s.wantNone(Refused)
}
