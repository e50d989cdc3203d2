package screen

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

// narrow is the width below which peers are laid out in lines, not in a table.
const narrow = 60

// Status lays a node out in lines of at most width columns: the node, a table of
// its peers, queued and dropped packets, then findings and what to do. On a narrow
// screen each peer has lines of its own. Each line ends with a newline.
func Status(s *control.Status, width int, p Paint) string {
	lines := flow(width, "", "  ", "  ", p.Bold(s.Interface), s.DID)
	lines = append(lines, flow(width, "  ", "  ", ", ", append(V4First(s.Addresses), "listening on "+s.Listen, portMapping(&s.Mapping), sprays(s.Spray), relaying(s), nameWays(&s.Names), Networks(s))...)...)
	if len(s.Peers) > 0 {
		lines = append(lines, "")
	}
	if width < narrow {
		for i := range s.Peers {
			lines = append(lines, peer(&s.Peers[i], width, p)...)
		}
	} else {
		lines = append(lines, peers(s.Peers, width, p)...)
	}
	lines = append(lines, findings(s.Health, width, p)...)
	return strings.Join(lines, "\n") + "\n"
}

// portMapping says that the node asks routers, and what they give; nothing if it does
// not.
func portMapping(m *control.PortMapping) string {
	var given []string
	for _, r := range m.Held() {
		given = append(given, r.External+" ("+r.Protocol+")")
	}
	switch {
	case given != nil:
		return "port mapping " + strings.Join(given, " and ")
	case m.Enabled:
		return "no port mapping yet"
	}
	return ""
}

// sprays says that a node takes part in sprays; nothing while it does not.
func sprays(on bool) string {
	if on {
		return "spray on"
	}
	return ""
}

// relaying says that a node forwards for others; nothing while it does not.
func relaying(s *control.Status) string {
	r := &s.Relaying
	if r.Mode == "" || r.Mode == "off" {
		return ""
	}
	return fmt.Sprintf("relay %s (%s, %s forwarded)", r.Mode, Count(uint64(r.Circuits), "circuit"), humanize.IBytes(r.TxBytes))
}

// Networks says what this node is in each of its networks.
func Networks(s *control.Status) string {
	var all []string
	for _, n := range s.Networks {
		line := fmt.Sprintf("network %s (%s of %d", n.Name, n.Role, n.Members)
		if len(n.Findings) > 0 {
			line += fmt.Sprintf(", %d to look at: status --json", len(n.Findings))
		}
		all = append(all, line+")")
	}
	return strings.Join(all, ", ")
}

// nameWays says by what other programs of the host know the names of peers; nothing where
// that is not wanted, and for an older node.
func nameWays(n *control.Names) string {
	switch {
	case n.By == control.NamesByResolved:
		return "names by systemd-resolved"
	case n.By == control.NamesByHosts:
		return "names by /etc/hosts"
	case n.Mode == "" || n.Mode == "off" || n.Apart:
		return ""
	}
	return "names not known on this host"
}

// V4First puts IPv4 first: what people type.
func V4First(addresses []string) []string {
	out := slices.Clone(addresses)
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Compare(strings.Count(a, ":"), 0) - cmp.Compare(strings.Count(b, ":"), 0)
	})
	return out
}

func peer(s *control.Peer, width int, p Paint) []string {
	lines := flow(width, "", "  ", "  ", p.Bold(cmp.Or(s.Name, s.DID)), Address(s), p.State(s.State, State(s)), via(s), Endpoint(s))
	lines = append(lines, flow(width, "  ", "  ", ", ", vitals(s)...)...)
	return append(lines, flow(width, "  ", "  ", "; ", notes(s, p)...)...)
}

// notes are queued packets, messages without an acknowledgement, and dropped packets.
func notes(s *control.Peer, p Paint) []string {
	var packets, messages string
	if s.Queued > 0 {
		packets = p.Warn(Count(s.Queued, "packet") + " waiting for a path")
	}
	if s.Messages > 0 {
		messages = Count(s.Messages, "message") + " not acknowledged yet"
	}
	return []string{packets, messages, notDirect(s), Drops(s.Dropped)}
}

// Address is the overlay address to reach a peer at, IPv4 if it has one.
func Address(s *control.Peer) string {
	if len(s.Addresses) == 0 {
		return ""
	}
	return s.Addresses[0]
}

// State is a session's state for people: "connecting (last error: timeout)".
func State(s *control.Peer) string {
	text, reason := Word(s), strings.ReplaceAll(s.Reason, "_", " ")
	switch {
	case reason == "", health.Asleep(s):
		return text
	case s.State == "failed":
		return text + " (" + reason + ")"
	}
	return text + " (last error: " + reason + ")"
}

