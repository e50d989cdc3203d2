package node

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/transport"
)

// joins answers nodes that come with an invitation, docs/node.md 8.3. What it decides
// lies in files; between two calls it knows nothing.
type joins struct {
	n     *node
	store *invite.Store
	mu    sync.Mutex // one at a time
}

var _ enroll.Joins = (*joins)(nil)

// Open implements enroll.Joins. A node that is still starting has none open.
func (j *joins) Open() bool {
	if j.n.config.Load() == nil {
		return false
	}
	open, err := j.store.Open(time.Now())
	if err != nil {
		j.n.log.Error("invitations cannot be read", "error", err)
	}
	return open
}

// Answer implements enroll.Joins.
func (j *joins) Answer(_ context.Context, asker did.DID, request []byte) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	log := j.n.log.With("peer", asker.String())
	r, err := invite.ParseRequest(request)
	if err != nil {
		log.Warn("a node wanted to join with a request that is not understood")
		return invite.NewAnswer(invite.Version)
	}
	log = log.With("invitation", r.ID)
	refused, err := j.admit(asker, r)
	switch {
	case refused != "":
		log.Warn("a node did not join", "reason", string(refused), "error", err)
	case err != nil:
		log.Error("a node joined, and that its invitation is used could not be noted", "error", err)
	default:
		log.Info("a node joined by an invitation")
	}
	return invite.NewAnswer(refused)
}

// errNotInUse: applying the file would not only add a peer.
var errNotInUse = errors.New("node: the config file has changes that are not in use: l2tun reload takes them up")

// admit makes the asker a peer. The invitation is claimed first, for this DID
// alone: a process that dies in between leaves one that only the same node can go
// on with. Whatever fails after that is undone.
func (j *joins) admit(asker did.DID, r invite.Request) (invite.Reason, error) {
	if err := dialable(r.Endpoints); err != nil {
		return invite.Endpoint, err
	}
	c, reason, err := j.current(asker)
	if err != nil {
		return reason, err
	}
	there := find(c.Peers, asker)
	i, err := j.store.Claim(r.ID, [32]byte(r.Proof), asker, time.Now())
	switch {
	case err != nil:
		return invite.ReasonOf(err), err
	case there != nil && i.Joined: // the answer was lost
		return "", nil
	case i.Joined: // and removed since
		return invite.Used, nil
	case there != nil && !owns(there, i.AllowedIPs): // not by this invitation
		return invite.Already, j.store.Release(i.ID)
	}
	spec := config.PeerSpec{DID: asker, Name: i.Name, Endpoints: r.Endpoints, AllowedIPs: i.AllowedIPs}
	if there == nil {
		reason, err = j.add(spec)
	} else { // written down, and then interrupted
		reason, err = invite.Failed, j.use(spec)
	}
	if err != nil {
		return reason, errors.Join(err, j.store.Release(i.ID))
	}
	return "", j.store.Joined(i.ID)
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
// invitation has no right to change: what the owner has edited and not taken up,
// or tried and not confirmed, is not for a node that joins to put into use.
func (j *joins) current(asker did.DID) (*config.Config, invite.Reason, error) {
	c, err := config.LoadTrusted(j.n.o.ConfigPath)
	if err != nil {
		return nil, invite.Failed, err
	}
	if j.n.confirm.pending() {
		return nil, invite.Busy, errPending()
	}
	used := j.n.config.Load()
	if err := sameBase(used, c); err != nil {
		return nil, invite.Failed, errors.Join(errNotInUse, err)
	}
	if withoutPeer(used, asker).Digest() != withoutPeer(c, asker).Digest() {
		return nil, invite.Failed, errNotInUse
	}
	return c, "", nil
}

// withoutPeer is a config without one peer: one that was written down and not taken
// up is an interrupted join's.
func withoutPeer(c *config.Config, d did.DID) *config.Config {
	rest := *c
	rest.Peers = slices.DeleteFunc(slices.Clone(c.Peers), func(p config.Peer) bool { return p.DID == d })
	return &rest
}

// add writes the peer down and takes it up; a peer that cannot be used is not
// kept.
func (j *joins) add(spec config.PeerSpec) (invite.Reason, error) {
	path := j.n.o.ConfigPath
	if err := config.AddPeer(path, spec); err != nil {
		if e, ok := errors.AsType[*config.Error](err); ok && e.Key != "" {
			return invite.Conflict, err
		}
		return invite.Failed, err
	}
	err := j.use(spec)
	if err == nil {
		return "", nil
	}
	_, gone := config.RemovePeer(path, spec.DID.String())
	if errors.Is(err, errNotInUse) { // an edit of the owner's came in between: nothing was applied
		return invite.Failed, errors.Join(err, gone)
	}
	return invite.Conflict, errors.Join(err, gone, j.n.applyOnly(j.n.withoutPeer(spec.DID)))
}

// use applies the config as it was with the peer of spec, and nothing else that is
// in the file by now.
func (j *joins) use(spec config.PeerSpec) error {
	c, err := config.LoadTrusted(j.n.o.ConfigPath)
	if err != nil {
		return err
	}
	if err := onlyAdds(j.n.config.Load(), c, spec); err != nil {
		return err
	}
	return j.n.applyOnly(c)
}

// onlyAdds refuses a config that differs from the one in use by more than the peer
// of spec as the invitation has it. The whole of it is compared: the owner may be
// at work on any line, those of the peer included.
func onlyAdds(used, c *config.Config, spec config.PeerSpec) error {
	if err := sameBase(used, c); err != nil {
		return errors.Join(errNotInUse, err)
	}
	if withoutPeer(used, spec.DID).Digest() != withoutPeer(c, spec.DID).Digest() {
		return errNotInUse
	}
	now, was := find(c.Peers, spec.DID), find(used.Peers, spec.DID)
	if now == nil || !now.Is(spec, c.Session) && (was == nil || !now.Equal(*was)) {
		return errNotInUse
	}
	return nil
}
