package nat

import (
	"net"
	"testing"
)

// behaviours are what each kind does to IPv4.
var behaviours = map[Kind]Behaviour{
	None:            {Mapping: EndpointIndependent, Filtering: EndpointIndependent, Preserved: true, Hairpin: true},
	Firewall:        {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent, Preserved: true, Hairpin: true},
	Cone:            {Mapping: EndpointIndependent, Filtering: EndpointIndependent, Preserved: true},
	AddressCone:     {Mapping: EndpointIndependent, Filtering: AddressDependent, Preserved: true},
	Home:            {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent, Preserved: true},
	Careless:        {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent, Preserved: true},
	Symmetric:       {Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent},
	Double:          {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent},
	DoubleSymmetric: {Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent},
	Shared:          {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent},
	SharedHairpin:   {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent, Hairpin: true},
	K8sNode:         {Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent},
	NoUDP:           {Blocked: true},
	Tiny:            {Mapping: EndpointIndependent, Filtering: AddressAndPortDependent, Preserved: true},
}

func TestEachKindBehavesAsItsName(t *testing.T) {
	t.Parallel()
	n := Use(t, TwoHomes(None, None))
	for _, k := range Kinds() {
		s := site(t, n, k)
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			listen := listener(s, false)
			if k == K8sNode {
				listen = marked(natMark, listen)
			}
			classified(t, n, false, listen, behaviours[k])
		})
		t.Run(k.String()+" IPv6", func(t *testing.T) {
			t.Parallel()
			want := behaviours[Firewall]
			switch k {
			case None, K8sNode:
				want = behaviours[None]
			case NoUDP:
				want = behaviours[NoUDP]
			}
			classified(t, n, true, listener(s, true), want)
		})
	}
}

func classified(t *testing.T, n *Net, v6 bool, listen func() (*net.UDPConn, error), want Behaviour) {
	t.Helper()
	got, err := Classify(witness(t, n, v6), listen)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("behaves as\n%+v, want\n%+v", got, want)
	}
}
