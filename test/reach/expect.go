package reach

import "github.com/libertaria-project/l2tun/test/lab/nat"

// Expected says what becomes of two homes that share a hub.
type Expected int

const (
	Direct  Expected = iota // they meet
	Circuit                 // they stay with the hub
)

func (e Expected) String() string { return [...]string{"direct", "circuit"}[e] }

// Expect says what two kinds of NAT permit over IPv4, or over IPv6 as well. The hub is
// reached in every case.
func Expect(a, b nat.Kind, v6 bool) Expected {
	switch {
	case a == nat.NoUDP || b == nat.NoUDP:
		return Circuit
	case v6, a == nat.K8sNode, b == nat.K8sNode: // nothing translates; its own socket's port is open
		return Direct
	case a == nat.Shared && b == nat.Shared: // what goes to the carrier's own addresses from inside is lost
		return Circuit
	case byPort(a) && filtersByPort(b), byPort(b) && filtersByPort(a):
		return Circuit
	}
	return Direct
}

// ExpectSpray is Expect over IPv4 where both homes have spray on.
func ExpectSpray(a, b nat.Kind) Expected {
	if e := Expect(a, b, false); e == Direct || a == nat.NoUDP || b == nat.NoUDP || byPort(a) == byPort(b) || a == nat.Tiny || b == nat.Tiny {
		return e
	}
	return Direct
}

// byPort reports whether each remote sees another port of a home.
func byPort(k nat.Kind) bool { return k == nat.Symmetric || k == nat.DoubleSymmetric }

// filtersByPort reports whether a home's NAT or firewall lets in what comes from where
// it has sent to alone, the port among it.
func filtersByPort(k nat.Kind) bool {
	return k != nat.None && k != nat.Cone && k != nat.AddressCone && k != nat.K8sNode
}
