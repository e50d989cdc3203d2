package health

import (
	"cmp"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/control"
)

// Of is what a node's status alone shows: of the host, then peer by peer.
func Of(s *control.Status) (all []control.Finding) {
	all = host(s)
	for i := range s.Peers {
		p := &s.Peers[i]
		if f, ok := session(s, p); ok {
			f.About = Called(p)
			all = append(all, f)
		}
		if f, ok := drops(p); ok {
			f.About = Called(p)
			all = append(all, f)
		}
		all = append(all, trouble(p)...)
	}
	return append(append(all, misrouted(s)...), faults(s)...)
}

// Called is what people call a peer: its name, or the end of its DID.
func Called(p *control.Peer) string {
	if p.Name != "" || len(p.DID) < 24 {
		return cmp.Or(p.Name, p.DID)
	}
	return "…" + p.DID[len(p.DID)-8:]
}

// session judges a session by its state and the reason of its last failure.
func session(s *control.Status, p *control.Peer) (control.Finding, bool) {
	switch p.State {
	case "established", "rotating":
		return control.Finding{}, false
	case "degraded", "suspended":
		return outage(p), true
	}
	if p.Reason == "transport_error" && len(p.Trouble.Obstacles) > 0 {
		return control.Finding{}, false // see trouble
	}
	if p.Reason == "" && p.Endpoint == "" && p.Handshakes == 0 {
		return control.Finding{Code: Waiting, Level: control.LevelNote, What: "has no endpoint here and has not come to this node yet",
			Do: fmt.Sprintf("give %s an endpoint of this node (it listens on %s), or this node one of the peer: l2tun peer add --endpoint", Called(p), s.Listen)}, true
	}
	f, ok := failures(s, p)[p.Reason]
	return f, ok
}

func outage(p *control.Peer) control.Finding {
	f := control.Finding{Code: Outage, Level: control.LevelWarning, What: "does not answer on any path at the moment; packets wait and it is tried again by itself",
		Do: "check that the peer runs and that this host is online; l2tun doctor looks at the way to it"}
	if p.Queued > 0 {
		f.What = fmt.Sprintf("does not answer on any path at the moment; %d packets wait and it is tried again by itself", p.Queued)
	}
	return f
}

// failures is what each reason of a failed session means to who has to mend it.
func failures(s *control.Status, p *control.Peer) map[string]control.Finding {
	at := cmp.Or(p.Endpoint, "its endpoint")
	broken := control.Finding{Code: Broken, Level: control.LevelWarning, What: "ended its session: " + p.Reason,
		Do: "wait for the next attempt; if it stays so, compare the versions at both ends and send l2tun bugreport"}
	return map[string]control.Finding{
		"refused": {Code: Refused, Level: control.LevelError, What: "refuses this node: it is not in its config, or it is shut out for a minute",
			Do: "on the peer: l2tun peer add " + s.DID},
		"authentication_failed": {Code: NotThePeer, Level: control.LevelError, What: fmt.Sprintf("was not found at %s: another node answers there, or proves itself wrongly", at),
			Do: "compare the DID in the config with what l2tun id prints on the peer, and its endpoint"},
		"timeout": {Code: Silent, Level: control.LevelError, What: fmt.Sprintf("does not answer at %s", at),
			Do: "check that l2tun runs there and that UDP and TCP to that port are let through; l2tun doctor tells which of them is"},
		"transport_error": {Code: Silent, Level: control.LevelError, What: fmt.Sprintf("cannot be reached at %s: no connection could be made", at),
			Do: "check the endpoint, this host's network and its firewall; l2tun doctor looks at each"},
		"protocol_violation":   broken,
		"key_rotation_timeout": broken,
		"session_expired":      broken,
		"fault":                broken,
	}
}

// worrying are the drops that mean that this end is too slow or too small, with
// what helps.
func worrying() map[string]string {
	return map[string]string{
		"device":  "the system did not take packets: look at ip -s link show of the interface",
		"carrier": "the network takes less than is sent; if it should take more, raise net.core.wmem_max",
		"too_big": "lower mtu in the config to what both ends can carry",
		"limit":   "keys are used up faster than they are replaced: l2tun rotate, then l2tun bugreport",
	}
}

// drops judges lost packets: more than one in a thousand of what was sent.
func drops(p *control.Peer) (control.Finding, bool) {
	for _, reason := range []string{"device", "too_big", "limit", "carrier"} {
		n := p.Dropped[reason]
		if n >= 100 && n*1000 > p.TxPackets+p.RxPackets {
			return control.Finding{Code: Dropping, Level: control.LevelWarning, What: fmt.Sprintf("lost %d packets at this end (%s)", n, reason),
				Do: worrying()[reason]}, true
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
