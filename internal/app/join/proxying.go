package join

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/joinproxy"
)

// settleEvery is the gap between two tries to settle joins that were passed on without
// an answer.
const settleEvery = 30 * time.Second

// A Proxying is this node as a hub for joins (SPEC 6.11): peers that may invite deposit
// their invitations, and joins by these are passed on. Both configs change, this node's
// and the inviting one's, or none does: what is passed on is on the disk before it
// leaves, and asked again until it is settled. Set the fields before the first call.
type Proxying struct {
	Admission *Admission
	Deposits  *invite.Deposits
	// Ask passes a join on: (*joinproxy.Proxy).Ask.
	Ask func(context.Context, joinproxy.Join) (joinproxy.Answer, error)

	mu   sync.Mutex
	busy map[string]bool // deposits whose join is being passed on, by Kept
	wake chan struct{}   // a join was left unsettled
}

// NewProxying makes the hub's side of an admission.
func NewProxying(a *Admission, d *invite.Deposits, ask func(context.Context, joinproxy.Join) (joinproxy.Answer, error)) *Proxying {
	return &Proxying{Admission: a, Deposits: d, Ask: ask, busy: make(map[string]bool), wake: make(chan struct{}, 1)}
}

// deposit keeps an invitation of a peer that may invite.
func (h *Proxying) deposit(asker did.DID, request []byte) []byte {
	log := h.Admission.Log.With("peer", asker.String())
	r, err := invite.ParseDeposit(request)
	if err != nil {
		return invite.NewHubAnswer(invite.Version, nil)
	}
	reason, err := h.keep(asker, r, time.Now())
	if reason != "" {
		log.Warn("an invitation was not deposited", "invitation", r.ID, "reason", string(reason), "error", err)
	} else {
		log.Info("a peer has deposited an invitation", "invitation", r.ID)
	}
	return invite.NewHubAnswer(reason, nil)
}

func (h *Proxying) keep(asker did.DID, r invite.DepositRequest, now time.Time) (invite.Reason, error) {
	if !mayInvite(h.Admission.Host.InUse(), asker) {
		return invite.Forbidden, nil
	}
	if r.Until <= now.Unix() {
		return invite.Expired, nil
	}
	err := h.Deposits.Add(r, asker, now)
	switch {
	case errors.Is(err, invite.ErrFull):
		return invite.Full, err
	case err != nil:
		return invite.Failed, err
	}
	return "", nil
}

// mayInvite reports whether invitations of a node count here.
func mayInvite(c *config.Config, d did.DID) bool {
	if c == nil { // the node is still starting
		return false
	}
	p := c.Peer(d)
	return p != nil && p.Invites
}

// via passes on what a joining node asks.
func (h *Proxying) via(ctx context.Context, asker did.DID, request []byte) []byte {
	log := h.Admission.Log.With("peer", asker.String())
	r, err := invite.ParseVia(request)
	if err != nil {
		return invite.NewHubAnswer(invite.Version, nil)
	}
	d, err := h.Deposits.Find([32]byte(r.Proof), asker, time.Now())
	if err != nil {
		log.Warn("a node did not join through this hub", "reason", string(invite.ReasonOf(err)), "error", err)
		return invite.NewHubAnswer(invite.ReasonOf(err), nil)
	}
	log = log.With("invitation", d.ID, "inviting", d.By)
	reason, sealed, err := h.begin(ctx, asker, d, r)
	if reason != "" {
		log.Warn("a node did not join through this hub", "reason", string(reason), "error", err)
	} else {
		log.Info("a node joined by the invitation of a peer")
	}
	return invite.NewHubAnswer(reason, sealed)
}

// begin passes a join on, one of a deposit at a time. The claim is durable before
// anything leaves.
func (h *Proxying) begin(ctx context.Context, asker did.DID, d invite.Deposit, r invite.ViaRequest) (invite.Reason, []byte, error) {
	if !h.enter(d.Kept) {
		return invite.Busy, nil, nil
	}
	defer h.leave(d.Kept)
	if reason, err := h.mayTake(d, asker); reason != "" {
		return reason, nil, err
	}
	if err := h.Deposits.Claim([32]byte(r.Proof), asker, r.Sealed, time.Now()); err != nil {
		return invite.ReasonOf(err), nil, err
	}
	fresh := d.Claimed == ""
	d.Claimed, d.Sealed = asker.String(), r.Sealed
	reason, sealed, err := h.pass(ctx, d)
	if fresh && (reason == invite.Away || reason == invite.Busy) { // nothing has left for the inviting node
		err = errors.Join(err, h.Deposits.Release(d.Kept, time.Now()))
	}
	return reason, sealed, err
}

