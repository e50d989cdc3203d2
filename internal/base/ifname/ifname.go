// Package ifname is the one rule for names of network interfaces: the config
// refuses what the device would refuse. It imports nothing of this program.
package ifname

import (
	"errors"
	"fmt"
)

// Default is the interface of a node that was given no name.
const Default = "l2tun0"

// Max is the longest name in bytes: the kernel's IFNAMSIZ without its zero.
const Max = 15

// Check holds a name to the kernel's rules for interfaces and to what may stand
// in a file name, a sysctl path and a shell command. It is stricter than the
// kernel, which reads a '%' as a request to number devices and takes quotes and
// control characters; "all" and "default" stand for every interface in sysctl.
// The error is a sentence that begins with the name.
func Check(name string) error {
	switch {
	case name == "":
		return errors.New("an interface needs a name")
	case len(name) > Max:
		return fmt.Errorf("%q is %d bytes long; an interface name has at most %d", name, len(name), Max)
	case name == "." || name == ".." || name == "lo" || name == "all" || name == "default":
		return fmt.Errorf("%q is reserved by the kernel; choose another interface name", name)
	}
	for _, c := range name {
		if !allowed(c) {
			return fmt.Errorf("%q cannot be an interface name: %q is not allowed in it", name, c)
		}
	}
	if name[0] == '-' {
		return fmt.Errorf("%q cannot be an interface name: commands would read it as a flag", name)
	}
	return nil
}

func allowed(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
