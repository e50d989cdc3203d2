package nat

// A Kind is what stands between a home and the Internet. Package nat has a table
// of what each does.
type Kind int

// The kinds. Those of a carrier have a Home router below it.
const (
	None Kind = iota
	Firewall
	Cone
	AddressCone
	Home
	Careless
	Symmetric
	Double
	DoubleSymmetric
	Shared
	SharedHairpin
	K8sNode
	NoUDP
	Tiny
)

// Kinds are all kinds.
func Kinds() []Kind {
	return []Kind{None, Firewall, Cone, AddressCone, Home, Careless, Symmetric,
		Double, DoubleSymmetric, Shared, SharedHairpin, K8sNode, NoUDP, Tiny}
}

func (k Kind) String() string {
	return [...]string{"none", "firewall", "cone", "address-cone", "home", "careless", "symmetric",
		"double", "double-symmetric", "shared", "shared-hairpin", "k8s-node", "no-udp", "tiny"}[k]
}

// A form is the rules of one router.
type form int

const (
	plain form = iota // forwards everything
	firewall
	cone
	addressCone
	home
	careless
	symmetric
	noUDP
	tiny
	pool        // a carrier's: every mapping gets a port at random and keeps it
	poolHairpin // the same, and reaches its own mappings from inside
)

// forms are the routers of a kind: the home's and the carrier's, if it has one.
func (k Kind) forms() (inner form, carrier form, carried bool) {
	switch k {
	case Double, Shared:
		return home, pool, true
	case DoubleSymmetric:
		return home, symmetric, true
	case SharedHairpin:
		return home, poolHairpin, true
	}
	return map[Kind]form{None: plain, Firewall: firewall, Cone: cone, AddressCone: addressCone, Home: home,
		Careless: careless, Symmetric: symmetric, K8sNode: plain, NoUDP: noUDP, Tiny: tiny}[k], plain, false
}

// translates says whether the home has private IPv4 addresses.
func (f form) translates() bool { return f != plain && f != firewall }

// sharesCarrier says whether all homes of the kind are behind the same carrier.
func (k Kind) sharesCarrier() bool { return k == Shared || k == SharedHairpin }

// A Dependence says what a mapping or a filter depends on, in the words of
// RFC 4787 sections 4.1 and 5.
type Dependence int

const (
	EndpointIndependent Dependence = iota
	AddressDependent
	AddressAndPortDependent
)

func (d Dependence) String() string {
	return [...]string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}[d]
}

// A Behaviour is what a NAT or a firewall does to UDP.
type Behaviour struct {
	Blocked   bool // no UDP passes; the rest says nothing
	Mapping   Dependence
	Filtering Dependence
	Preserved bool // the port outside is the port inside
	Hairpin   bool // two sockets inside reach each other by their outside addresses
}