func (h *Proxying) enter(kept string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[kept] {
		return false
	}
	h.busy[kept] = true
	return true
}

func (h *Proxying) leave(kept string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.busy, kept)
}

// mayTake refuses, before anybody is asked, what this node could not keep up with.
func (h *Proxying) mayTake(d invite.Deposit, joining did.DID) (invite.Reason, error) {
	a := h.Admission
	a.mu.Lock()
	defer a.mu.Unlock()
	c, reason, err := a.current(joining)
	switch {
	case err != nil:
		return reason, err
	case !mayInvite(c, by(d)):
		return invite.Forbidden, nil
	case joining == by(d) || joining == a.Identity.DID():
		return invite.Already, nil
	case c.Peer(joining) == nil:
		if err := config.CheckPeer(a.Path, config.PeerSpec{DID: joining}); err != nil {
			return invite.Conflict, err
		}
	}
	return "", nil
}

// by is the inviting node of a deposit: the zero DID, which is no peer's, if the file
// is not what was written.
func by(d invite.Deposit) did.DID {
	inviting, _ := did.Parse(d.By)
	return inviting
}

// pass asks the inviting node about a deposit that is claimed, and does what it says.
func (h *Proxying) pass(ctx context.Context, d invite.Deposit) (invite.Reason, []byte, error) {
	joining, err := did.Parse(d.Claimed)
	if err != nil {
		return invite.Failed, nil, err
	}
	answer, err := h.Ask(ctx, joinproxy.Join{Inviting: by(d).Digest(), Joining: joining.Digest(), ID: d.Number(), Sealed: d.Sealed})
	switch {
	case errors.Is(err, joinproxy.ErrAway):
		return invite.Away, nil, err
	case errors.Is(err, joinproxy.ErrBusy):
		return invite.Busy, nil, err
	case err != nil:
		h.unsettled()
		return invite.Silent, nil, err
	case !answer.Agreed:
		return invite.Inviting, answer.Sealed, h.Deposits.Release(d.Kept, time.Now())
	}
	if _, err := h.take(joining); err != nil {
		h.unsettled()
		return invite.Unfinished, nil, err
	}
	return "", answer.Sealed, h.Deposits.Joined(d.Kept, time.Now())
}

// take makes the joining node a peer, without a name, an endpoint or a prefix: what it
// is called here is the owner's to say.
func (h *Proxying) take(joining did.DID) (invite.Reason, error) {
	a := h.Admission
	a.mu.Lock()
	defer a.mu.Unlock()
	c, reason, err := a.current(joining)
	if err != nil {
		return reason, err
	}
	spec := config.PeerSpec{DID: joining}
	switch {
	case c.Peer(joining) == nil:
		return a.add(spec)
	case a.Host.InUse().Peer(joining) == nil: // in the file since an interrupted join
		return invite.Failed, a.use(spec)
	}
	return "", nil
}

func (h *Proxying) unsettled() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run settles what an earlier process, or a join without an answer, has left, until ctx
// ends.
func (h *Proxying) Run(ctx context.Context) {
	for {
		again := (<-chan time.Time)(nil)
		if h.settle(ctx) {
			again = time.After(settleEvery)
		}
		select {
		case <-again:
		case <-h.wake:
		case <-ctx.Done():
			return
		}
	}
}

// settle asks again about each deposit that is not settled, and reports whether any is
// left.
func (h *Proxying) settle(ctx context.Context) (left bool) {
	all, err := h.Deposits.Unsettled()
	if err != nil {
		h.Admission.Log.Error("deposited invitations cannot be read", "error", err)
		return false
	}
	for _, d := range all {
		left = !h.settled(ctx, d) || left
	}
	return left
}

// settled tries one. A peer that may not invite any more has nothing to settle.
func (h *Proxying) settled(ctx context.Context, d invite.Deposit) bool {
	joining, err := did.Parse(d.Claimed)
	if err != nil || !h.enter(d.Kept) {
		return false
	}
	defer h.leave(d.Kept)
	reason, err := h.mayTake(d, joining)
	if reason == "" {
		reason, _, err = h.pass(ctx, d)
	} else if reason == invite.Forbidden || reason == invite.Already {
		err = h.Deposits.Release(d.Kept, time.Now())
	}
	switch reason {
	case "", invite.Inviting, invite.Forbidden, invite.Already:
		h.Admission.Log.Info("a join that was interrupted is settled", "peer", d.Claimed, "invitation", d.ID, "joined", reason == "", "error", err)
		return err == nil
	}
	return false
}
