package health

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Of is what a node's status alone shows: of the host, then peer by peer.
func Of(s *control.Status) (all []control.Finding) {
	all = append(append(host(s), nameFindings(s)...), mapping(s)...)
	n := lookAt(s)
	for i := range s.Peers {
		p := &s.Peers[i]
		if f, ok := n.session(p); ok {
			f.About = Called(p)
			all = append(all, f)
		}
		if f, ok := drops(s, p); ok {
			f.About = Called(p)
			all = append(all, f)
		}
		all = append(all, trouble(p)...)
		if f, ok := indirect(s, p, false); ok {
			all = append(all, f)
		}
	}
	return slices.Concat(all, misrouted(s), filtered(s), networkFindings(s), faults(s), outdated(s))
}

// A node is a status with what all its peers together say, found once: there may be
// thousands of them.
type node struct {
	*control.Status
	hubs          []*control.Peer
	public, local string // see Public
}

func lookAt(s *control.Status) *node {
	n := &node{Status: s}
	n.public, n.local = Public(s)
	for i := range s.Peers {
		if s.Peers[i].Hub {
			n.hubs = append(n.hubs, &s.Peers[i])
		}
	}
	return n
}

// Called is what people call a peer: its name, or the end of its DID.
func Called(p *control.Peer) string {
	if p.Name != "" || len(p.DID) < 24 {
		return cmp.Or(p.Name, p.DID)
	}
	return "…" + p.DID[len(p.DID)-8:]
}

// Flag is how a command is given the node of a status: nothing for the usual one.
func Flag(s *control.Status) string {
	switch {
	case s.Socket != "" && s.Socket != control.SocketPath(s.Interface):
		return " --socket " + s.Socket
	case s.Interface == "" || s.Interface == "l2tun0":
		return ""
	}
	return " -i " + s.Interface
}

// who names a peer to a command. A name comes from the author of an invitation, and
// people run what they read here as root: it is used only if no shell makes anything
// of it.
func who(p *control.Peer) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	if p.Name == "" || p.Name[0] == '-' || strings.TrimFunc(p.Name, plain) != "" {
		return p.DID
	}
	return p.Name
}

// session judges a session by its state and the reason of its last failure.
func (n *node) session(p *control.Peer) (control.Finding, bool) {
	switch p.State {
	case "established", "rotating":
		return control.Finding{}, false
	case "degraded", "suspended":
		return outage(n.Status, p), true
	}
	if Asleep(p) {
		return control.Finding{}, false
	}
	if hub := n.hubFor(p); hub != nil && p.Endpoint == "" && p.Reason != "refused" && p.Reason != "version" {
		return n.ofMember(p, unmet(hub, Flag(n.Status))), true
	}
	if p.Reason == "transport_error" && len(p.Trouble.Obstacles) > 0 {
		return control.Finding{}, false // see trouble
	}
	if p.Reason == "" && p.Endpoint == "" && p.Handshakes == 0 {
		return n.ofMember(p, n.waiting()), true
	}
	f, ok := failures(n.Status, p)[p.Reason]
	return n.ofMember(p, f), ok
}

// Asleep reports whether the session with a peer sleeps: nothing is wrong, and what
// wants to go wakes it.
func Asleep(p *control.Peer) bool { return p.State == "idle" && p.Reason == "asleep" }

// waiting is a peer without an endpoint here that has not connected. The usual
// cause at home is NAT at both ends, which is known when other peers see this
// node elsewhere than it is.
func (n *node) waiting() control.Finding {
	f := control.Finding{Code: Waiting, Level: control.LevelNote, What: "no endpoint of this peer is known here, and it has not connected yet",
		Do: "give the peer a public address of this node (l2tun peer set " + n.DID + " --add-endpoint HOST:PORT there), or this node one of the peer (the same here)"}
	switch {
	case n.public == "":
	case n.public == n.local:
		f.Do = "give the peer the address of this node, or this node that of the peer"
		f.RunThere = []string{"l2tun peer set " + n.DID + " --add-endpoint " + n.public}
	default:
		f.What += "; this node is behind NAT (its public address is " + n.public + ")"
		f.Do = "if the peer can be reached from outside, add its address here; if it is behind NAT too, name a peer that both have and reach as hub, l2tun peer set PEER --hub at both ends, with relay = \"peers\" in its config"
		f.RunThere = []string{"l2tun peer set " + n.DID + " --add-endpoint " + n.public}
	}
	return f
}

// Public is where peers see this node, and its own address on the same path; they
// differ behind NAT. Both are empty while no peer has told. Peers may tell what they
// like: what most of them say counts, of several such the first.
func Public(s *control.Status) (public, local string) {
	told := make(map[string]int)
	for i := range s.Peers {
		p := &s.Peers[i]
		at, err := netip.ParseAddrPort(p.SeenAs)
		if err != nil || p.Local == "" || at.Port() == 0 || at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Addr().IsLinkLocalUnicast() {
			continue
		}
		told[p.SeenAs]++
	}
	for i := range s.Peers {
		if p := &s.Peers[i]; told[p.SeenAs] > told[public] {
			public, local = p.SeenAs, p.Local
		}
	}
	return public, local
}

