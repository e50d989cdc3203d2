package joinproxy

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	maxAsks   = 64 // joins that wait for an answer
	maxAsksOf = 4  // of them for one inviting node

	askFor   = 3 * time.Second // the joining node waits 5 s in all
	askAgain = time.Second
)

// A Join is what a joining node wants to be passed on.
type Join struct {
	Inviting, Joining DID
	ID                [4]byte // of the invitation
	Sealed            []byte
}

// An Answer is what the inviting node says.
type Answer struct {
	Agreed bool
	Sealed []byte // for the joining node; may be empty if not Agreed
}

// A question waits for its answer.
type question struct {
	Join
	answer chan Answer // holds one
}

// Ask passes a join on and waits for the answer. Errors: ErrAway and ErrBusy, with which
// nothing was sent; ErrSilent.
func (p *Proxy) Ask(ctx context.Context, j Join) (Answer, error) {
	if !p.c.Here(j.Inviting) {
		return Answer{}, ErrAway
	}
	q := &question{j, make(chan Answer, 1)}
	number, ok := p.begin(q)
	if !ok {
		return Answer{}, ErrBusy
	}
	defer p.end(number)
	frame := wire.ProxyJoin{Step: wire.ProxyAsks, Number: number, ID: j.ID, Joining: j.Joining, Sealed: j.Sealed}.Append(nil)
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		p.c.Send(j.Inviting, frame)
		select {
		case a := <-q.answer:
			return a, nil
		case <-again.C:
		case <-ctx.Done():
			return Answer{}, ErrSilent
		}
	}
}

// begin gives a question a number that no other has.
func (p *Proxy) begin(q *question) (number uint32, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := 0
	for _, other := range p.waiting {
		if other.Inviting == q.Inviting {
			of++
		}
	}
	if p.closed || len(p.waiting) >= maxAsks || of >= maxAsksOf {
		return 0, false
	}
	for number = rand.Uint32(); p.waiting[number] != nil; {
		number = rand.Uint32()
	}
	p.waiting[number] = q
	return number, true
}

func (p *Proxy) end(number uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, number)
}

// answered takes an answer, of the node that was asked and to what it was asked.
func (p *Proxy) answered(from DID, f wire.ProxyJoin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.waiting[f.Number]
	if q == nil || q.Inviting != from || q.ID != f.ID || q.Joining != f.Joining {
		return
	}
	select {
	case q.answer <- Answer{f.Step == wire.ProxyAgreed, append([]byte(nil), f.Sealed...)}:
	default: // the first counts
	}
}
