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
	fmt.Fprintln(h, c.Interface, c.Addresses, c.Listen, c.MTU, c.Carriers, c.Discovery, c.Metrics)
	fmt.Fprintf(h, "%+v\n", c.Session)
	if c.Mark != DefaultMark() {
		fmt.Fprintln(h, "mark", c.Mark)
	}
	if len(c.Routes) > 0 {
		fmt.Fprintln(h, "routes", c.Routes)
	}
	for _, p := range c.Peers {
		fmt.Fprintf(h, "%s %q %q %v %v %+v\n", p.DID, p.Name, p.Endpoints, p.AllowedIPs, p.Assigned, p.Session)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
