package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
	"github.com/libertaria-project/l2tun/network"
)

// networkCalls answer what a caller asks of the networks. With the node's key, which is the
// admin's and issuer's, they sign.
type networkCalls struct {
	id  *did.Identity
	use *applier
}

var _ control.Networking = networkCalls{}

// network is the one that is meant, by its name here or its id; "" is the only one.
func (x networkCalls) network(who string) (*membership.Network, error) {
	all := x.use.networks.Networks()
	if who == "" && len(all) == 1 {
		return all[0], nil
	}
	var names []string
	for _, n := range all {
		if n.Name == who || n.ID.String() == who {
			return n, nil
		}
		names = append(names, n.Name)
	}
	switch {
	case len(all) == 0:
		return nil, refuse(http.StatusNotFound, "this node is in no network; l2tun network create makes one, l2tun join LINK joins one")
	case who == "":
		return nil, refuse(http.StatusConflict, "which network? this node is in %s; say which with --network NAME", strings.Join(names, ", "))
	}
	return nil, refuse(http.StatusNotFound, "this node is in no network %q; there are %s", who, strings.Join(names, ", "))
}

// Members implements control.Networking.
func (x networkCalls) Members(_ context.Context, who string) ([]control.Member, error) {
	n, err := x.network(who)
	if err != nil {
		return nil, err
	}
	return netadmin.Members(n.View), nil
}

// ChangeNetwork implements control.Networking.
func (x networkCalls) ChangeNetwork(_ context.Context, c control.NetworkChange) (done control.NetworkChanged, err error) {
	n, err := x.network(c.Network)
	if err != nil {
		return done, err
	}
	switch c.Do {
	case control.DoTrust:
		hash, ok := network.ParseHash(c.Value)
		if !ok {
			return done, control.Wrong("%q is no hash of a head", c.Value)
		}
		done.Done = "the head with this hash is trusted"
		return done, said(x.use.networks.Trust(n.ID, c.Document, hash))
	case control.DoConfirm:
		by, err := did.Parse(c.Who)
		if err != nil {
			return done, control.Wrong("%q is no DID", c.Who)
		}
		done.Done = "the removals that waited are in effect"
		return done, said(x.use.networks.Confirm(n.ID, by))
	}
	err = x.use.networks.Change(n.ID, func(st *network.State, now time.Time) ([][]byte, error) {
		r, err := netadmin.Draft(st, x.id, c, now)
		if err != nil {
			return nil, err
		}
		done = control.NetworkChanged{Done: r.Done, Document: r.Docs[len(r.Docs)-1]}
		if c.Draft {
			return nil, nil
		}
		return r.Docs, nil
	})
	return done, said(err)
}

// said is a refusal of a document without its package.
func said(err error) error {
	if r, ok := errors.AsType[*network.Refusal](err); ok {
		return fmt.Errorf("%s (%s)", r.Text, r.Code)
	}
	return err
}

// Admit implements join.Networks: a node that has come with an invitation of this one
// becomes a member. Hubs have been told when it returns.
func (x networkCalls) Admit(i invite.Invitation, who did.DID, u invite.User) (name string, refused invite.Reason, err error) {
	id, ok := network.ParseHash(i.Network)
	if !ok {
		return "", invite.Failed, fmt.Errorf("the invitation is of no network")
	}
	newcomer := netadmin.Newcomer{DID: who, Name: u.Name, Groups: i.Groups}
	if i.Member > 0 {
		newcomer.Until = time.Now().Add(i.Member)
	}
	err = x.use.networks.Change(id, func(st *network.State, now time.Time) ([][]byte, error) {
		if _, member := st.View().Member(who); u.State == invite.Member && !member {
			return nil, errAgain
		}
		roster, line, err := netadmin.Admit(st, x.id, newcomer, now)
		if name = line.Name; err != nil || roster == nil {
			return nil, err
		}
		return [][]byte{roster}, nil
	})
	switch {
	case errors.Is(err, errAgain):
		return "", invite.Used, err
	case config.BySystem(err):
		return "", invite.Failed, err
	case err != nil:
		return "", invite.Conflict, said(err)
	}
	return name, "", nil
}

// errAgain: a link is good for one membership, also for a node whose removal was taken back.
var errAgain = errors.New("node: it has joined by this invitation already, and was removed since")

// gone says by whom and when a node was removed, as the documents have it.
func gone(v *network.View, self did.DID) []network.Finding {
	g, removed := v.Removed(self)
	if !removed {
		return nil
	}
	by := "the admins together"
	if m, member := v.Member(g.By); member && m.Name != "" {
		by = m.Name
	} else if !g.By.IsZero() {
		by = g.By.String()
	}
	return []network.Finding{{Code: "removed", DID: g.By, Text: "this node was removed from it by " + by + " at " + g.At.Format(time.DateTime) + " UTC"}}
}

// networkStatus is what status shows of the networks.
func (r *reporter) networkStatus() []control.Network {
	out := []control.Network{}
	party := r.use.party.Load()
	for _, n := range r.use.networks.Networks() {
		x := control.Network{Name: n.Name, ID: n.ID.String(), Serial: n.Serial(), Role: n.Role(r.use.id), Members: n.View.Len(), Findings: []control.NetworkFinding{}}
		findings := append(n.Findings[:len(n.Findings):len(n.Findings)], gone(n.View, r.use.id)...)
		for _, l := range party.left {
			if l.network == n.Name {
				findings = append(findings, l.finding())
			}
		}
		for _, f := range findings {
			shown := control.NetworkFinding{Code: string(f.Code), Text: f.Text}
			if !f.DID.IsZero() {
				shown.About = f.DID.String()
			}
			x.Findings = append(x.Findings, shown)
		}
		out = append(out, x)
	}
	return out
}
