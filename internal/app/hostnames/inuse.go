package hostnames

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// Where a host says how it resolves names.
const (
	resolvConf = "/etc/resolv.conf"
	nsswitch   = "/etc/nsswitch.conf"
)

// stubs are the addresses at which systemd-resolved answers DNS.
var stubs = []string{"127.0.0.53", "127.0.0.54"}

// inUse reports why programs of this host do not ask systemd-resolved, though it runs:
// neither is its library in nsswitch.conf nor its address in resolv.conf.
func inUse() error {
	for _, line := range fields(nsswitch) {
		if line[0] == "hosts:" && slices.Contains(line, "resolve") {
			return nil
		}
	}
	for _, line := range fields(resolvConf) {
		if line[0] == "nameserver" && len(line) > 1 && slices.Contains(stubs, line[1]) {
			return nil
		}
	}
	return errors.New("it runs and is not in use: " + resolvConf + " names other servers, and " + nsswitch + " has no resolve")
}

// fields are the lines of a file, without comments and empty ones, in words.
func fields(file string) (all [][]string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}
