package join

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Deposited says whether a hub passes the join of a link on.
type Deposited struct {
	Hub invite.Hub
	// Forbidden: the hub lets this node invite nobody.
	Forbidden bool
	Err       error // a sentence; nil without Forbidden: it does
}

// Deposit asks the hubs of a link that the node of the config at path has made, all at
// once, to pass its join on. No node needs to run here.
func Deposit(ctx context.Context, path string, l invite.Link) ([]Deposited, error) {
	c, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	id, err := config.LoadIdentity(path)
	if err != nil {
		return nil, err
	}
	out := make([]Deposited, len(l.Hubs))
	var wg sync.WaitGroup
	for n, h := range l.Hubs {
		wg.Go(func() {
			answer, err := exchange(ctx, hubTime, c.Mark, enroll.Ask{Identity: id, Peer: h.DID, Endpoints: h.Endpoints,
				Frame: wire.FrameDeposit, Request: invite.NewDeposit(l, h.DID)}, nil)
			out[n] = deposited(h, answer, err)
		})
	}
	wg.Wait()
	return out, nil
}

func deposited(h invite.Hub, answer []byte, err error) Deposited {
	d := Deposited{Hub: h}
	if errors.Is(err, enroll.ErrNoInvitation) {
		d.Forbidden = true
		return d
	}
	if err != nil {
		d.Err = fmt.Errorf("hub %s does not answer at %s: %w", hubName(h), firstOf(h.Endpoints), err)
		return d
	}
	a, err := invite.ParseHubAnswer(answer)
	switch {
	case err != nil:
		d.Err = fmt.Errorf("hub %s gave an answer that this program does not understand; it may run another version", hubName(h))
	case a.Refused == invite.Forbidden:
		d.Forbidden = true
	case a.Refused == invite.Full:
		d.Err = fmt.Errorf("as many have joined hub %s by invitations of this node as it takes in seven days", hubName(h))
	case a.Refused == invite.Expired:
		d.Err = fmt.Errorf("the clock of hub %s says that the invitation has expired", hubName(h))
	case a.Refused != "":
		d.Err = fmt.Errorf("hub %s could not keep the invitation; its log says why", hubName(h))
	}
	return d
}
