// Package join is the two ends of a join by invitation: Join for the joining node,
// which needs no running node, and an Admission for the inviting one. Package invite
// has the link, the store and the messages; internal/net/enroll carries them.
// docs/node.md 8.3.
package join

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
)

// Timeout is how long Join waits for the inviting node.
const Timeout = 30 * time.Second

// Options say who joins whom.
type Options struct {
	Link      invite.Link
	Init      config.InitSpec // of a config that is not there yet; its Path is the config's
	Name      string          // for the inviting node, in place of the link's; into a network: of this node there
	Endpoints []string        // where this node listens, sent to the inviting node
	Logger    *slog.Logger    // nil: none
	Waits     func()          // called once if a person at the other end has to agree first; nil: nobody is told
}

// Joined is what a join has done.
type Joined struct {
	Self did.DID
	Peer config.PeerSpec
	Hubs []config.PeerSpec // that this node asks to help it reach Peer, once they list it

	Network string // what the network that was joined is called here; empty: none was
	Called  string // this node in it; empty: the other node has not said

	Listed []did.DID // of Hubs: those that have this node as a peer by now
}

// Join makes this node and the inviting one peers of each other: it prepares the
// config of this node, asks the other, and puts the config in place. No node needs
// to run here. Until the other says yes nothing has changed at either end; errors
// are sentences for people.
func Join(ctx context.Context, o Options) (*Joined, error) {
	if id, err := config.LoadIdentity(o.Init.Path); err == nil && id.DID() == o.Link.DID {
		return nil, errors.New("this node made the invitation itself; take it to another one")
	}
	if err := dialable(o.Link.Endpoints); err != nil {
		return nil, fmt.Errorf("the link cannot be used: %w; ask for one made with --endpoint HOST:PORT", err)
	}
	for _, h := range o.Link.Hubs {
		if err := dialable(h.Endpoints); err != nil {
			return nil, fmt.Errorf("the link cannot be used: hub %s: %w", h.DID, err)
		}
	}
	if err := dialable(o.Endpoints); err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	spec := o.spec()
	prepared, err := config.PrepareJoin(spec)
	if err != nil {
		return nil, err
	}
	defer prepared.Cancel()
	p, err := o.ask(ctx, prepared.Identity)
	if p.unsure {
		prepared.Keep() // only this key can use the link, if the other node has agreed
	}
	if err != nil {
		return nil, o.explain(err, p.why)
	}
	called, err := o.refusal(p.answer)
	if err != nil {
		return nil, err
	}
	prepared.Keep() // the other node knows this key by now
	if err := prepared.Commit(); err != nil {
		return nil, fmt.Errorf("the other node has taken this one as a peer, but here it could not be written down: %w; fix that and join again with the same link", err)
	}
	done := &Joined{Self: prepared.Identity.DID(), Peer: spec.Peer, Hubs: spec.Hubs, Listed: p.taken}
	if spec.Network != nil {
		done.Network, done.Called = spec.Network.Name, called
	}
	return done, nil
}

func (o *Options) spec() config.JoinSpec {
	if n, ok := o.network(); ok {
		return config.JoinSpec{Init: o.Init, Network: &n, Peer: config.PeerSpec{DID: o.Link.DID, Endpoints: o.Link.Endpoints}}
	}
	s := config.JoinSpec{Init: o.Init, Address: o.Link.Address,
		Peer: config.PeerSpec{DID: o.Link.DID, Name: o.Link.Name, Endpoints: o.Link.Endpoints}}
	if o.Name != "" {
		s.Peer.Name = o.Name
	}
	for _, h := range o.Link.Hubs {
		s.Hubs = append(s.Hubs, config.PeerSpec{DID: h.DID, Name: h.Name, Endpoints: h.Endpoints, Hub: true})
	}
	for _, p := range o.Link.Allowed {
		s.Peer.AllowedIPs = append(s.Peer.AllowedIPs, p.String())
	}
	return s
}

// ask asks through the hubs of the link first, so that these have this node as a peer
// too, and the inviting node itself where no hub brings its answer.
func (o *Options) ask(ctx context.Context, id *did.Identity) (passage, error) {
	if o.Link.Network != "" {
		return o.askNetwork(ctx, id)
	}
	p := o.through(ctx, id)
	if p.answer != nil {
		return p, nil
	}
	answer, err := o.direct(ctx, id, invite.NewRequest(o.Link, o.Endpoints))
	p.answer = answer
	return p, err
}

