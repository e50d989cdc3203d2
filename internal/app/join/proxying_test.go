package join

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/net/joinproxy"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A running node takes each config that it is given, unless it cannot.
type running struct {
	used    *config.Config
	pending error
	refuses error
}

func (h *running) InUse() *config.Config { return h.used }
func (h *running) Pending() error        { return h.pending }
func (h *running) Apply(c *config.Config) error {
	if h.refuses != nil {
		return h.refuses
	}
	h.used = c
	return nil
}

// A place is one node with a config on disk.
type place struct {
	*Admission
	host *running
	id   *did.Identity
}

func newPlace(t *testing.T, name, text string) *place {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".toml")
	if _, err := config.Init(config.InitSpec{Path: path, Interface: name}); err != nil {
		t.Fatal(err)
	}
	id, err := config.LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{host: new(running), id: id}
	p.Admission = &Admission{Path: path, Store: invite.NewStore(path), Host: p.host, Log: slog.New(slog.DiscardHandler), Identity: id}
	p.write(t, text)
	return p
}

// write replaces the config, which is in use then.
func (p *place) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	p.host.used = c
}

func (p *place) has(t *testing.T, d did.DID) bool {
	t.Helper()
	c, err := config.Load(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	if there, used := c.Peer(d) != nil, p.host.used.Peer(d) != nil; there != used {
		t.Errorf("%s has %s in its file: %v, in use: %v", filepath.Base(p.Path), d, there, used)
	}
	return c.Peer(d) != nil
}

// A trio is a hub, an inviting node and two that join, with the frames between the
// first two as a function call.
type trio struct {
	*testing.T
	hub, home  *place
	joins, eve *did.Identity
	link       invite.Link
	away       bool
	silent     bool // the answer is lost
	asked      int
	change     func(*joinproxy.Join) // what the hub does to it
}

func newTrio(t *testing.T) *trio {
	x := &trio{T: t, home: newPlace(t, "home", "interface = \"l2a\"\n"), joins: identity(t, 7), eve: identity(t, 8)}
	x.hub = newPlace(t, "hub", "interface = \"l2h\"\nrelay = \"peers\"\n[[peer]]\ndid = \""+x.home.id.DID().String()+"\"\ninvites = true\n")
	x.home.write(t, "interface = \"l2a\"\naddresses = [\"10.9.0.1/24\"]\n[[peer]]\ndid = \""+x.hub.id.DID().String()+"\"\nname = \"hub\"\nhub = true\nendpoints = [\"192.0.2.1:4242\"]\n")
	x.restart()
	var err error
	x.link, _, err = invite.Make(x.home.Path, invite.Spec{Peer: "bob", Endpoints: []string{"192.0.2.9:4242"}, Life: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func identity(t *testing.T, n byte) *did.Identity {
	t.Helper()
	seed := [32]byte{n}
	id, err := did.NewIdentity(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// restart makes the hub's side anew: it has its files and nothing else.
func (x *trio) restart() {
	x.hub.Hub = NewProxying(x.hub.Admission, invite.NewDeposits(x.hub.Path), func(_ context.Context, j joinproxy.Join) (joinproxy.Answer, error) {
		if x.away {
			return joinproxy.Answer{}, joinproxy.ErrAway
		}
		x.asked++
		if x.change != nil {
			x.change(&j)
		}
		agreed, answer := x.home.Passed(x.hub.id.DID().Digest(), j.Joining, j.ID, j.Sealed)
		if x.silent {
			return joinproxy.Answer{}, joinproxy.ErrSilent
		}
		return joinproxy.Answer{Agreed: agreed, Sealed: answer}, nil
	})
}

func (x *trio) deposit(by *did.Identity, l invite.Link) invite.Reason {
	x.Helper()
	a, err := invite.ParseHubAnswer(x.hub.Answer(x.Context(), by.DID(), wire.FrameDeposit, invite.NewDeposit(l, x.hub.id.DID())))
	if err != nil {
		x.Fatal(err)
	}
	return a.Refused
}

// asks is what a node hears of the hub, and what of that the inviting node has said:
// "none" if nothing opens.
func (x *trio) asks(id *did.Identity) (hub, home invite.Reason) {
	x.Helper()
	t := invite.Through{Joining: id.DID(), Inviting: x.home.id.DID(), Hub: x.hub.id.DID()}
	sealed := t.SealRequest(x.link.Secret(), invite.NewRequest(x.link, nil))
	a, err := invite.ParseHubAnswer(x.hub.Answer(x.Context(), id.DID(), wire.FrameJoinVia, invite.NewVia(x.link, x.hub.id.DID(), sealed)))
	if err != nil {
		x.Fatal(err)
	}
	plain, err := t.OpenAnswer(x.link.Secret(), sealed, a.Sealed)
	if err != nil {
		return a.Refused, "none"
	}
	said, err := invite.ParseAnswer(plain)
	if err != nil {
		x.Fatal(err)
	}
	return a.Refused, said.Refused
}

func (x *trio) want(id *did.Identity, hub, home invite.Reason) {
	x.Helper()
	if gotHub, gotHome := x.asks(id); gotHub != hub || gotHome != home {
		x.Errorf("the hub says %q and the inviting node %q, want %q and %q", gotHub, gotHome, hub, home)
	}
}

// both reports whether both have a node as a peer; one alone is an error.
func (x *trio) both(id *did.Identity) bool {
	x.Helper()
	hub, home := x.hub.has(x.T, id.DID()), x.home.has(x.T, id.DID())
	if hub != home {
		x.Errorf("the hub has the joining node: %v, the inviting one: %v", hub, home)
	}
	return hub && home
}

// SPEC R-6.11-8: both configs change, and the same node may ask again.
func TestAHubTakesWhomItsPeerInvites(t *testing.T) {
	x := newTrio(t)
	if r := x.deposit(x.home.id, x.link); r != "" {
		t.Fatal(r)
	}
	x.want(x.joins, "", "")
	if !x.both(x.joins) {
		t.Error("not taken")
	}
	x.want(x.joins, "", "") // its answer was lost
	x.want(x.eve, invite.Used, "none")
	if x.both(x.eve) || x.asked != 2 {
		t.Error(x.asked)
	}
	text, _ := os.ReadFile(x.hub.Path)
	if strings.Contains(string(text), "bob") {
		t.Error("the inviting node has given a name at the hub")
	}
}

// SPEC R-6.11-7: nothing is passed on without a deposit of a peer that may invite.
func TestAHubPassesNothingElseOn(t *testing.T) {
	x := newTrio(t)
	x.want(x.joins, invite.Unknown, "none")
	if r := x.deposit(x.eve, x.link); r != invite.Forbidden {
		t.Error(r)
	}
	x.want(x.joins, invite.Unknown, "none")
	x.deposit(x.home.id, x.link)
	x.hub.write(t, "interface = \"l2h\"\nrelay = \"peers\"\n[[peer]]\ndid = \""+x.home.id.DID().String()+"\"\n")
	x.want(x.joins, invite.Forbidden, "none")
	if r := x.deposit(x.home.id, x.link); r != invite.Forbidden || x.hub.Open() {
		t.Error(r)
	}
	late := x.link
	late.Until = time.Now().Add(-time.Minute)
	x.hub.write(t, "interface = \"l2h\"\nrelay = \"peers\"\n[[peer]]\ndid = \""+x.home.id.DID().String()+"\"\ninvites = true\n")
	if r := x.deposit(x.home.id, late); r != invite.Expired {
		t.Error(r)
	}
	for _, frame := range []byte{wire.FrameDeposit, wire.FrameJoinVia} {
		if a, err := invite.ParseHubAnswer(x.hub.Answer(t.Context(), x.joins.DID(), frame, []byte("{}"))); err != nil || a.Refused != invite.Version {
			t.Error(a, err)
		}
	}
	if x.asked != 0 || x.both(x.joins) {
		t.Errorf("%d were passed on", x.asked)
	}
}

// The inviting node is away: nothing is claimed, and the link serves anybody later.
func TestAnInvitingNodeThatIsAway(t *testing.T) {
	x := newTrio(t)
	x.deposit(x.home.id, x.link)
	x.away = true
	x.want(x.eve, invite.Away, "none")
	x.away = false
	x.want(x.joins, "", "")
	if !x.both(x.joins) || x.both(x.eve) {
		t.Error("not the right one")
	}
}

// A refusal of the inviting node comes back sealed, and changes no config. One that has
// withdrawn the invitation says nothing that opens.
func TestARefusalChangesNothing(t *testing.T) {
	x := newTrio(t)
	x.deposit(x.home.id, x.link)
	x.home.host.pending = errors.New("a change waits")
	x.want(x.joins, invite.Inviting, invite.Busy)
	x.home.host.pending = nil
	x.want(x.eve, "", "") // released, so that another may have it
	if !x.both(x.eve) || x.both(x.joins) {
		t.Error("not the right one")
	}
	y := newTrio(t)
	y.deposit(y.home.id, y.link)
	if err := y.home.Store.Remove(y.link.ID); err != nil {
		t.Fatal(err)
	}
	y.want(y.joins, invite.Inviting, "none")
	if y.both(y.joins) {
		t.Error("taken")
	}
}

// What the hub cannot take is refused before anybody is asked.
func TestAHubThatCannotTakeAPeer(t *testing.T) {
	x := newTrio(t)
	x.deposit(x.home.id, x.link)
	x.hub.host.pending = errors.New("a change waits")
	x.want(x.joins, invite.Busy, "none")
	x.hub.host.pending = nil
	text, _ := os.ReadFile(x.hub.Path)
	if err := os.WriteFile(x.hub.Path, append(text, "[[peer]]\ndid = \""+x.eve.DID().String()+"\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	x.want(x.joins, invite.Failed, "none") // an edit of the owner's is not in use
	if err := os.WriteFile(x.hub.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	x.want(x.home.id, invite.Already, "none")
	x.want(x.hub.id, invite.Already, "none")
	if x.asked != 0 {
		t.Error("it was passed on")
	}
	x.want(x.joins, "", "")
}

// The process ends between the two configs, or the answer is lost: what was passed on
// is settled later, and nothing is half-done.
func TestACrashBetweenTheTwoConfigs(t *testing.T) {
	x := newTrio(t)
	x.deposit(x.home.id, x.link)
	x.silent = true
	x.want(x.joins, invite.Silent, "none")
	if !x.home.has(t, x.joins.DID()) || x.hub.has(t, x.joins.DID()) {
		t.Fatal("this is no crash between the two")
	}
	x.want(x.eve, invite.Used, "none") // the claim is durable
	x.restart()
	x.away = true
	if !x.hub.Hub.settle(t.Context()) {
		t.Error("settled without the inviting node")
	}
	x.away, x.silent = false, false
	if x.hub.Hub.settle(t.Context()) || !x.both(x.joins) {
		t.Error("not settled")
	}
	x.want(x.joins, "", "") // with the same link
	if all, err := x.hub.Hub.Deposits.Unsettled(); err != nil || len(all) != 0 {
		t.Error(all, err)
	}

	// The hub's own config cannot be written at that moment.
	y := newTrio(t)
	y.deposit(y.home.id, y.link)
	y.hub.host.refuses = errors.New("the kernel refuses")
	y.want(y.joins, invite.Unfinished, "none")
	if y.hub.has(t, y.joins.DID()) {
		t.Error("the block is left in the file")
	}
	y.hub.host.refuses = nil
	if y.hub.Hub.settle(t.Context()) || !y.both(y.joins) {
		t.Error("not settled")
	}

	// The inviting node refuses what was open: the claim ends.
	z := newTrio(t)
	z.deposit(z.home.id, z.link)
	z.silent = true
	z.home.host.pending = errors.New("a change waits")
	z.want(z.joins, invite.Silent, "none")
	z.silent = false
	if z.hub.Hub.settle(t.Context()) || z.both(z.joins) {
		t.Error("not settled")
	}
	faults.Report(t, "N18", !t.Failed(), "3 interruptions, each settled to both configs or none")
}

// A node that is still starting has no config in use: what an earlier process has left
// waits until it has.
func TestANodeThatIsStartingSettlesNothing(t *testing.T) {
	x := newTrio(t)
	x.deposit(x.home.id, x.link)
	x.silent = true
	x.want(x.joins, invite.Silent, "none")
	x.restart()
	used := x.hub.host.used
	x.silent, x.hub.host.used = false, nil
	if !x.hub.Hub.settle(t.Context()) || mayInvite(nil, x.home.id.DID()) {
		t.Error("settled")
	}
	if x.hub.host.used = used; x.hub.Hub.settle(t.Context()) || !x.both(x.joins) {
		t.Error("not settled")
	}
}

// SPEC R-6.11-9: a hub that lies gets nobody in, and nothing believed.
func TestAHubThatLies(t *testing.T) {
	for name, change := range map[string]func(x *trio) func(*joinproxy.Join){
		"itself for the joining node": func(x *trio) func(*joinproxy.Join) {
			return func(j *joinproxy.Join) { j.Joining = x.hub.id.DID().Digest() }
		},
		"another for the joining node": func(x *trio) func(*joinproxy.Join) {
			return func(j *joinproxy.Join) { j.Joining = x.eve.DID().Digest() }
		},
		"another invitation": func(x *trio) func(*joinproxy.Join) {
			return func(j *joinproxy.Join) { j.ID[0] ^= 1 }
		},
		"a byte of the request": func(x *trio) func(*joinproxy.Join) {
			return func(j *joinproxy.Join) { j.Sealed[len(j.Sealed)/2] ^= 1 }
		},
	} {
		x := newTrio(t)
		x.deposit(x.home.id, x.link)
		x.change = change(x)
		hub, home := x.asks(x.joins)
		if hub != invite.Inviting || home != "none" || x.both(x.joins) || x.home.has(t, x.eve.DID()) {
			t.Errorf("%s: %q %q", name, hub, home)
		}
	}
	// An answer of an earlier time, or a yes that nobody has given.
	x := newTrio(t)
	tr := invite.Through{Joining: x.joins.DID(), Inviting: x.home.id.DID(), Hub: x.hub.id.DID()}
	h := invite.Hub{DID: x.hub.id.DID(), Name: "hub"}
	o := &Options{Link: x.link}
	old := tr.SealRequest(x.link.Secret(), invite.NewRequest(x.link, nil))
	yes := tr.SealAnswer(x.link.Secret(), old, invite.NewAnswer(""))
	now := tr.SealRequest(x.link.Secret(), invite.NewRequest(x.link, nil))
	for name, sealed := range map[string][]byte{"an old answer": yes, "nothing": nil, "noise": make([]byte, 60)} {
		var p passage
		p.take(h, tr, o, now, invite.NewHubAnswer("", sealed), nil)
		if p.answer != nil || len(p.taken) != 0 || p.why == nil || !p.unsure {
			t.Errorf("%s: %+v", name, p)
		}
	}
	faults.Report(t, "N19", !t.Failed(), "4 changed requests and 3 answers of others: nobody is taken, nothing is believed")
	var p passage // a no in place of a yes
	p.take(h, tr, o, old, invite.NewHubAnswer(invite.Inviting, yes), nil)
	if p.answer == nil || len(p.taken) != 0 {
		t.Errorf("%+v", p)
	}
}
