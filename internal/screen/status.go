package screen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/libertaria-project/l2tun/internal/control"
	"github.com/libertaria-project/l2tun/internal/health"
)

// Status lays a node out in lines of at most width columns: the node, two lines
// for each peer and a third where something waits or was lost, then what is
// wrong and what to do. Each line ends with a newline.
func Status(s *control.Status, width int, p Paint) string {
	lines := flow(width, "", "  ", "  ", p.Bold(s.Interface), s.DID)
	lines = append(lines, flow(width, "  ", "  ", ", ", append(slices.Clone(s.Addresses), "listening on "+s.Listen)...)...)
	if len(s.Peers) > 0 {
		lines = append(lines, "")
	}
	for i := range s.Peers {
		lines = append(lines, peer(&s.Peers[i], width, p)...)
	}
	lines = append(lines, findings(s.Health, width, p)...)
	return strings.Join(lines, "\n") + "\n"
}

func peer(s *control.Peer, width int, p Paint) []string {
	lines := flow(width, "", "  ", "  ", p.Bold(cmp.Or(s.Name, s.DID)), state(s, p), via(s), s.Endpoint)
	lines = append(lines, flow(width, "  ", "  ", ", ", vitals(s)...)...)
	var waits string
	if s.Queued > 0 {
		waits = p.Warn(Count(s.Queued, "packet") + " waiting for a path")
	}
	return append(lines, flow(width, "  ", "  ", "; ", waits, Drops(s.Dropped))...)
}

func state(s *control.Peer, p Paint) string {
	text := s.State
	if s.Reason != "" {
		text += " (" + s.Reason + ")"
	}
	return p.State(s.State, text)
}

// via is link and carrier, and what is preferred if that is another.
func via(s *control.Peer) string {
	text := s.Link
	if s.Carrier != s.Link && s.Carrier != "" {
		text += ", " + s.Carrier
	}
	if s.Prefer != "" && s.Prefer != s.Carrier {
		text += " (prefers " + s.Prefer + ")"
	}
	return text
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
	lines = []string{"", p.Bold("health")}
	for _, f := range all {
		lines = append(lines, Finding(f, width, p)...)
	}
	return lines
}

// Finding is a finding in words that are broken at width: code and what is wrong,
// then what to do.
func Finding(f control.Finding, width int, p Paint) []string {
	head := p.Level(f.Level, f.Code) + " " + f.Level + ":"
	words := append([]string{head}, strings.Fields(strings.TrimSpace(f.About+" "+f.What))...)
	lines := flow(width, "  ", "    ", " ", words...)
	if f.Do != "" {
		lines = append(lines, flow(width, "    -> ", "       ", " ", strings.Fields(f.Do)...)...)
	}
	return lines
}
