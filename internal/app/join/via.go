package join

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/transport"
)

// hubTime is how long one hub is waited for.
const hubTime = 8 * time.Second

// A passage is what asking the hubs of a link has come to.
type passage struct {
	answer []byte    // of the inviting node; nil: no hub brought one
	taken  []did.DID // hubs that have this node as a peer now
	why    error     // the sentence of the hub that says most; nil: none has anything to do with joins
	unsure bool      // the inviting node may have agreed
}

// through asks the hubs of the link, each of them: a node that has two has to be a peer
// of both. The inviting node agrees as often as it is asked.
func (o *Options) through(ctx context.Context, id *did.Identity) (p passage) {
	for _, h := range o.Link.Hubs {
		if h.DID == id.DID() || ctx.Err() != nil {
			continue
		}
		t := invite.Through{Joining: id.DID(), Inviting: o.Link.DID, Hub: h.DID}
		sealed := t.SealRequest(o.Link.Secret(), invite.NewRequest(o.Link, o.Endpoints))
		if len(sealed) > wire.MaxProxySealed {
			p.why = errors.New("the endpoints of this node are too long to pass a hub: give fewer, with --endpoint")
			continue
		}
		answer, err := exchange(ctx, hubTime, config.DefaultMark(), enroll.Ask{Identity: id, Peer: h.DID, Endpoints: h.Endpoints,
			Frame: wire.FrameJoinVia, Request: invite.NewVia(o.Link, h.DID, sealed)}, o)
		p.take(h, t, o, sealed, answer, err)
	}
	return p
}

// take notes what one hub has said.
func (p *passage) take(h invite.Hub, t invite.Through, o *Options, sealed, answer []byte, err error) {
	name := hubName(h)
	if err != nil {
		if !errors.Is(err, enroll.ErrNoInvitation) { // it lets nobody invite
			p.say(fmt.Errorf("hub %s does not answer at %s (%w)", name, firstOf(h.Endpoints), err))
		}
		return
	}
	a, err := invite.ParseHubAnswer(answer)
	if err != nil {
		p.say(fmt.Errorf("hub %s gave an answer that this program does not understand; it may run another version", name))
		return
	}
	if a.Refused != "" && a.Refused != invite.Inviting {
		p.unsure = p.unsure || unsure(a.Refused)
		p.say(refusedBy(name, a.Refused))
		return
	}
	plain, err := t.OpenAnswer(o.Link.Secret(), sealed, a.Sealed)
	said, parsed := invite.ParseAnswer(plain)
	switch {
	case err != nil || parsed != nil:
		p.unsure = p.unsure || a.Refused == "" // else it says that nobody has agreed
		p.say(fmt.Errorf("hub %s brings no answer that the inviting node has given: the invitation was withdrawn, or the hub lies; ask for a new one", name))
	case said.Refused == "" && a.Refused == "":
		p.answer, p.taken = plain, append(p.taken, h.DID)
	case p.answer == nil:
		p.answer = plain
	}
}

// say keeps the first sentence.
func (p *passage) say(err error) {
	if p.why == nil {
		p.why = err
	}
}

func hubName(h invite.Hub) string { return cmp.Or(h.Name, h.DID.String()) }

// unsure reports whether the inviting node may have agreed though the hub says no.
func unsure(r invite.Reason) bool {
	return r == invite.Silent || r == invite.Unfinished
}

// refusedBy is the sentence for what a hub itself says.
func refusedBy(hub string, r invite.Reason) error {
	switch r {
	case invite.Away:
		return fmt.Errorf("the inviting node is not connected to hub %s at the moment: have it started there (l2tun up), and join again with the same link", hub)
	case invite.Silent:
		return fmt.Errorf("the inviting node does not answer through hub %s; it may have agreed, so join again with the same link", hub)
	case invite.Unfinished:
		return fmt.Errorf("the inviting node has agreed, and hub %s could not take this node as a peer yet: its log says why; join again with the same link", hub)
	case invite.Unknown:
		return fmt.Errorf("hub %s does not know this invitation: it was not deposited there, or newer ones of that node have taken its place", hub)
	case invite.Expired:
		return fmt.Errorf("the invitation has expired, says hub %s; ask for a new one", hub)
	case invite.Used:
		return fmt.Errorf("the invitation has been used by another node, says hub %s; ask for a new one", hub)
	case invite.Forbidden:
		return fmt.Errorf("hub %s does not let the inviting node invite (any more): invites = true in its config does", hub)
	case invite.Already:
		return fmt.Errorf("hub %s says that this node is the inviting one, or the hub itself", hub)
	case invite.Busy:
		return fmt.Errorf("hub %s cannot take peers at the moment: another join is under way, or a change there waits to be confirmed; try again", hub)
	case invite.Version:
		return fmt.Errorf("hub %s does not understand this program's request; it may run another version", hub)
	}
	return fmt.Errorf("hub %s could not take this node as a peer; its log says why, and the same link serves again", hub)
}

// exchange makes one request on a socket of its own, so that a node may run here or not.
func exchange(ctx context.Context, most time.Duration, mark config.Mark, a enroll.Ask, o *Options) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	c := transport.Config{
		Listen: netip.AddrPortFrom(netip.IPv6Unspecified(), 0),
		Mark:   mark.Value,
	}
	if o != nil {
		c.Logger = o.Logger
	}
	net, err := transport.Listen(c)
	if err != nil { // a host without IPv6
		c.Listen = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		net, err = transport.Listen(c)
	}
	if err != nil {
		return nil, err
	}
	defer net.Close()
	a.Network = net
	return enroll.Join(ctx, a)
}