func outage(s *control.Status, p *control.Peer) control.Finding {
	f := control.Finding{Code: Outage, Level: control.LevelWarning, What: "no answer on any path; packets are queued and the peer is retried automatically",
		Do: "check that the peer runs and that this host is online; doctor tests the path", Run: []string{"l2tun doctor " + who(p) + Flag(s)}}
	if p.Queued > 0 {
		f.What = fmt.Sprintf("no answer on any path; packets are queued (%d) and the peer is retried automatically", p.Queued)
	}
	return f
}

// failures are the finding and the remedy for each failure reason.
func failures(s *control.Status, p *control.Peer) map[string]control.Finding {
	at := cmp.Or(p.Endpoint, "its endpoint")
	broken := control.Finding{Code: Broken, Level: control.LevelWarning, What: "the session ended: " + strings.ReplaceAll(p.Reason, "_", " "),
		Do: "it is retried automatically; if it stays so, compare the versions at both ends and send a bug report", Run: []string{"l2tun bugreport" + Flag(s)}}
	test := []string{"l2tun doctor " + who(p) + Flag(s)}
	return map[string]control.Finding{
		"refused": {Code: Refused, Level: control.LevelError, What: "handshake refused: the peer does not list this node, or has blocked it for 60 s",
			Do:       "if the peer knew this node by another key: l2tun peer set NAME --did " + s.DID + " there, with the name it has for this node; if it never did, add this node",
			RunThere: []string{"l2tun peer add " + s.DID + allowed(s)}},
		"authentication_failed": {Code: NotThePeer, Level: control.LevelError, What: fmt.Sprintf("authentication failed at %s: another node answers there, or the peer has a new key", at),
			Do:       "compare the DID here with the one that the peer prints; if it has a new key: l2tun peer set " + who(p) + " --did DID" + Flag(s) + " here; if another node answers, correct the endpoint",
			RunThere: []string{"l2tun id"}},
		"timeout": {Code: Silent, Level: control.LevelError, What: fmt.Sprintf("no answer at %s", at),
			Do: "check that l2tun runs there and that its firewall allows UDP and TCP to that port; doctor tests which of them passes", Run: test},
		"transport_error": {Code: Silent, Level: control.LevelError, What: fmt.Sprintf("no connection to %s could be made", at),
			Do: "check the endpoint, this host's network and its firewall; doctor tests each", Run: test},
		"version": {Code: Outdated, Level: control.LevelError, What: "runs l2tun 0.1.0, which this version cannot talk to",
			Do: "upgrade l2tun on the peer; there it shows protocol_violation"},
		"protocol_violation":   broken,
		"key_rotation_timeout": broken,
		"session_expired":      broken,
		"fault":                broken,
	}
}

// allowed are this node's own addresses but for the one that its DID gives, as the
// flags of peer add.
func allowed(s *control.Status) (flags string) {
	for i, text := range s.Addresses {
		if p, err := netip.ParsePrefix(text); err == nil && i > 0 {
			flags += " --allowed-ip " + netip.PrefixFrom(p.Addr(), p.Addr().BitLen()).String()
		}
	}
	return flags
}

// worrying are the drops that mean that this end is too slow or too small, with
// what helps.
func worrying() map[string]string {
	return map[string]string{
		"device":  "the system refused packets: look at the counters of the interface",
		"carrier": "the network accepts less than is sent; if it should accept more, raise the send buffer",
		"too_big": "lower mtu in the config to what both ends can carry",
		"limit":   "keys are used up faster than they are replaced: rotate them, and send a bug report if it goes on",
	}
}

// remedy are the commands for a reason of drops.
func remedy(s *control.Status, p *control.Peer, reason string) []string {
	switch reason {
	case "device":
		return []string{"ip -s link show " + s.Interface}
	case "carrier":
		return []string{"sysctl -w net.core.wmem_max=4194304"}
	case "limit":
		return []string{"l2tun rotate " + who(p) + Flag(s), "l2tun bugreport" + Flag(s)}
	}
	return nil
}

// drops judges lost packets: more than one in a thousand of what was sent.
func drops(s *control.Status, p *control.Peer) (control.Finding, bool) {
	for _, reason := range []string{"device", "too_big", "limit", "carrier"} {
		n := p.Dropped[reason]
		if n >= 100 && n*1000 > p.TxPackets+p.RxPackets {
			return control.Finding{Code: Dropping, Level: control.LevelWarning, What: fmt.Sprintf("%d packets lost at this end (%s)", n, reason),
				Do: worrying()[reason], Run: remedy(s, p, reason)}, true
		}
	}
	return control.Finding{}, false
}

// Age is a short text for an age: 5s, 3m12s, 2h05m, 3d4h.
func Age(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%dh", s/86400, s/3600%24)
}
