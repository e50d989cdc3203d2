package screen

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

// Way is how packets travel to a peer, for people: the transport, or "through nas".
func Way(s *control.Peer) string { return way(s.Through, s.ThroughName, s.Link, s.Carrier) }

// PongWay is Way for the answer to a ping.
func PongWay(p *control.Pong) string { return way(p.Through, p.ThroughName, p.Link, p.Carrier) }

// EventWay is Way for a change of the path in use.
func EventWay(e *control.Event) string { return way(e.Through, e.ThroughName, e.Link, e.Carrier) }

func way(did, name, over, carrier string) string {
	if did == "" {
		return Transport(over, carrier)
	}
	return "through " + health.Called(&control.Peer{DID: did, Name: name})
}

// notDirect is a note about a direct path that is on its way.
func notDirect(s *control.Peer) string {
	word := health.OnItsWay(s)
	if word == "" {
		return ""
	}
	return "direct path: " + word
}

// Netcheck lays out how a node can be reached, in lines of at most width columns.
func Netcheck(n *control.Netcheck, width int, p Paint) string {
	var lines []string
	add := func(name string, parts ...string) {
		if name != "" {
			name += ":"
		}
		words := append([]string{p.Bold(Pad(name, 12))}, strings.Fields(strings.Join(parts, ""))...)
		if len(words) > 1 {
			lines = append(lines, flow(width, "", strings.Repeat(" ", 13), " ", words...)...)
		}
	}
	add("NAT", natText(n.NAT))
	for _, w := range n.Witnesses {
		add("", fmt.Sprintf("%s sees %s as %s", health.Called(&control.Peer{DID: w.DID, Name: w.Name}), w.Local, w.SeenAs))
	}
	add("IPv6", map[string]string{control.IPv6Works: "works", control.IPv6Untested: "there is an address; no session goes by it at present", control.IPv6None: "none"}[n.IPv6])
	if m := portMapping(&n.Mapping); m != "" {
		add("mapping", strings.TrimPrefix(m, "port mapping "))
	}
	for i, c := range n.Candidates {
		name := ""
		if i == 0 {
			name = "candidates"
		}
		add(name, c.Endpoint, " (", c.Kind, ")")
	}
	for i := range n.Hubs {
		add("hub", hubText(&n.Hubs[i], p))
	}
	if n.Relay != "off" {
		add("relay", "this node is a hub: ", n.Relay)
	}
	add("expect", n.Expect)
	return strings.Join(lines, "\n") + "\n"
}

func hubText(h *control.HubState, p Paint) string {
	name := health.Called(&control.Peer{DID: h.DID, Name: h.Name})
	if !h.Up {
		return name + ", " + p.Warn("no session")
	}
	if t := RTT(h.RTTMS); t != "" {
		return name + ", round trip " + t
	}
	return name
}

// natText is a kind of NAT for people.
func natText(word string) string {
	return map[string]string{
		"none":                 "none: peers see this host's own address",
		"endpoint_independent": "endpoint-independent mapping: every peer sees the same address and port",
		"endpoint_dependent":   "endpoint-dependent mapping (symmetric): each peer sees another port",
		"unknown":              "unknown: fewer than two peers on the Internet have told where they see this node",
	}[cmp.Or(word, "unknown")]
}
