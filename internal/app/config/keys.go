package config

import (
	"strings"

	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// A key describes what a config file says outside its [[peer]] blocks: the digest,
// the reload and the list in messages are made of the table, and a test holds it
// against the fields of Config.
type key struct {
	name    string // in files and messages
	field   string // of Config
	restart bool   // a running node cannot take another value
	block   bool   // a table, not a key of the top level
	value   func(*Config) any
	usual   func(*Config) bool // the digest is as without it; nil: never
}

func keys() []key {
	return []key{
		{name: "interface", field: "Interface", restart: true, value: func(c *Config) any { return c.Interface }},
		{name: "addresses", field: "Addresses", value: func(c *Config) any { return c.Addresses }},
		{name: "listen", field: "Listen", restart: true, value: func(c *Config) any { return c.Listen }},
		{name: "endpoints", field: "ReachedAt", value: func(c *Config) any { return c.ReachedAt },
			usual: func(c *Config) bool { return len(c.ReachedAt) == 0 }},
		{name: "mtu", field: "MTU", restart: true, value: func(c *Config) any { return c.MTU }},
		{name: "carriers", field: "Carriers", restart: true, value: func(c *Config) any { return c.Carriers }},
		{name: "discovery", field: "Discovery", restart: true, value: func(c *Config) any { return c.Discovery }},
		{name: "metrics", field: "Metrics", restart: true, value: func(c *Config) any { return c.Metrics }},
		{name: "session", field: "Session", restart: true, block: true, value: func(c *Config) any { return c.Session }},
		{name: "mark", field: "Mark", restart: true, value: func(c *Config) any { return c.Mark },
			usual: func(c *Config) bool { return c.Mark == DefaultMark() }},
		{name: "port_mapping", field: "PortMapping", value: func(c *Config) any { return c.PortMapping },
			usual: func(c *Config) bool { return !c.PortMapping }},
		{name: "spray", field: "Spray", value: func(c *Config) any { return c.Spray },
			usual: func(c *Config) bool { return !c.Spray }},
		{name: "dns", field: "DNS", restart: true, value: func(c *Config) any { return c.DNS },
			usual: func(c *Config) bool { return c.DNS == DNSAuto }},
		{name: "routes", field: "Routes", block: true, value: func(c *Config) any { return c.Routes },
			usual: func(c *Config) bool { return len(c.Routes) == 0 }},
		{name: "only", field: "Only", block: true, value: func(c *Config) any { return c.Only.means() },
			usual: func(c *Config) bool { return len(c.Only) == 0 }},
		{name: "networks", field: "Networks", block: true, value: func(c *Config) any { return c.Networks },
			usual: func(c *Config) bool { return len(c.Networks) == 0 }},
		{name: "relay", field: "Relay", value: func(c *Config) any { return c.Relay },
			usual: func(c *Config) bool { return c.Relay == relay.Off }},
		{name: "relay_rate", field: "RelayRate", value: func(c *Config) any { return c.RelayRate },
			usual: func(c *Config) bool { return c.RelayRate == 0 }},
		{name: "relay_total", field: "RelayTotal", value: func(c *Config) any { return c.RelayTotal },
			usual: func(c *Config) bool { return c.RelayTotal == 0 }},
	}
}

// topKeys are the keys of the top level, for a sentence.
func topKeys() string {
	var names []string
	for _, k := range keys() {
		if !k.block {
			names = append(names, k.name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
