package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/libertaria-project/l2tun/internal/base/ifname"
)

const (
	maxInterface = ifname.Max
	maxName      = 64 // bytes
	maxHost      = 253
)

// CheckInterface holds a name to what the device takes. The error is a sentence
// that begins with the name.
func CheckInterface(name string) error { return ifname.Check(name) }

// checkName holds a peer's name to what can be printed and told from a DID.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("a name has 1 to %d bytes; leave the key out for none", maxName)
	case strings.HasPrefix(name, "did:"):
		return errors.New(`a name must not begin with "did:"`)
	case strings.HasPrefix(name, "-"):
		return errors.New(`a name must not begin with "-": commands would take it for an option`)
	case strings.HasPrefix(name, "…"):
		return errors.New(`a name must not begin with "…": peers without a name are shown so`)
	case isAddress(name):
		return errors.New("a name must not be an IP address: commands take the address of a peer in its place")
	case strings.TrimSpace(name) != name:
		return errors.New("a name must not begin or end with a space")
	}
	for _, c := range name {
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			return fmt.Errorf("%q is not allowed in a name", c)
		}
	}
	return nil
}

// isAddress reports whether a text is an address as commands take one.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// parseListen reads "HOST:PORT", HOST an address of this machine or empty for
// all of them.
func parseListen(s string) (netip.AddrPort, error) {
	host, port, err := splitPort(s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		host = "::"
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return netip.AddrPort{}, fmt.Errorf("%q does not begin with an IP address; write %s for all addresses", s, DefaultListen)
	case addr.IsMulticast():
		return netip.AddrPort{}, fmt.Errorf("%s is a multicast address", addr)
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}

// parseMethod reads one of discovery's.
func parseMethod(s string) (Method, error) {
	if m := Method(s); m == Multicast || m == Broadcast {
		return m, nil
	}
	return "", fmt.Errorf("%q is no discovery method; the methods are multicast (IPv6) and broadcast (IPv4)", s)
}

// parseDNS reads how names are made known.
func parseDNS(s string) (DNS, error) {
	switch m := DNS(s); m {
	case DNSAuto, DNSResolved, DNSHosts, DNSOff:
		return m, nil
	}
	return "", fmt.Errorf("%q is not a way to make names known on this host; the ways are auto, resolved, hosts and off", s)
}

// parseEndpoint checks "HOST:PORT", HOST an address or a name to look up.
func parseEndpoint(s string) (string, error) {
	host, _, err := splitPort(s)
	if err != nil {
		return "", err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.IsUnspecified() || addr.IsMulticast() {
			return "", fmt.Errorf("nothing can be sent to %s; give the peer's own address", addr)
		}
		return s, checkZone(addr.Zone())
	}
	if !validHost(host) {
		return "", fmt.Errorf("%q has neither an IP address nor a host name before the port", s)
	}
	return s, nil
}

// checkZone holds the zone of an address, in which netip takes anything, to what
// an interface may be called: endpoints come from strangers too, by a link and
// with a join, and people read them on terminals.
func checkZone(zone string) error {
	if len(zone) > maxInterface {
		return fmt.Errorf("%q after the %% is no interface: it is longer than %d bytes", zone, maxInterface)
	}
	for _, c := range zone {
		if c <= ' ' || c > '~' || strings.ContainsRune("/:%\"", c) {
			return fmt.Errorf("%q after the %% is no interface: %q is not allowed in it", zone, c)
		}
	}
	return nil
}

// splitPort cuts "HOST:PORT" and checks the port.
func splitPort(s string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not HOST:PORT, such as 192.0.2.1:4242, [2001:db8::1]:4242 or node.example:4242", s)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || text[0] == '+' {
		return "", 0, fmt.Errorf("%q has no port between 1 and 65535", s)
	}
	return host, uint16(n), nil
}

// validHost takes what DNS takes, and underscores. A name of digits and dots
// alone is a mistyped address.
func validHost(s string) bool {
	if s == "" || len(s) > maxHost || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if c > unicode.MaxASCII || !(unicode.IsLetter(c) || unicode.IsDigit(c) || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
