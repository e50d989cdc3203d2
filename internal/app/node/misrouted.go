package node

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/policy"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/session"
)

// misroutedFor is how long a packet that was dropped for its address is a finding.
const misroutedFor = 5 * time.Minute

// misrouted names the addresses for which packets were dropped, and what the filter has
// dropped.
func misrouted(data *datapath.Datapath, m *session.Manager, now time.Time) (all []control.Misrouted, filtered []control.Filtered) {
	notes := data.Notes(now.Add(-misroutedFor))
	if len(notes) == 0 {
		return nil, nil
	}
	sessions := make(map[*datapath.Peer]*session.Session)
	for _, s := range m.Sessions() {
		if p, ok := s.Plane().(*datapath.Peer); ok {
			sessions[p] = s
		}
	}
	for _, note := range notes {
		if s := sessions[note.Peer]; s != nil && note.Reason.OfFilter() {
			filtered = append(filtered, control.Filtered{Reason: note.Reason.String(), Peer: s.DID().String(), Address: note.Addr.String(),
				Traffic: policy.Traffic(note.Protocol, note.Port), Packets: note.Packets, AgoMS: now.Sub(note.Last).Milliseconds()})
		}
		if note.Reason.OfFilter() {
			continue
		}
		shown := control.Misrouted{Reason: note.Reason.String(), Address: note.Addr.String(), Packets: note.Packets, AgoMS: now.Sub(note.Last).Milliseconds()}
		if s := sessions[note.Peer]; s != nil {
			shown.Peer = s.DID().String()
		}
		if p, here := data.Owners().Of(note.Addr); here {
			shown.Owner = control.OwnerHere
		} else if s := sessions[p]; s != nil {
			shown.Owner = called(s)
		}
		all = append(all, shown)
	}
	return all, filtered
}
