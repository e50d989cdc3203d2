package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is a short hash of what the config means: equal for files that differ
// only in comments, order of keys and layout. There is nothing secret in it.
func (c *Config) Digest() string {
	h := sha256.New()
	var values []any
	for _, k := range keys() {
		if !k.block && k.usual == nil {
			values = append(values, k.value(c))
		}
	}
	fmt.Fprintln(h, values...)
	for _, k := range keys() {
		switch {
		case k.usual != nil && !k.usual(c):
			fmt.Fprintln(h, k.name, k.value(c))
		case k.usual == nil && k.block:
			fmt.Fprintf(h, "%+v\n", k.value(c))
		}
	}
	for _, p := range c.Peers {
		fmt.Fprintf(h, "%s %q %q %v %v %+v\n", p.DID, p.Name, p.Endpoints, p.AllowedIPs, p.Assigned, p.Settings())
		if p.Hub {
			fmt.Fprintln(h, "hub")
		}
		if p.Keep {
			fmt.Fprintln(h, "keep")
		}
		if p.Invites {
			fmt.Fprintln(h, "invites")
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// CheckReload refuses a next config that differs from c in a key that a running
// node cannot change.
func (c *Config) CheckReload(next *Config) error {
	if key := c.needsRestart(next); key != "" {
		return fmt.Errorf("%s: %s has changed, which needs a restart: l2tun down, then l2tun up", next.Path, key)
	}
	return nil
}

// needsRestart is the first key in which other differs from c and that a running
// node cannot change; "" for none.
func (c *Config) needsRestart(other *Config) string {
	for _, k := range keys() {
		if k.restart && fmt.Sprint(k.value(c)) != fmt.Sprint(k.value(other)) {
			return k.name
		}
	}
	return ""
}
