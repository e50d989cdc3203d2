package nat

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// listener opens sockets of a site on its address of a family.
func listener(s *Site, v6 bool) func() (*net.UDPConn, error) {
	return func() (*net.UDPConn, error) { return s.ListenUDP(netip.AddrPortFrom(siteAddr(s, v6), 0)) }
}

func siteAddr(s *Site, v6 bool) netip.Addr {
	if v6 {
		return s.Addr6()
	}
	return s.Addr4()
}

// marked sets a mark on what a listener opens.
func marked(mark int, listen func() (*net.UDPConn, error)) func() (*net.UDPConn, error) {
	return func() (*net.UDPConn, error) {
		c, err := listen()
		if err != nil {
			return nil, err
		}
		return c, setSocket(c, unix.SOL_SOCKET, unix.SO_MARK, mark)
	}
}

func setSocket(c *net.UDPConn, level, option, value int) (err error) {
	raw, rawErr := c.SyscallConn()
	if rawErr != nil {
		return rawErr
	}
	if ctrl := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, value) }); ctrl != nil {
		return ctrl
	}
	return err
}

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
		s, err := n.Site(k.String(), k)
		if err != nil {
			t.Fatal(err)
		}
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
	w, err := n.Hub.Witness(v6)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	got, err := Classify(w, listen)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("behaves as\n%+v, want\n%+v", got, want)
	}
}
