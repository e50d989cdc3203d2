package health

import (
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// A cause is why a path is not direct, for people.
type cause struct {
	code, level string
	what, do    string
	passing     bool // a matter of seconds, or what the config says: doctor tells it, status does not
}

// causes are by the word of Peer.WhyNotDirect. A peer without a session has findings
// of its own (session), and no word is missing: a test compares them with those of
// the machine.
func causes() map[string]cause {
	return map[string]cause{
		"not_allowed": {code: NotAllowed, level: control.LevelNote, passing: true,
			what: "carriers in the config leaves direct out", do: "nothing if that is meant; else add direct to carriers, and restart the node"},
		"preferred": {code: Preferred, level: control.LevelNote, passing: true,
			what: "this carrier was preferred by hand", do: "l2tun prefer PEER auto takes the best again"},
		"no_udp": {code: NoUDP, level: control.LevelWarning,
			what: "no UDP leaves this network", do: "allow UDP to any port outwards in the firewall here; until then packets travel by TCP"},
		"hold_down": {code: HoldDown, level: control.LevelNote, passing: true,
			what: "the direct path failed a short time ago and answers again; it is used once it has answered for long enough", do: "nothing; if it comes back again and again, the network loses packets there"},
		"sizes": {code: SmallPath, level: control.LevelWarning,
			what: "the direct path answers small datagrams and loses large ones", do: "raise the MTU of the narrow link, which tracepath shows, and let ICMP fragmentation-needed pass"},
		"probing": {code: Meeting, level: control.LevelNote, passing: true,
			what: "a direct path is being tried", do: "nothing; it takes seconds"},
		"meeting": {code: Meeting, level: control.LevelNote, passing: true,
			what: "both ends are opening their NATs", do: "nothing; it takes seconds"},
		"not_at_hub": {code: NotAtHub, level: control.LevelWarning,
			what: "no hub brings an answer of the peer: it has no session with a hub of this node, or does not list this node",
			do:   "check that the peer runs, has the same hub (l2tun peer set HUB --hub there) and lists this node; at the hub, that relay is on and both are its peers"},
		"no_hub": {code: NoHub, level: control.LevelNote,
			what: "the peer does not answer directly, and no hub is known that could help",
			do:   "let UDP in at one of the two ends (l2tun doctor tests it), or name a peer that both have as hub: l2tun peer set PEER --hub at both, relay = \"peers\" in its config"},
		"symmetric_nat": {code: SymmetricNAT, level: control.LevelNote,
			what: "the NAT here gives each remote another port, and that of the peer lets in only remotes that it knows",
			do:   "forward a UDP port to this node, or let port_mapping ask the router for one; or set spray = true at both ends; else packets go on through the hub"},
		"waiting": {code: MeetingAgain, level: control.LevelNote, passing: true,
			what: "a meeting failed; the next one waits until the NATs have forgotten it", do: "nothing; it is tried again within 35 s"},
		"blocked": {code: Blocked, level: control.LevelNote,
			what: "several meetings failed: a firewall or NAT at one of the two ends lets none of the other's datagrams in",
			do:   "forward or allow a UDP port at one of the two ends; l2tun netcheck at both shows which NAT each has; until then packets go through the hub"},
	}
}

// indirect judges why the session with a peer has no direct path. With all, also
// what status leaves out.
func indirect(s *control.Status, p *control.Peer, all bool) (control.Finding, bool) {
	if !isUp(p) || p.WhyNotDirect == "" { // most of many peers
		return control.Finding{}, false
	}
	c, known := causes()[p.WhyNotDirect]
	if !known || c.passing && !all {
		return control.Finding{}, false
	}
	f := control.Finding{Code: c.code, Level: c.level, About: Called(p), What: "is not reached directly: " + c.what, Do: c.do}
	if p.Through != "" {
		f.What = fmt.Sprintf("is reached through %s: %s", Called(&control.Peer{DID: p.Through, Name: p.ThroughName}), c.what)
	}
	switch c.code {
	case Preferred:
		f.Do, f.Run = "nothing if that is meant; else take the best again", []string{"l2tun prefer " + who(p) + " auto" + Flag(s)}
	case SmallPath, NoHub, Blocked, NotAtHub:
		f.Run = []string{"l2tun netcheck" + Flag(s)}
	}
	return f, true
}

// Passing are the findings that status leaves out, of peers that are reached through a
// hub: what passes within seconds or is as the config says. Where no hub is in the way
// the same is what every session begins with, and no finding.
func Passing(s *control.Status) (out []control.Finding) {
	for i := range s.Peers {
		if f, ok := indirect(s, &s.Peers[i], true); ok && s.Peers[i].Through != "" && causes()[s.Peers[i].WhyNotDirect].passing {
			out = append(out, f)
		}
	}
	return out
}

// OnItsWay is what is being done about a direct path to a peer, in a few words; ""
// if nothing is, or need be.
func OnItsWay(p *control.Peer) string {
	if p.State != "established" && p.State != "rotating" {
		return ""
	}
	return map[string]string{
		"probing": "being tried", "meeting": "both ends are opening their NATs",
		"waiting": "the next try is due within 35 s", "hold_down": "answers again, used soon",
	}[p.WhyNotDirect]
}

// Why is why a path is not direct, in one sentence; "" for one that is.
func Why(p *control.Peer) string {
	if c, known := causes()[p.WhyNotDirect]; known {
		return c.what
	}
	return strings.ReplaceAll(p.WhyNotDirect, "_", " ") // that of a newer node
}
