package keys

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// A pair is two sessions without states and paths, between them a wire on which
// tests lose records. The time is the test's.
type pair struct {
	t    *testing.T
	now  time.Time
	a, b *end
}

// An end is a session as its store sees it, and the path and plane under it.
type end struct {
	*Store
	w        *pair
	id       *did.Identity
	prekey   *handshake.Prekey
	peer     *end
	planes   frames.Planes
	sent     [][]byte           // not delivered yet
	lose     func(rec int) bool // of the nth record that is sent; nil: none
	alter    func(frame []byte) // a frame that arrives; nil: none
	records  int                // that were sent
	calls    []func()           // posted to the loop
	answers  map[handshake.ResumeID]bool
	rotating bool
	fulls    int // handshakes that were asked for
	stopped  []rotation.Reason
	refuse   error // of Params
	ids      byte
}

var _ Session = (*end)(nil)

func newPair(t *testing.T) *pair {
	w := &pair{t: t, now: time.Unix(1_000_000, 0)}
	w.a, w.b = w.end(1), w.end(2)
	w.a.peer, w.b.peer = w.b, w.a
	w.a.open(w.b)
	w.b.open(w.a)
	return w
}

func (w *pair) end(n byte) *end {
	w.t.Helper()
	id, err1 := did.NewIdentity(append(make([]byte, 31), n))
	prekey, err2 := handshake.NewPrekey(id, w.now, w.now.Add(24*time.Hour), nil)
	if err := errors.Join(err1, err2); err != nil {
		w.t.Fatal(err)
	}
	return &end{w: w, id: id, prekey: prekey, ids: n << 4, answers: make(map[handshake.ResumeID]bool)}
}

func (e *end) open(peer *end) {
	e.Store = New(Config{Session: e, Self: connect.Self{Identity: e.id}, Plane: e.planes.New(e, link.QueueLimits{}),
		Messages: new(msgchan.Keys), Log: slog.New(slog.DiscardHandler),
		Rotation: rotation.Config{Smaller: e.id.DID().Compare(peer.id.DID()) < 0, RekeyAfter: 2 * time.Minute, TTL: 24 * time.Hour, RotationWindow: time.Hour}})
}

// The path.
func (e *end) Kind() *link.Kind       { return link.KindDirect }
func (e *end) Local() netip.AddrPort  { return netip.AddrPort{} }
func (e *end) Remote() netip.AddrPort { return netip.AddrPort{} }
func (e *end) Room() int              { return 1300 }
func (e *end) RTT() time.Duration     { return 0 }
func (e *end) Send(b *wire.Batch) (int, error) {
	for _, r := range b.Slices() {
		if e.records++; e.lose == nil || !e.lose(e.records) {
			e.sent = append(e.sent, bytes.Clone(r))
		}
	}
	return len(b.Slices()), nil
}

// The sink of the plane.
func (e *end) Frame(_ link.Path, rec *record.Epoch, f []byte) {
	f = bytes.Clone(f)
	if e.alter != nil {
		e.alter(f)
	}
	e.calls = append(e.calls, func() {
		if typ, _ := wire.FrameType(f); typ == wire.FrameHandshake {
			e.Receive(rec, f[1:], e, e.w.now)
		}
	})
}
func (e *end) Opened(_ link.Path, rec *record.Epoch) {
	e.calls = append(e.calls, func() { e.Store.Opened(rec, e.w.now) })
}
func (e *end) Moved(link.Path) {}
func (e *end) Waiting()        {}
func (e *end) Failed()         {}
func (e *end) Came()           {}
func (e *end) Sent()           {}

// The session.
func (e *end) Path() link.Path { return e }
func (e *end) Params(number uint32) (wire.Params, error) {
	e.ids++
	return wire.Params{RecordID: wire.MakeRecordID([wire.RecordIDSize]byte{e.ids}), MTU: 1420, Epoch: number, Incarnation: 1}, e.refuse
}
func (e *end) InUse() {}
func (e *end) Confirm(time.Time) {
	frames.Send(e.Store.InUse(), e, wire.SpaceControl, wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 7))
}
func (e *end) FullHandshake(time.Time)                { e.fulls++ }
func (e *end) Rotating(on bool, _ time.Time)          { e.rotating = on }
func (e *end) Answers(id handshake.ResumeID, on bool) { e.answers[id] = on }
func (e *end) Stopped(why rotation.Reason, _ time.Time) bool {
	e.stopped = append(e.stopped, why)
	return false
}

