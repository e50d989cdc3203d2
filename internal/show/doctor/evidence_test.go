package doctor

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/routing"
)

// A session that answers is better evidence than a probe from another port, which
// a NAT drops: doctor does not contradict status. What the session does not show
// is still said.
func TestASessionThatAnswersIsEvidence(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.10:4242")
	for _, c := range []struct {
		name    string
		peer    control.Peer
		session control.Pong
		codes   []string
		level   string
	}{
		{"behind two NATs, by direct", control.Peer{State: "established", SeenAs: "198.51.100.10:4242", Local: "192.168.1.20:4242"},
			control.Pong{Carrier: "direct", Remote: remote.String()}, []string{health.TCPBlocked}, control.LevelNote},
		{"by TCP alone", control.Peer{State: "established"}, control.Pong{Carrier: "utcp", Remote: remote.String()}, []string{health.UDPBlocked}, control.LevelWarning},
		{"up by another endpoint", control.Peer{State: "established"}, control.Pong{Carrier: "direct", Remote: "203.0.113.9:4242"}, []string{health.Unreachable}, control.LevelWarning},
		{"up, but it does not answer", control.Peer{State: "established"}, control.Pong{}, []string{health.Unreachable}, control.LevelWarning},
		{"not up", control.Peer{State: "failed"}, control.Pong{}, []string{health.Unreachable}, control.LevelError},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.peer.Name = "nas"
			e := &exam{config: &config.Config{}, status: &control.Status{Peers: []control.Peer{c.peer}}}
			e.judge(target{about: "nas", remote: remote}, passage{session: c.session})
			r := e.end()
			if !slices.Equal(codes(r), c.codes) || r.Findings[0].Level != c.level {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

// What the node could not even try is said once, with its reason: that nothing comes
// back from there is no news. It is news from other endpoints, and of a node that is
// up.
func TestAKnownObstacleIsSaidOnce(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.10:4242")
	for _, c := range []struct {
		name, state, at string
		codes           []string
	}{
		{"no route", "failed", remote.String(), []string{health.CannotDial}},
		{"another endpoint", "failed", "192.0.2.11:4242", []string{health.Unreachable, health.CannotDial}},
		{"up by now", "established", remote.String(), []string{health.Unreachable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := control.Peer{Name: "nas", State: c.state, Reason: "transport_error"}
			p.Trouble.Obstacles = []control.Obstacle{{Kind: "no_route", Endpoint: c.at}}
			s := &control.Status{Peers: []control.Peer{p}}
			e := &exam{config: &config.Config{}, status: s}
			for _, f := range health.Of(s) {
				if f.Code == health.CannotDial {
					e.report.Findings = append(e.report.Findings, f)
				}
			}
			e.judge(target{about: "nas", remote: remote}, passage{})
			if r := e.end(); !slices.Equal(codes(r), c.codes) {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

// An endpoint that has just refused this node is not one where nothing listens: a NAT
// drops the probe from another port. From another endpoint it is news.
func TestAPeerThatRefusesIsReached(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.10:4242")
	for _, c := range []struct {
		state, reason, at string
		codes             []string
	}{
		{"failed", "refused", remote.String(), nil},
		{"failed", "authentication_failed", "nas.example:4242", nil},
		{"failed", "version", remote.String(), nil},
		{"failed", "refused", "192.0.2.11:4242", []string{health.Unreachable}},
		{"failed", "timeout", remote.String(), []string{health.Unreachable}},
		{"idle", "refused", remote.String(), []string{health.Unreachable}},
	} {
		s := &control.Status{Peers: []control.Peer{{Name: "nas", State: c.state, Reason: c.reason, Endpoint: c.at}}}
		e := &exam{config: &config.Config{}, status: s}
		e.judge(target{about: "nas", endpoint: "nas.example:4242", remote: remote}, passage{})
		if r := e.end(); !slices.Equal(codes(r), c.codes) {
			t.Errorf("%+v: %+v", c, r.Findings)
		}
	}
}

// Each way in which a config cannot be had has its own advice.
func TestConfigThatCannotBeHad(t *testing.T) {
	for _, c := range []struct {
		err  error
		what string
		run  []string
	}{
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, "cannot be read by this user", []string{"sudo l2tun doctor -i h2t0"}},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, "no such file", []string{"l2tun init -i h2t0"}},
		{&config.Error{File: "x", Line: 3, Col: 1, Key: "mtv", Msg: "unknown key"}, "x:3:1: mtv: unknown key", []string{}},
	} {
		e := &exam{o: Options{ConfigPath: "x", Flag: " -i h2t0"}}
		e.configError(c.err)
		if f := e.report.Findings[0]; f.Code != health.Config || f.What != c.what || !slices.Equal(f.Run, c.run) || f.Do == "" {
			t.Errorf("%+v", f)
		}
	}
}

// A [[route]] lets peers in and the kernel has to forward: what it does not is said,
// once for each setting.
func TestRoutesNeedForwarding(t *testing.T) {
	four, lan, six := netip.MustParsePrefix("192.168.50.0/24"), netip.MustParsePrefix("10.20.0.0/24"), netip.MustParsePrefix("fd00:50::/64")
	for _, c := range []struct {
		routes   []netip.Prefix
		off4     bool
		off6     bool
		what     []string
		commands []string
	}{
		{nil, true, true, nil, nil},
		{[]netip.Prefix{four, lan, six}, false, false, nil, nil},
		{[]netip.Prefix{four, lan, six}, true, false, []string{"192.168.50.0/24, 10.20.0.0/24 through it"}, []string{"sysctl -w net.ipv4.ip_forward=1"}},
		{[]netip.Prefix{four, six}, true, true, []string{"192.168.50.0/24 through it", "fd00:50::/64 through it"},
			[]string{"sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv6.conf.all.forwarding=1"}},
	} {
		e := &exam{config: &config.Config{Interface: "l2tun0", Routes: c.routes}}
		e.forwarding(func(iface string, p netip.Prefix) routing.Forwarding {
			if p.Addr().Is6() {
				return routing.Forwarding{Off: c.off6, Key: "net.ipv6.conf.all.forwarding"}
			}
			return routing.Forwarding{Off: c.off4, Key: "net.ipv4.ip_forward"}
		})
		all := e.end().Findings
		if len(all) != len(c.what) {
			t.Fatalf("%+v", all)
		}
		for i, f := range all {
			if f.Code != health.NotForwarding || f.Level != control.LevelWarning || !strings.Contains(f.What, c.what[i]) || !slices.Equal(f.Run, []string{c.commands[i]}) {
				t.Errorf("%+v", f)
			}
		}
	}
}