// Word is the one word for how a session is: its state, or that it sleeps.
func Word(s *control.Peer) string {
	if health.Asleep(s) {
		return s.Reason
	}
	return StateName(s.State)
}

// StateName is the word for a state.
func StateName(state string) string {
	if state == "handshake_initiated" || state == "handshake_received" {
		return "connecting"
	}
	return state
}

// Transport is the one word for how packets travel, of link and carrier.
func Transport(over, carrier string) string {
	for _, name := range []string{carrier, over} {
		if k, err := link.ParseKind(name); err == nil {
			return k.Shown
		}
	}
	return cmp.Or(carrier, over) // that of a newer node
}

// via is the transport, and what is preferred if that is another.
func via(s *control.Peer) string {
	text := Way(s)
	if s.Prefer != "" && s.Prefer != s.Carrier {
		text = strings.TrimSpace(text + " (prefers " + Transport("", s.Prefer) + ")")
	}
	return text
}

// Endpoint is where a peer is reached. The zone of an address is an interface's
// number in the kernel's answers; people know it by its name.
func Endpoint(s *control.Peer) string { return named(s.Endpoint, interfaceName) }

func named(endpoint string, name func(index int) string) string {
	open, rest, ok := strings.Cut(endpoint, "%")
	if !ok {
		return endpoint
	}
	zone, end, _ := strings.Cut(rest, "]")
	if n, err := strconv.Atoi(zone); err == nil && name(n) != "" {
		return open + "%" + name(n) + "]" + end
	}
	return endpoint
}

func interfaceName(index int) string {
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return ""
	}
	return i.Name
}

// vitals are the numbers of a session that is or was up.
func vitals(s *control.Peer) (parts []string) {
	if t := RTT(s.RTTMS); t != "" && s.Carrier != "" {
		parts = append(parts, "rtt "+t)
	}
	if s.RxBytes+s.TxBytes > 0 {
		parts = append(parts, "in "+Rate(s.RxRate), "out "+Rate(s.TxRate),
			fmt.Sprintf("total %s in, %s out", humanize.IBytes(s.RxBytes), humanize.IBytes(s.TxBytes)))
	}
	if s.MTU > 0 {
		parts = append(parts, fmt.Sprintf("mtu %d", s.MTU))
	}
	if s.Handshakes > 0 {
		parts = append(parts, "handshake "+health.Age(time.Duration(s.HandshakeAgeMS)*time.Millisecond)+" ago")
	}
	if s.Epoch > 0 {
		parts = append(parts, fmt.Sprintf("epoch %d for %s", s.Epoch, health.Age(time.Duration(s.EpochAgeMS)*time.Millisecond)))
	}
	return parts
}

// Drops is "dropped 2 replayed, 1 bad_source", or nothing.
func Drops(m map[string]uint64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[reason], reason))
	}
	if parts == nil {
		return ""
	}
	return "dropped " + strings.Join(parts, ", ")
}

func findings(all []control.Finding, width int, p Paint) (lines []string) {
	if len(all) == 0 {
		return nil
	}
	return append([]string{"", p.Bold("health")}, Findings(all, width, p)...)
}

// Health is what is wrong, under a heading; nothing if all is well.
func Health(all []control.Finding, width int, p Paint) string {
	if len(all) == 0 {
		return ""
	}
	return strings.Join(findings(all, width, p), "\n") + "\n"
}

// Findings lays findings out, those of one kind about several peers as one.
func Findings(all []control.Finding, width int, p Paint) (lines []string) {
	for _, f := range health.Group(all) {
		lines = append(lines, Finding(f, width, p)...)
	}
	return lines
}

// Finding is a finding in words that are broken at width: code and what is wrong,
// what to do, and the commands for it on lines of their own, to be copied.
func Finding(f control.Finding, width int, p Paint) []string {
	what := f.What
	if f.About != "" {
		what = f.About + ": " + what
	}
	words := append([]string{p.Level(f.Level, f.Code) + " " + f.Level + ":"}, strings.Fields(what)...)
	lines := flow(width, "  ", "    ", " ", words...)
	if f.Do != "" {
		lines = append(lines, flow(width, "    -> ", "       ", " ", strings.Fields(f.Do)...)...)
	}
	for _, c := range f.Run {
		lines = append(lines, "       "+p.Bold(c))
	}
	for _, c := range f.RunThere {
		lines = append(lines, "       on the peer: "+p.Bold(c))
	}
	return lines
}
