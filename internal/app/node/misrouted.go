package node

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/session"
)

// misroutedFor is how long a packet that was dropped for its address is a finding.
const misroutedFor = 5 * time.Minute

// misrouted names the addresses for which packets were dropped.
func (n *node) misrouted(now time.Time) (all []control.Misrouted) {
	notes := n.data.Notes(now.Add(-misroutedFor))
	if len(notes) == 0 {
		return nil
	}
	sessions := make(map[*datapath.Peer]*session.Session)
	for _, s := range n.manager.Sessions() {
		if p, ok := s.Plane().(*datapath.Peer); ok {
			sessions[p] = s
		}
	}
	for _, note := range notes {
		m := control.Misrouted{Reason: note.Reason.String(), Address: note.Addr.String(), Packets: note.Packets, AgoMS: now.Sub(note.Last).Milliseconds()}
		if s := sessions[note.Peer]; s != nil {
			m.Peer = s.DID().String()
		}
		if p, here := n.data.Owner(note.Addr); here {
			m.Owner = control.OwnerHere
		} else if s := sessions[p]; s != nil {
			m.Owner = called(s)
		}
		all = append(all, m)
	}
	return all
}