// direct asks the inviting node itself.
func (o *Options) direct(ctx context.Context, id *did.Identity, request []byte) ([]byte, error) {
	return exchange(ctx, Timeout, config.DefaultMark(), enroll.Ask{Identity: id, Peer: o.Link.DID, Endpoints: o.Link.Endpoints,
		Request: request}, o) // the default mark: there may be no config yet
}

// explain says what an ask without an answer means; hub is what a hub says that was asked
// before, nil if none has said anything.
func (o *Options) explain(err, hub error) error {
	var refused *handshake.RefusedError
	switch {
	case hub != nil && !errors.Is(err, context.Canceled) && !settledBy(err):
		return fmt.Errorf("%w; and it does not answer at %s itself (%w)", hub, firstOf(o.Link.Endpoints), err)
	case errors.Is(err, enroll.ErrNoInvitation) && !time.Now().Before(o.Link.Until):
		return fmt.Errorf("the invitation expired at %s; ask for a new one", o.Link.Until.Format(time.DateTime))
	case errors.Is(err, enroll.ErrNoInvitation):
		return errors.New("the other node has no such invitation open: it was used, withdrawn or has expired; ask for a new one")
	case errors.As(err, &refused) && refused.Reason == handshake.RefusedBusy:
		return errors.New("the other node has been asked too often from here; wait some seconds and join again")
	case errors.As(err, &refused):
		return fmt.Errorf("the other node refused: %s", refused.Reason)
	case errors.Is(err, handshake.ErrNotMe), errors.Is(err, handshake.ErrAuthentication):
		return fmt.Errorf("another node than the inviting one answers at %s; nothing was sent to it", firstOf(o.Link.Endpoints))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; nothing has changed here")
	}
	advice := ""
	if len(o.Link.Hubs) > 0 {
		advice = "; no hub of it passes joins on: invites = true there lets it, or join once from where it can be reached, on its LAN for example"
	}
	return fmt.Errorf("the node that invited does not answer at %s: does it run, and can it be reached from here%s? (%w)", firstOf(o.Link.Endpoints), advice, err)
}

// settledBy reports whether the inviting node itself has spoken.
func settledBy(err error) bool {
	var refused *handshake.RefusedError
	return errors.Is(err, enroll.ErrNoInvitation) || errors.As(err, &refused)
}

func firstOf(endpoints []string) string {
	if len(endpoints) == 0 {
		return "no endpoint"
	}
	if len(endpoints) == 1 {
		return endpoints[0]
	}
	return fmt.Sprintf("%s and %d more", endpoints[0], len(endpoints)-1)
}

// refusal is the sentence for an answer that is not yes; called is how this node is called
// in the network that it joins.
func (o *Options) refusal(answer []byte) (called string, err error) {
	a, err := invite.ParseAnswer(answer)
	if err != nil {
		return "", errors.New("the other node gave an answer that this program does not understand; it may run another version")
	}
	if a.Refused == "" {
		return a.Name, nil
	}
	return "", o.why(a.Refused)
}

func (o *Options) why(refused invite.Reason) error {
	switch refused {
	case invite.Unknown:
		return errors.New("the other node does not know this invitation: it was withdrawn; ask for a new one")
	case invite.Altered:
		return errors.New("the link is not the one that was made: somebody has altered it; ask for it again, over another channel")
	case invite.Expired:
		return fmt.Errorf("the invitation expired at %s; ask for a new one", o.Link.Until.Format(time.DateTime))
	case invite.Used:
		return errors.New("the invitation has been used by another node, or this one was removed since; ask for a new one")
	case invite.Already:
		return errors.New("the other node has this one as a peer already; l2tun peer add makes that one a peer here")
	case invite.Busy:
		return errors.New("the other node cannot take peers at the moment: a change there waits to be confirmed; try again")
	case invite.Conflict:
		return errors.New("what the invitation promises does not fit the other node's config any more; its log says what, ask for a new one")
	case invite.Endpoint:
		return errors.New("the other node does not dial the endpoint of this one: give an address that it can reach, with --endpoint")
	case invite.Denied:
		return errors.New("a person at the other node has said no to this one")
	case invite.Waiting:
		return errors.New("a person at the other node has to agree first, and has not yet; the same link serves again")
	case invite.Version:
		return errors.New("the other node does not understand this program's request; it may run another version")
	}
	return errors.New("the other node could not take this one as a peer; its log says why")
}
