package config

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
)

// Parse checks a config text; file names it in errors. The first thing that is
// wrong is returned, as an *Error.
func Parse(file string, data []byte) (*Config, error) {
	doc, err := scan(file, data)
	if err != nil {
		return nil, err
	}
	c := &Config{Path: file, MTU: DefaultMTU, Listen: netip.MustParseAddrPort(DefaultListen),
		Discovery: []Method{Multicast, Broadcast}, Mark: DefaultMark(), DNS: DNSAuto}
	r := newReader(file)
	for _, e := range doc.top.entries {
		if err := c.setTop(r, e); err != nil {
			return nil, err
		}
	}
	if err := r.checkRelay(c, doc.top); err != nil {
		return nil, err
	}
	if err := readSession(&c.Session, r, doc.sess); err != nil {
		return nil, err
	}
	rs, err := readRoutes(r, doc.routes)
	if err == nil {
		c.Networks, err = readNetworks(r, doc.nets)
	}
	if err != nil {
		return nil, err
	}
	c.Routes = rs.prefixes
	c.Peers = make([]Peer, 0, len(doc.peers))
	for _, t := range doc.peers {
		p, err := readPeer(r, t, c.Session)
		if err != nil {
			return nil, err
		}
		c.Peers = append(c.Peers, p)
	}
	if c.Only, err = readLimits(r, doc.only); err != nil {
		return nil, err
	}
	fillWindow(&c.Session)
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.checkRoutes(rs.at); err != nil {
		return nil, err
	}
	return c, c.nameInterface()
}

// readSession reads [session].
func readSession(s *Settings, r *reader, t *table) error {
	if err := apply(s, r, t); err != nil {
		return err
	}
	for _, e := range t.entries {
		if r.settings[e.key] == nil {
			return r.unknown("session", e)
		}
	}
	return nil
}

// nameInterface gives the interface the file's name where no other is given.
func (c *Config) nameInterface() error {
	if c.Interface != "" {
		return nil
	}
	c.Interface = Named(c.Path)
	if err := CheckInterface(c.Interface); err != nil {
		return &Error{File: c.Path, Key: "interface", Msg: "without this key the interface has the file's name, but " + err.Error()}
	}
	return nil
}

// setTop reads a key of the top of the file.
func (c *Config) setTop(r *reader, e entry) (err error) {
	switch e.key {
	case "interface":
		if c.Interface, err = r.str("", e); err == nil {
			err = r.wrap("", e, CheckInterface(c.Interface))
		}
	case "addresses":
		var list []item[netip.Prefix]
		list, err = items(r, "", e, parseAddress)
		c.Addresses = values(list)
	case "listen":
		c.Listen, err = parsed(r, e, parseListen)
	case "endpoints":
		c.ReachedAt, err = r.ownEndpoints(e)
	case "carriers":
		var list []item[*link.Kind]
		if list, err = items(r, "", e, link.Choose); err == nil && len(list) == 0 {
			err = r.bad("", e, "at least one of %s is needed; leave the key out for all", link.Listed())
		}
		c.Carriers = values(list)
	case "discovery":
		var list []item[Method]
		list, err = items(r, "", e, parseMethod)
		c.Discovery = values(list)
	case "metrics":
		c.Metrics, err = parsed(r, e, parseMetrics)
	case "mark":
		c.Mark, err = parsed(r, e, parseMark)
	case "relay", "relay_rate", "relay_total":
		err = r.setRelay(c, e)
	case "port_mapping":
		c.PortMapping, err = r.boolean("", e)
	case "spray":
		c.Spray, err = r.boolean("", e)
	case "dns":
		c.DNS, err = parsed(r, e, parseDNS)
	case "mtu":
		var n int64
		n, err = r.integer("", e, MinMTU, MaxMTU)
		c.MTU = int(n)
	default:
		err = r.unknown("", e)
	}
	return err
}

// readPeer reads one [[peer]]; global is what [session] says.
func readPeer(r *reader, t *table, global Settings) (Peer, error) {
	p, own := Peer{Line: t.at.line, at: new(places)}, global
	if err := apply(&own, r, t); err != nil {
		return p, err
	}
	for _, e := range t.entries {
		if r.settings[e.key] != nil {
			continue
		}
		if err := p.set(r, e); err != nil {
			return p, err
		}
	}
	if p.DID.IsZero() {
		return p, newError(r.file, t.at, "peer", "has no did")
	}
	fillWindow(&own)
	p.Session = r.share(own)
	p.allowOwn()
	return p, nil
}

func (p *Peer) set(r *reader, e entry) error {
	switch e.key {
	case "did":
		return p.setDID(r, e)
	case "name":
		return p.setName(r, e)
	case "endpoints":
		list, err := items(r, "peer", e, parseEndpoint)
		p.Endpoints, p.at.endpoints = values(list), placesOf(list)
		return err
	case "allowed_ips":
		list, err := items(r, "peer", e, parsePrefix)
		p.AllowedIPs, p.at.prefixes = values(list), placesOf(list)
		return err
	case "assigned":
		s, err := r.str("peer", e)
		if err == nil {
			p.Assigned, err = parseAddress(s)
			err = r.wrap("peer", e, err)
		}
		return err
	case "hub":
		hub, err := r.boolean("peer", e)
		p.Hub = hub
		return err
	case "keep":
		keep, err := r.boolean("peer", e)
		p.Keep = keep
		return err
	case "invites":
		invites, err := r.boolean("peer", e)
		p.Invites, p.at.invites = invites, e.val.at
		return err
	}
	return r.unknown("peer", e)
}

func (p *Peer) setDID(r *reader, e entry) error {
	s, err := r.str("peer", e)
	if err != nil {
		return err
	}
	p.at.did = e.val.at
	p.DID, err = did.Parse(s)
	if err == nil && p.DID.IsZero() {
		err = did.ErrSyntax
	}
	return r.wrap("peer", e, err)
}

func (p *Peer) setName(r *reader, e entry) error {
	s, err := r.str("peer", e)
	if err != nil {
		return err
	}
	p.Name, p.at.name = s, e.val.at
	return r.wrap("peer", e, checkName(s))
}

// allowOwn adds the DID's own address, which is the peer's without being listed.
func (p *Peer) allowOwn() {
	own := netip.PrefixFrom(p.DID.Addr(), 128)
	for _, have := range p.AllowedIPs {
		if have == own {
			return
		}
	}
	p.AllowedIPs = append(p.AllowedIPs, own)
	p.at.prefixes = append(p.at.prefixes, p.at.did)
}
