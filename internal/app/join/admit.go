package join

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/transport"
)

// A Host is the running node as an admission needs it. Its methods are called from
// many goroutines.
type Host interface {
	// InUse is the config in use; nil: the node is still starting.
	InUse() *config.Config
	// Pending is an error while a change of the config waits to be confirmed.
	Pending() error
	// Apply puts a config into use, whatever the file holds by now.
	Apply(*config.Config) error
}

// An Admission makes joining nodes peers of this one, docs/node.md 8.3. What it
// decides lies in files; it keeps nothing between two calls. Set the fields before
// the first call.
type Admission struct {
	Path  string // of the config
	Store *invite.Store
	Host  Host
	Log   *slog.Logger

	Identity *did.Identity // of this node
	Hub      *Proxying     // this node as a hub for joins
	Networks Networks      // that this node is an issuer of; nil: none

	mu sync.Mutex // one at a time
}

var _ enroll.Joins = (*Admission)(nil)

// Open implements enroll.Joins. A node that is still starting has none open.
func (a *Admission) Open() bool {
	c := a.Host.InUse()
	if c == nil || c.Inviting() {
		return c != nil
	}
	open, err := a.Store.Open(time.Now())
	if err != nil {
		a.Log.Error("invitations cannot be read", "error", err)
	}
	return open
}

// Answer implements enroll.Joins.
func (a *Admission) Answer(ctx context.Context, asker did.DID, frame byte, request []byte) []byte {
	switch frame {
	case wire.FrameDeposit:
		return a.Hub.deposit(asker, request)
	case wire.FrameJoinVia:
		return a.Hub.via(ctx, asker, request)
	}
	_, answer := a.decide(a.Log.With("peer", asker.String()), asker, request)
	return answer
}

// decide makes the joining node a peer if its request is good.
func (a *Admission) decide(log *slog.Logger, asker did.DID, request []byte) (agreed bool, answer []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := invite.ParseRequest(request)
	if err != nil {
		log.Warn("a node wanted to join with a request that is not understood")
		return false, invite.NewAnswer(invite.Version)
	}
	log = log.With("invitation", r.ID)
	name, refused, err := a.admit(asker, r)
	switch {
	case refused != "":
		log.Warn("a node did not join", "reason", string(refused), "error", err)
	case err != nil:
		log.Error("a node joined, and that its invitation is used could not be noted", "error", err)
	default:
		log.Info("a node joined by an invitation")
	}
	if refused != "" {
		return false, invite.NewAnswer(refused)
	}
	return true, invite.NewWelcome(name)
}

// Networks make a node a member of a network of this one.
type Networks interface {
	// Admit makes a node a member, under a name that it wants, and returns the one that it
	// has got. It returns once hubs have been told; no reason and no error if it is a member.
	// One that has joined by the invitation already is not let in a second time.
	Admit(i invite.Invitation, who did.DID, u invite.User) (name string, refused invite.Reason, err error)
}

// admitMember makes the joining node a member of a network. Its place is taken first, so that
// no more join than may; one that cannot be let in gives it back.
func (a *Admission) admitMember(asker did.DID, r invite.Request) (name string, refused invite.Reason, err error) {
	if a.Host.InUse() == nil || a.Networks == nil {
		return "", invite.Busy, errStarting
	}
	i, u, err := a.Store.Use(r.ID, [32]byte(r.Proof), asker, r.Name, time.Now())
	switch {
	case err != nil:
		return "", invite.ReasonOf(err), err
	case u.State == invite.Wanting:
		return "", invite.Waiting, nil
	}
	if name, refused, err = a.Networks.Admit(i, asker, u); refused != "" || err != nil {
		return "", refused, errors.Join(err, a.Store.GiveBack(i.ID, asker))
	}
	return name, "", a.Store.Entered(i.ID, asker)
}

// errStarting: no config is in use yet.
var errStarting = errors.New("join: the node is still starting")

// errNotInUse: applying the file would not only add a peer.
var errNotInUse = errors.New("join: the config file has changes that are not in use: l2tun reload applies them")

// admit makes the joining node a peer. The invitation is claimed first, for this DID
// alone: a process that dies in between leaves one that only the same node can go
// on with. Whatever fails after that is undone. name is that in a network.
func (a *Admission) admit(asker did.DID, r invite.Request) (name string, refused invite.Reason, err error) {
	if err := dialable(r.Endpoints); err != nil {
		return "", invite.Endpoint, err
	}
	if i, err := a.Store.Get(r.ID); err == nil && i.Network != "" {
		return a.admitMember(asker, r)
	}
	refused, err = a.admitPeer(asker, r)
	return "", refused, err
}

