package health

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// misrouted says which packets were dropped for their addresses, and why.
func misrouted(s *control.Status) (all []control.Finding) {
	for i := range s.Misrouted {
		m := &s.Misrouted[i]
		f := control.Finding{Level: control.LevelWarning, About: calledByDID(s, m.Peer)}
		switch m.Reason {
		case "no_route":
			f.Code, f.What = NoRoute, fmt.Sprintf("%s to %s: no peer has that address; the sender got an ICMP host unreachable", packets(m.Packets), m.Address)
			f.Do = fmt.Sprintf("if %s is a peer's, or behind one, that peer's allowed_ips must hold it; if it is a host that has not joined, join it here or at the hub", m.Address)
		case "bad_source":
			f.Code, f.What = BadSource, fmt.Sprintf("sends from %s, which is not its address: it belongs to %s; %s dropped", m.Address, cmp.Or(m.Owner, "nobody here"), packets(m.Packets))
			f.Do = fmt.Sprintf("correct addresses in the peer's config; or, if %s is the peer's, add it to the peer's allowed_ips here", m.Address)
		case "bad_destination":
			f.Code, f.What = BadDestination, fmt.Sprintf("sends to %s, which is not this node's and which this node does not route%s; %s dropped", m.Address, ownedBy(m), packets(m.Packets))
			f.Do = fmt.Sprintf("if peers are to reach %s through this node, add a [[route]] block with its network as prefix, then l2tun reload", m.Address)
			if network := own(s, m.Address); network != "" && m.Owner == "" { // a [[route]] would send it back into the tunnel
				f.What = fmt.Sprintf("sends to %s, which no peer has; it is in this node's overlay network %s; %s dropped", m.Address, network, packets(m.Packets))
				f.Do = fmt.Sprintf("if %s is a peer's, add it to that peer's allowed_ips; if it is a host that has not joined, invite it", m.Address)
			}
		default:
			continue
		}
		all = append(all, f)
	}
	return all
}

// filtered says what peers have sent that no line lets pass: the newest of each.
func filtered(s *control.Status) (all []control.Finding) {
	seen := make(map[string]bool)
	for i := range s.Filtered {
		f := &s.Filtered[i]
		p := byDID(s, f.Peer)
		if p == nil || seen[f.Peer] {
			continue
		}
		seen[f.Peer] = true
		reason := strings.ReplaceAll(strings.TrimPrefix(f.Reason, "filter_"), "_", " ")
		finding := control.Finding{Code: Filtered, Level: control.LevelNote, About: Called(p),
			What: fmt.Sprintf("%s of it dropped, since it may send only what some line lets pass; the last: %s to %s (%s)", packets(filterDrops(p)), f.Traffic, f.Address, reason)}
		if f.Reason == "filter_not_granted" {
			finding.Do = "if it is to reach that, add it to an [[only]] block about the peer, or to a grant of the network; this says which line decides:"
			finding.Run = []string{"l2tun why " + who(p) + " " + f.Traffic + " --to " + f.Address + Flag(s)}
		}
		all = append(all, finding)
	}
	return all
}

// filterDrops is how many packets of a peer the filter has dropped.
func filterDrops(p *control.Peer) (n uint64) {
	for reason, dropped := range p.Dropped {
		if strings.HasPrefix(reason, "filter_") {
			n += dropped
		}
	}
	return n
}

// own is the overlay network of this node that holds an address; "" for none.
func own(s *control.Status, address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	for _, text := range s.Addresses {
		if p, err := netip.ParsePrefix(text); err == nil && p.Contains(a) {
			return p.Masked().String()
		}
	}
	return ""
}

func ownedBy(m *control.Misrouted) string {
	if m.Owner == "" {
		return ""
	}
	return " (it belongs to " + m.Owner + ")"
}

func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}

// calledByDID is what people call the peer with a DID; "" for none.
func calledByDID(s *control.Status, did string) string {
	if p := byDID(s, did); p != nil {
		return Called(p)
	}
	return ""
}

// byDID is the peer with a DID; nil for none.
func byDID(s *control.Status, did string) *control.Peer {
	for i := range s.Peers {
		if s.Peers[i].DID == did {
			return &s.Peers[i]
		}
	}
	return nil
}

// faults reports defects from which the node has recovered.
func faults(s *control.Status) (all []control.Finding) {
	fault := func(n uint64, about string) {
		if n > 0 {
			all = append(all, control.Finding{Code: Fault, Level: control.LevelError, About: about,
				What: fmt.Sprintf("l2tun met a defect of its own %s in handling what was received; the sender was cut off, and the node goes on", times(n)),
				Do:   "send l2tun bugreport and the node's log, which has the place"})
		}
	}
	fault(s.Faults, "")
	for i := range s.Peers {
		fault(s.Peers[i].Dropped["fault"], Called(&s.Peers[i]))
	}
	return all
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
