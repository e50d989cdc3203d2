package health

import (
	"fmt"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// ofMember is a finding about a peer with the advice that fits a member of a network: no
// config names it, so that nothing is mended by l2tun peer set or peer add.
func (n *node) ofMember(p *control.Peer, f control.Finding) control.Finding {
	if p.Network == "" {
		return f
	}
	list := "l2tun network members"
	here := list + Flag(n.Status)
	if len(n.Networks) > 1 {
		here += " --network " + p.Network
	}
	switch f.Code {
	case Refused:
		f.What = fmt.Sprintf("handshake refused: it does not know this node as a member of %s, or has blocked it for 60 s", p.Network)
		f.Do = "wait a minute if one of the two has just joined; else compare the members at both ends: who lacks the other has not heard of it yet, or knows of a removal that the other has not heard of"
		f.Run, f.RunThere = []string{here}, []string{list}
	case NotThePeer:
		f.Do = "compare the DID here with the one that the member prints; a member with a new key is removed from the network and invited again; if another node answers, the member has moved: it is found again by a hub"
		f.Run = []string{here}
	case Waiting:
		f = n.memberWaits(p, f)
	}
	return f
}

// memberWaits is a member that cannot be dialled and has not come.
func (n *node) memberWaits(p *control.Peer, f control.Finding) control.Finding {
	f.RunThere = nil
	switch hub := n.hubFor(p); {
	case hub == nil:
		f.What = "no endpoint of this member is known here, and it has not connected yet"
		f.Do = "members meet by the hubs of their network: an admin makes one that all reach a hub (l2tun network hub add MEMBER)"
	case isUp(hub):
		f.Do = `at the member: does it run, and has it a session with that hub? at the hub: relay = "network" in its config lets members meet`
		f.RunThere = []string{"l2tun status"}
	}
	return f
}