func (a *Admission) admitPeer(asker did.DID, r invite.Request) (invite.Reason, error) {
	c, reason, err := a.current(asker)
	if err != nil {
		return reason, err
	}
	there := c.Peer(asker)
	i, err := a.Store.Claim(r.ID, [32]byte(r.Proof), asker, time.Now())
	switch {
	case err != nil:
		return invite.ReasonOf(err), err
	case there != nil && i.Joined: // the answer was lost
		return "", nil
	case i.Joined: // and removed since
		return invite.Used, nil
	case there != nil && !owns(there, i.AllowedIPs): // not by this invitation
		return invite.Already, a.Store.Release(i.ID)
	}
	spec := config.PeerSpec{DID: asker, Name: i.Name, Endpoints: r.Endpoints, AllowedIPs: i.AllowedIPs}
	if there == nil {
		reason, err = a.add(spec)
	} else { // in the file since an interrupted join
		reason, err = invite.Failed, a.use(spec)
	}
	if err != nil {
		return reason, errors.Join(err, a.Store.Release(i.ID))
	}
	return "", a.Store.Joined(i.ID)
}

// dialable refuses endpoints by which a joining node would have this one knock at
// its own services, or at those of its cloud (SPEC 3.10).
func dialable(endpoints []string) error {
	for _, e := range endpoints {
		if err := transport.DialableEndpoint(e); err != nil {
			return errors.New(strings.TrimPrefix(err.Error(), "transport: "))
		}
	}
	return nil
}

// owns reports whether a peer has all that an invitation grants.
func owns(p *config.Peer, granted []string) bool {
	for _, g := range granted {
		if prefix, err := netip.ParsePrefix(g); err != nil || !slices.Contains(p.AllowedIPs, prefix) {
			return false
		}
	}
	return true
}

// current is the config file, if applying it would change nothing that an
// invitation has no right to change: a joining node does not put into use what the
// owner has edited and not reloaded, or tried and not confirmed.
func (a *Admission) current(asker did.DID) (*config.Config, invite.Reason, error) {
	c, err := config.LoadTrusted(a.Path)
	if err != nil {
		return nil, invite.Failed, err
	}
	if err := a.Host.Pending(); err != nil {
		return nil, invite.Busy, err
	}
	used := a.Host.InUse()
	if used == nil {
		return nil, invite.Busy, errStarting
	}
	if err := used.CheckReload(c); err != nil {
		return nil, invite.Failed, errors.Join(errNotInUse, err)
	}
	if withoutPeer(used, asker).Digest() != withoutPeer(c, asker).Digest() {
		return nil, invite.Failed, errNotInUse
	}
	return c, "", nil
}

// withoutPeer is a config without one peer: one that is in the file and not in use is
// left by an interrupted join.
func withoutPeer(c *config.Config, d did.DID) *config.Config {
	rest := *c
	rest.Peers = slices.DeleteFunc(slices.Clone(c.Peers), func(p config.Peer) bool { return p.DID == d })
	return &rest
}

// add writes the peer into the file and puts it into use; a peer that cannot be used
// is removed from the file.
func (a *Admission) add(spec config.PeerSpec) (invite.Reason, error) {
	path := a.Path
	if err := config.AddPeer(path, spec); err != nil {
		if e, ok := errors.AsType[*config.Error](err); ok && e.Key != "" {
			return invite.Conflict, err
		}
		return invite.Failed, err
	}
	err := a.use(spec)
	if err == nil {
		return "", nil
	}
	_, gone := config.RemovePeer(path, spec.DID.String())
	if errors.Is(err, errNotInUse) { // an edit of the owner's came in between: nothing was applied
		return invite.Failed, errors.Join(err, gone)
	}
	return invite.Conflict, errors.Join(err, gone, a.Host.Apply(withoutPeer(a.Host.InUse(), spec.DID)))
}

// use applies the config as it was with the peer of spec, and nothing else that is
// in the file by now.
func (a *Admission) use(spec config.PeerSpec) error {
	c, err := config.LoadTrusted(a.Path)
	if err != nil {
		return err
	}
	if err := onlyAdds(a.Host.InUse(), c, spec); err != nil {
		return err
	}
	return a.Host.Apply(c)
}

// onlyAdds refuses a config that differs from the one in use by more than the peer
// of spec as the invitation has it. The whole of it is compared: the owner may be
// at work on any line, those of the peer included.
func onlyAdds(used, c *config.Config, spec config.PeerSpec) error {
	if err := used.CheckReload(c); err != nil {
		return errors.Join(errNotInUse, err)
	}
	if withoutPeer(used, spec.DID).Digest() != withoutPeer(c, spec.DID).Digest() {
		return errNotInUse
	}
	now, was := c.Peer(spec.DID), used.Peer(spec.DID)
	if now == nil || !now.Is(spec, c.Session) && (was == nil || !now.Equal(*was)) {
		return errNotInUse
	}
	return nil
}
