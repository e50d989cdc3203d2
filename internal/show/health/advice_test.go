package health

import (
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
	catalogue "github.com/libertaria-project/l2tun/test/faults"
)

// A peer that has not connected, at a node behind NAT: that is the cause, and the
// peer is told the public address.
func TestNATIsNamedAsTheCause(t *testing.T) {
	s := &control.Status{DID: "did:me", Listen: "[::]:4242", Peers: []control.Peer{{DID: bob, Name: "nas", State: "idle"},
		{Name: "hub", State: "established", SeenAs: "198.51.100.10:4242", Local: "192.168.1.20:4242"}}}
	f := Of(s)[0]
	if f.Code != Waiting || !strings.Contains(f.What, "behind NAT (its public address is 198.51.100.10:4242)") ||
		!slices.Equal(f.RunThere, []string{"l2tun peer set did:me --add-endpoint 198.51.100.10:4242"}) {
		t.Errorf("%+v", f)
	}
	s.Peers[1].Local = s.Peers[1].SeenAs
	if f := Of(s)[0]; strings.Contains(f.What, "NAT") || len(f.RunThere) != 1 {
		t.Errorf("%+v", f)
	}
	s.Peers = s.Peers[:1]
	if f := Of(s)[0]; strings.Contains(f.What, "NAT") || len(f.RunThere) != 0 || !strings.Contains(f.Do, "HOST:PORT") {
		t.Errorf("%+v", f)
	}
}

// One peer that says something else than two others moves no advice, nor does one
// that names an address at which nobody can be.
func TestAPeerDoesNotChooseThePublicAddress(t *testing.T) {
	seen := func(at string) control.Peer {
		return control.Peer{Name: "p", State: "established", SeenAs: at, Local: "192.168.1.20:4242"}
	}
	s := &control.Status{DID: "did:me", Peers: []control.Peer{seen("203.0.113.66:1"), seen("198.51.100.10:4242"), seen("198.51.100.10:4242")}}
	public, _ := Public(s)
	s.Peers = []control.Peer{seen("224.0.0.1:1"), seen("169.254.169.254:80"), seen("0.0.0.0:1"), seen("192.0.2.1:0"), seen("$(x)")}
	nowhere, _ := Public(s)
	if public != "198.51.100.10:4242" || nowhere != "" {
		t.Errorf("%q %q", public, nowhere)
	}
}

// Commands are for the node that says them, and a name that a shell would read is
// replaced by the DID.
func TestCommandsNameTheirNode(t *testing.T) {
	for _, c := range []struct{ iface, socket, want string }{
		{"l2tun0", control.SocketPath("l2tun0"), "l2tun doctor nas"}, {"h2t0", control.SocketPath("h2t0"), "l2tun doctor nas -i h2t0"}, {"h2t0", "/x/n.sock", "l2tun doctor nas --socket /x/n.sock"},
	} {
		s := &control.Status{Interface: c.iface, Socket: c.socket, Peers: []control.Peer{{DID: bob, Name: "nas", State: "degraded"}}}
		if got := Of(s)[0].Run; !slices.Equal(got, []string{c.want}) {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
	odd := []string{"my nas", "$(x)", "a;b", "a'b", "--socket=/tmp/x", "-h", "=ls", "a\u00a0b", "%1", "^x^y", "<a"}
	for _, name := range odd {
		s := &control.Status{Peers: []control.Peer{{DID: bob, Name: name, State: "degraded"}}}
		if got := Of(s)[0].Run; !slices.Equal(got, []string{"l2tun doctor " + bob}) {
			t.Errorf("%q: %v", name, got)
		}
	}
	catalogue.Report(t, "S42", !t.Failed(), "%d names that a shell or l2tun makes anything of: the commands that findings give have the DID", len(odd))
}

// Nine peers that refuse this node are one finding with one command; what is
// different is not joined.
func TestGroup(t *testing.T) {
	s := &control.Status{DID: "did:me"}
	for _, name := range []string{"a", "b", "c", "d"} {
		s.Peers = append(s.Peers, control.Peer{Name: name, State: "failed", Reason: "refused"})
	}
	s.Peers = append(s.Peers, control.Peer{Name: "x", State: "failed", Reason: "timeout", Endpoint: "192.0.2.1:1"}, control.Peer{Name: "y", State: "failed", Reason: "timeout", Endpoint: "192.0.2.2:1"},
		control.Peer{Name: "z", State: "suspended"})
	got := Group(Of(s))
	if len(got) != 3 || got[0].About != "a, b, c and 1 more (4 peers)" || len(got[0].RunThere) != 1 ||
		got[1].About != "x, y (2 peers)" || got[1].What != "no answer at their endpoints" || !slices.Equal(got[1].Run, []string{"l2tun doctor x", "l2tun doctor y"}) || got[2].About != "z" {
		t.Errorf("%+v", got)
	}
}

// A peer of a hub that asks for a host which has not joined is not to be given a
// [[route]]: the network is the hub's own.
func TestAddressesOfTheOwnNetworkAreNotRouted(t *testing.T) {
	s := &control.Status{Addresses: []string{"fd4c:3254::1/128", "10.9.0.1/24"}}
	for _, c := range []struct{ to, owner, what, do string }{
		{"10.9.0.77", "", "no peer has; it is in this node's overlay network 10.9.0.0/24", "invite it"},
		{"192.168.50.7", "", "this node does not route", "[[route]]"},
		{"10.9.0.3", "laptop", "it belongs to laptop", "[[route]]"},
	} {
		s.Misrouted = []control.Misrouted{{Address: c.to, Owner: c.owner, Reason: "bad_destination", Packets: 2}}
		if f := Of(s); len(f) != 1 || f[0].Code != BadDestination || !strings.Contains(f[0].What, c.what) || !strings.Contains(f[0].Do, c.do) {
			t.Errorf("%s: %+v", c.to, f)
		}
	}
}
