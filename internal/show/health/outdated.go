package health

import "github.com/libertaria-project/l2tun/internal/app/control"

// outdated are nodes that cannot be peers before they are upgraded: who they are is
// not known, for this version does not understand them.
func outdated(s *control.Status) (all []control.Finding) {
	for _, address := range s.Outdated {
		all = append(all, control.Finding{Code: Outdated, Level: control.LevelWarning, About: address,
			What: "a node of l2tun 0.1.0 there has asked for a session, and this version cannot talk to it",
			Do:   "upgrade l2tun on that host"})
	}
	return all
}
