package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/fatih/color"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

// A printer writes blocks in the manner of wg show: a coloured head, then
// indented "name: value" lines. Empty values are left out.
type printer struct {
	w                        io.Writer
	green, yellow, red, bold *color.Color
}

func newPrinter(o IO) *printer {
	p := &printer{o.Out, color.New(color.FgGreen), color.New(color.FgYellow), color.New(color.FgRed), color.New(color.Bold)}
	for _, c := range []*color.Color{p.green, p.yellow, p.red, p.bold} {
		if o.Color {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}

func (p *printer) head(name string, c *color.Color, value string) {
	fmt.Fprintf(p.w, "%s: %s\n", c.Sprint(name), c.Sprint(value))
}

func (p *printer) field(name, value string) {
	if value != "" {
		fmt.Fprintf(p.w, "  %s: %s\n", p.bold.Sprint(name), value)
	}
}

func printStatus(p *printer, s *control.Status) {
	p.head("interface", p.green, s.Interface)
	p.field("did", s.DID)
	p.field("addresses", strings.Join(screen.V4First(s.Addresses), ", "))
	p.field("listening on", s.Listen)
	p.field("nat", strings.ReplaceAll(s.NAT, "_", "-"))
	p.field("names", namesLine(&s.Names))
	p.field("relay", relay(&s.Relaying))
	for i := range s.Peers {
		fmt.Fprintln(p.w)
		printPeer(p, &s.Peers[i])
	}
}

func printPeer(p *printer, s *control.Peer) {
	p.head("peer", p.yellow, s.DID)
	p.field("name", s.Name)
	p.field("addresses", strings.Join(s.Addresses, ", "))
	p.field("allowed ips", strings.Join(s.AllowedIPs, ", "))
	p.field("state", p.state(s))
	p.field("endpoint", screen.Endpoint(s)+inbound(s))
	p.field("public address (as seen by peer)", s.SeenAs)
	p.field("transport", transport(s))
	p.field("not direct because", health.Why(s))
	p.field("round trip", screen.RTT(s.RTTMS))
	p.field("mtu", mtu(s))
	if s.Handshakes > 0 {
		p.field("latest handshake", ago(time.Duration(s.HandshakeAgeMS)*time.Millisecond))
		p.field("keys", fmt.Sprintf("%s, epoch %d", cmp.Or(s.Suite, "unknown suite"), s.Epoch))
	}
	if s.RxPackets+s.TxPackets+s.RxBytes+s.TxBytes > 0 {
		p.field("transfer", humanize.IBytes(s.RxBytes)+" received, "+humanize.IBytes(s.TxBytes)+" sent")
	}
	p.field("waiting", waiting(s))
	p.field("may send", limited(s))
	p.field("dropped", drops(s.Dropped))
}

func (p *printer) state(s *control.Peer) string {
	c := p.yellow
	switch screen.Word(s) {
	case "established", "rotating", "asleep":
		c = p.green
	case "failed":
		c = p.red
	}
	name := screen.Word(s)
	return c.Sprint(name) + strings.TrimPrefix(screen.State(s), name)
}

// limited says that not all of a peer's packets pass; nothing for one that may send
// everything.
func limited(s *control.Peer) string {
	if !s.Limited {
		return ""
	}
	return "what some line lets pass (l2tun why)"
}

// inbound says that the remote address is a TCP client's, where nobody listens.
func inbound(s *control.Peer) string {
	if s.Inbound {
		return " (inbound)"
	}
	return ""
}

// transport is "udp-direct (link quic, carrier direct; prefers tcp)" of what there
// is.
func transport(s *control.Peer) string {
	var more []string
	if s.Link != "" {
		more = append(more, "link "+s.Link)
	}
	if s.Carrier != "" {
		more = append(more, "carrier "+s.Carrier)
	}
	text := strings.Join(more, ", ")
	if s.Prefer != "" {
		text = strings.TrimPrefix(text+"; prefers "+screen.Transport("", s.Prefer), "; ")
	}
	if text == "" {
		return ""
	}
	return strings.TrimSpace(screen.Way(s) + " (" + text + ")")
}

// relay is what a node forwards for others; nothing while it is no hub.
func relay(r *control.Relaying) string {
	if r.Mode == "" || r.Mode == "off" {
		return ""
	}
	return fmt.Sprintf("%s: %s, %s received, %s forwarded, %s dropped", r.Mode, count(uint64(r.Circuits), "circuit"),
		humanize.IBytes(r.RxBytes), humanize.IBytes(r.TxBytes), count(r.Dropped, "datagram"))
}

// waiting is "1 packet, 2 messages (1.2 KiB)" of what there is.
func waiting(s *control.Peer) string {
	var parts []string
	if s.Queued > 0 {
		parts = append(parts, count(s.Queued, "packet"))
	}
	if s.Messages > 0 {
		parts = append(parts, count(s.Messages, "message")+" ("+humanize.IBytes(s.MessageBytes)+")")
	}
	return strings.Join(parts, ", ")
}

// mtu is "1420 (max record size 1452 bytes)" of what there is.
func mtu(s *control.Peer) string {
	if s.MTU == 0 || s.Room == 0 {
		return ""
	}
	return fmt.Sprintf("%d (max record size %d bytes)", s.MTU, s.Room)
}

func drops(m map[string]uint64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[reason], reason))
	}
	return strings.Join(parts, ", ")
}

// ago is wg's "1 minute, 12 seconds ago".
func ago(d time.Duration) string {
	s := uint64(d / time.Second)
	var parts []string
	for _, u := range []struct {
		size uint64
		name string
	}{{24 * 60 * 60, "day"}, {60 * 60, "hour"}, {60, "minute"}, {1, "second"}} {
		if n := s / u.size; n > 0 {
			parts = append(parts, count(n, u.name))
			s %= u.size
		}
	}
	if parts == nil {
		return "now"
	}
	return strings.Join(parts, ", ") + " ago"
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// namesLine says by what other programs of the host know the names of peers; nothing for
// an older node.
func namesLine(n *control.Names) string {
	var parts []string
	switch {
	case n.Mode == "":
		return ""
	case n.Mode == "off":
		return "off"
	case n.By == "":
		parts = append(parts, "not known to other programs ("+n.Reason+")")
	case n.By == control.NamesByResolved:
		parts = append(parts, "by systemd-resolved")
	default:
		parts = append(parts, "by /etc/hosts")
	}
	if n.Own != "" {
		parts = append(parts, "this node is "+n.Own+".l2")
	}
	switch {
	case n.Server != "":
		parts = append(parts, "DNS at "+n.Server)
	case n.ServedBy != "":
		parts = append(parts, "DNS by the node of "+n.ServedBy)
	}
	return strings.Join(parts, ", ")
}
