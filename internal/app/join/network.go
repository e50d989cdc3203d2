package join

import (
	"context"
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/network"
)

const (
	// waitAgain is between two asks while a person has to agree.
	waitAgain = 10 * time.Second
	// busyAgain is between two asks of a node that is asked too often from this network:
	// several machines of one house join at once.
	busyAgain = 2 * time.Second
)

// network is what the link makes of the config, if it leads into a network.
func (o *Options) network() (n config.Network, ok bool) {
	id, ok := network.ParseHash(o.Link.Network)
	if !ok {
		return n, false
	}
	return config.Network{ID: id, Name: o.Link.Called, Contacts: o.Link.Contacts()}, true
}

// askNetwork asks for membership, again while the other node is busy or a person there has
// to agree.
func (o *Options) askNetwork(ctx context.Context, id *did.Identity) (p passage, err error) {
	busyUntil := time.Now().Add(Timeout)
	for told := false; ; {
		p.answer, err = o.direct(ctx, id, invite.NewMembership(o.Link, o.Endpoints, o.Name))
		wait := time.Duration(0)
		switch a, parsed := invite.ParseAnswer(p.answer); {
		case err == nil && parsed == nil && a.Refused == invite.Waiting:
			p.unsure = true // the place is this key's
			wait = waitAgain
			if !told && o.Waits != nil {
				o.Waits()
			}
			told = true
		case busy(err) && time.Now().Before(busyUntil):
			wait = busyAgain
		default:
			return p, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
}

func busy(err error) bool {
	var refused *handshake.RefusedError
	return errors.As(err, &refused) && refused.Reason == handshake.RefusedBusy
}
