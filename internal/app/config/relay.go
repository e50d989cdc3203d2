package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// Defaults and bounds of relay_rate and relay_total, bytes a second.
const (
	DefaultRelayRate  = 100_000_000 / 8
	DefaultRelayTotal = 1_000_000_000 / 8
	MinRate           = 64_000 / 8
	MaxRate           = 1_000_000_000_000 / 8
)

// setRelay reads a key about what this node does for peers that cannot reach each
// other.
func (r *reader) setRelay(c *Config, e entry) (err error) {
	switch e.key {
	case "relay":
		var s string
		if s, err = r.str("", e); err == nil {
			c.Relay, err = parseRelay(s)
			err = r.wrap("", e, err)
		}
	case "relay_rate":
		c.RelayRate, err = r.rate("", e)
	case "relay_total":
		c.RelayTotal, err = r.rate("", e)
	}
	return err
}

// parseRelay reads for whom a node is a hub.
func parseRelay(s string) (relay.Mode, error) {
	for _, m := range []relay.Mode{relay.Off, relay.Peers, relay.Network} {
		if m.String() == s {
			return m, nil
		}
	}
	return relay.Off, fmt.Errorf("%q is none of off, peers (peers of this config may meet through this node) and network (members of its networks too)", s)
}

// rateUnits are what may follow the number of a rate, in bits a second.
func rateUnits() []unit {
	return []unit{{"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}}
}

type unit struct {
	name string
	bits float64
}

// rate reads bytes a second: "100Mbit/s", or a whole number of bytes.
func (r *reader) rate(table string, e entry) (int64, error) {
	if e.val.kind == unstable.Integer {
		return r.integer(table, e, MinRate, MaxRate)
	}
	const form = `must be a rate in quotes, such as "500kbit/s", "100Mbit/s" or "1Gbit/s", or a whole number of bytes a second`
	if e.val.kind != unstable.String {
		return 0, r.bad(table, e, form)
	}
	for _, u := range rateUnits() {
		number, found := strings.CutSuffix(e.val.text, u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSuffix(number, " "), 64)
		switch bytes := n * u.bits / 8; {
		case err != nil || n != n:
			return 0, r.bad(table, e, form)
		case bytes < MinRate || bytes > MaxRate:
			return 0, r.bad(table, e, "%s is out of bounds: it must be between %s and %s", e.val.text, Rate(MinRate), Rate(MaxRate))
		default:
			return int64(bytes), nil
		}
	}
	return 0, r.bad(table, e, form)
}

// Rate writes bytes a second as files have it: 100Mbit/s.
func Rate(bytes int64) string {
	units := rateUnits()
	for i := len(units) - 1; i > 0; i-- {
		if n := float64(bytes) * 8 / units[i].bits; n >= 1 {
			return strconv.FormatFloat(n, 'g', 4, 64) + units[i].name
		}
	}
	return strconv.FormatFloat(float64(bytes)*8/units[0].bits, 'g', 4, 64) + units[0].name
}

// checkRelay refuses rates of which one source alone would exceed all together.
func (r *reader) checkRelay(c *Config, t *table) error {
	if c.RelayRate == 0 || c.RelayTotal == 0 || c.RelayRate <= c.RelayTotal {
		return nil
	}
	for _, e := range t.entries {
		if e.key == "relay_rate" {
			return r.bad("", e, "%s for one peer is more than the relay_total of %s for all together", Rate(c.RelayRate), Rate(c.RelayTotal))
		}
	}
	return nil
}