// handshake.PrekeyStore of the responder.
func (e *end) ByID(uint32) *handshake.Prekey { return e.prekey }
func (e *end) Current() *handshake.Prekey    { return e.prekey }

// deliver lets everything arrive that was sent.
func (w *pair) deliver() {
	for len(w.a.sent)+len(w.b.sent)+len(w.a.calls)+len(w.b.calls) > 0 {
		for _, e := range []*end{w.a, w.b} {
			sent, calls := e.sent, e.calls
			e.sent, e.calls = nil, nil
			e.peer.planes.Records(e.peer, sent)
			for _, c := range calls {
				c()
			}
		}
	}
}

// arrive lets what was sent to e arrive, and nothing else.
func (e *end) arrive() {
	sent := e.peer.sent
	e.peer.sent = nil
	e.planes.Records(e, sent)
	calls := e.calls
	e.calls = nil
	for _, c := range calls {
		c()
	}
}

// pass lets time pass, in steps.
func (w *pair) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(100*time.Millisecond, end.Sub(w.now)))
		w.a.Tick(w.now)
		w.b.Tick(w.now)
		w.deliver()
	}
}

// shake makes the messages of a full handshake that a initiates; the keys of either
// end are not in use yet.
func (w *pair) shake() (atA, pending *handshake.Result, finish func() *handshake.Result) {
	w.t.Helper()
	fatal := func(err error) {
		if err != nil {
			w.t.Helper()
			w.t.Fatal(err)
		}
	}
	params, _ := w.a.Params(w.a.Propose())
	i, err := handshake.NewInitiator(connect.Self{Identity: w.a.id}.Handshake(0, [32]byte{}), w.b.id.DID(), nil, params)
	fatal(err)
	r := handshake.NewResponder(connect.Self{Identity: w.b.id}.Handshake(0, [32]byte{}), w.b)
	msg, err := i.Start(nil)
	fatal(err)
	for atA == nil {
		out, claim, err := r.Read(nil, msg)
		fatal(err)
		if claim != nil {
			number, err := w.b.NumberFor(claim.Params.Epoch)
			fatal(err)
			params, _ := w.b.Params(number)
			out, pending, err = r.Accept(nil, params)
			fatal(err)
		}
		msg, atA, err = i.Read(nil, out)
		fatal(err)
	}
	return atA, pending, func() *handshake.Result {
		res, err := r.Finish(msg)
		fatal(err)
		return res
	}
}

// prove puts a handshake to use at one end.
func (e *end) prove(p *Proof) error {
	won, err := e.Prove(p, e.w.now)
	if won {
		e.Keep(p, e.w.now)
	}
	return err
}

// establish makes a full handshake that a initiates.
func (w *pair) establish() {
	w.t.Helper()
	atA, pending, finish := w.shake()
	id, err1 := w.b.Hold(pending)
	err2 := w.a.prove(&Proof{Proof: connect.Proof{Result: atA}, Role: rotation.Initiator})
	err3 := w.b.prove(&Proof{Proof: connect.Proof{Result: finish()}, Role: rotation.Responder, ID: id})
	if err := errors.Join(err1, err2, err3); err != nil {
		w.t.Fatal(err)
	}
	w.a.Confirm(w.now)
	w.b.Confirm(w.now)
	w.deliver()
	w.want(1)
}

// want asserts that both ends send under an epoch, the same, and have the secrets
// that later handshakes start from.
func (w *pair) want(number uint32) {
	w.t.Helper()
	if a, b := w.a.Number(), w.b.Number(); a != number || b != number {
		w.t.Fatalf("epochs %d and %d in use, want %d", a, b, number)
	}
	if w.a.cur.rekey != w.b.cur.rekey || w.a.cur.rekey.IsZero() {
		w.t.Fatal("the next rotation has not the same secret at both ends")
	}
	for _, e := range []*end{w.a, w.b} {
		out, _ := e.Secrets.Resumption(w.now)
		if _, secret, ok := e.peer.Secrets.Find(out.ID, w.now); !ok || secret != out.Secret || secret.IsZero() {
			w.t.Fatal("a resumption has not the same secret at both ends")
		}
	}
}
