package config

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/routing"
)

// routes is the [[route]] blocks of a file, with their places.
type routes struct {
	prefixes []netip.Prefix
	at       []position
}

// readRoutes reads the [[route]] blocks.
func readRoutes(r *reader, blocks []*table) (rs routes, err error) {
	for _, t := range blocks {
		if err := rs.read(r, t); err != nil {
			return rs, err
		}
	}
	return rs, nil
}

// read reads one [[route]].
func (rs *routes) read(r *reader, t *table) error {
	var found bool
	for _, e := range t.entries {
		if e.key != "prefix" {
			return r.unknown("route", e)
		}
		s, err := r.str("route", e)
		if err != nil {
			return err
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return r.bad("route", e, `%q is no network, such as "192.168.50.0/24"`, s)
		}
		if err := r.wrap("route", e, said(routing.CheckRoute(p))); err != nil {
			return err
		}
		rs.prefixes, rs.at, found = append(rs.prefixes, p), append(rs.at, e.val.at), true
	}
	if !found {
		return newError(r.file, t.at, "route", "has no prefix")
	}
	return nil
}
