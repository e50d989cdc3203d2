package health

import (
	"fmt"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// titles say of many peers what a finding says of one.
func titles() map[string]string {
	return map[string]string{
		Refused:    "handshake refused: the peers do not list this node, or have blocked it for 60 s",
		NotThePeer: "authentication failed: other nodes answer at their endpoints, or the peers have new keys",
		Silent:     "no answer at their endpoints",
		Outage:     "no answer on any path; packets are queued and the peers are retried automatically",
		Waiting:    "no endpoint of these peers is known here, and they have not connected yet",
		Broken:     "the sessions ended",
		Dropping:   "packets lost at this end",
		NoHub:      "the peers do not answer directly, and no hub is known that could help",
		NoUDP:      "are not reached directly: no UDP leaves this network",
		NotAtHub:   "no hub brings an answer of the peers",
		Blocked:    "several meetings with the peers failed",

		SymmetricNAT: "the NAT here gives each remote another port",
	}
}

const (
	namesShown    = 3
	commandsShown = 3
)

// Group joins findings of one code and level about several peers into one each,
// for people: nine peers that refuse this node are one mistake.
func Group(all []control.Finding) (out []control.Finding) {
	done := make(map[[2]string]bool)
	for _, f := range all {
		key := [2]string{f.Code, f.Level}
		title := titles()[f.Code]
		if title == "" || f.About == "" {
			out = append(out, f)
			continue
		}
		if done[key] {
			continue
		}
		done[key] = true
		out = append(out, join(all, f, title))
	}
	return out
}

// join is the first of its kind, or all of them in one.
func join(all []control.Finding, first control.Finding, title string) control.Finding {
	var names []string
	f := first
	f.Run, f.RunThere = nil, nil
	same := true
	for _, x := range all {
		if x.Code != first.Code || x.Level != first.Level || x.About == "" {
			continue
		}
		if !slices.Contains(names, x.About) {
			names = append(names, x.About)
		}
		same = same && x.What == first.What
		f.Run, f.RunThere = more(f.Run, x.Run), more(f.RunThere, x.RunThere)
	}
	if len(names) == 1 {
		return first
	}
	f.About = strings.Join(names[:min(len(names), namesShown)], ", ")
	if left := len(names) - namesShown; left > 0 {
		f.About += fmt.Sprintf(" and %d more", left)
	}
	f.About += fmt.Sprintf(" (%d peers)", len(names))
	if !same {
		f.What = title
	}
	return f
}

func more(list, add []string) []string {
	for _, x := range add {
		if !slices.Contains(list, x) && len(list) < commandsShown {
			list = append(list, x)
		}
	}
	return list
}
