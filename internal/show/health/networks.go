package health

import (
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// networkFindings judge what the documents of the node's networks say.
func networkFindings(s *control.Status) (all []control.Finding) {
	for _, n := range s.Networks {
		var warn, note, gone []string
		for _, f := range n.Findings {
			switch f.Code {
			case "network_fork", "restored_admin", "roster_fork", "removals_wait", "clock_differs", "bad_state":
				warn = append(warn, f.Text)
			case "removed":
				gone = append(gone, f.Text)
			default:
				note = append(note, f.Text)
			}
		}
		if len(gone) > 0 {
			all = append(all, control.Finding{Code: NetworkDisputed, Level: control.LevelWarning, About: n.Name, What: gone[0],
				Do: "if that is a mistake, ask for a new invitation and join with a new key (l2tun down, then l2tun id --new); else take its [[network]] block out of the config and reload", Run: []string{"l2tun network log" + Flag(s)}})
		}
		if len(warn) > 0 {
			all = append(all, control.Finding{Code: NetworkDisputed, Level: control.LevelWarning, About: n.Name, What: sentences(warn),
				Do: "ask the admins of the network; l2tun network log says who signed what"})
		}
		if len(note) > 0 {
			all = append(all, control.Finding{Code: NetworkLines, Level: control.LevelNote, About: n.Name, What: sentences(note),
				Do: "nothing if that is meant; else change what it collides with here (left_out), or have whoever invited the member change its line (l2tun network set, rename, extend)"})
		}
	}
	return all
}

// sentences are some of many.
func sentences(all []string) string {
	const most = 3
	text := strings.Join(all[:min(len(all), most)], "; ")
	if len(all) > most {
		text += "; and more, see status --json"
	}
	return text
}
