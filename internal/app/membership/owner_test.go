package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/netstore"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// A world is some owners, between whom sessions are calls, in virtual time.
type world struct {
	*testing.T
	mu    sync.Mutex
	nodes map[did.DID]*node
	up    map[[2]did.DID]bool
}

// A node is an owner with what it has told.
type node struct {
	*Owner
	w      *world
	id     *did.Identity
	local  []config.Network
	folder string

	mu     sync.Mutex
	static []did.DID
	closed []did.DID
	events []string // members at each Changed
}

func inWorld(t *testing.T, f func(w *world)) {
	bubble.Test(t, func(t *testing.T) {
		w := &world{T: t, nodes: make(map[did.DID]*node), up: make(map[[2]did.DID]bool)}
		defer func() {
			for _, n := range w.nodes {
				n.Owner.Close()
			}
		}()
		f(w)
	})
}

func identity(t *testing.T, name string) *did.Identity {
	t.Helper()
	seed := network.TextHash("seed of " + name)
	id, err := did.NewIdentity(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// node makes a node that is in networks.
func (w *world) node(name string, local ...config.Network) *node {
	n := &node{w: w, id: identity(w.T, name), local: local, folder: w.TempDir() + "/n.networks"}
	n.start()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[n.id.DID()] = n
	return n
}

func (n *node) start() {
	n.Owner = Open(Config{Self: n.id.DID(), Folder: n.folder, Static: n.isStatic, Changed: n.changed, Log: slog.New(slog.DiscardHandler), Guard: guard.New(slog.New(slog.DiscardHandler))})
	n.Start(n, n.local)
}

func (n *node) isStatic(d did.DID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.static, d)
}

func (n *node) changed() {
	seen := ""
	for _, x := range n.Networks() {
		seen += fmt.Sprintf("%s %d members %v;", x.Name, x.View.Len(), x.Admitted)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, seen)
}

// Say implements Sessions.
func (n *node) Say(to documents.Peer, frame []byte) {
	news, ok := wire.ParseNews(frame, wire.FrameNews)
	if other := n.w.other(n, did.FromDigest(to)); other != nil && ok {
		other.Heard(n.id.DID().Digest(), news)
	}
}

// Fetch implements Sessions.
func (n *node) Fetch(ctx context.Context, peer did.DID, asked wire.News, to documents.Taker) (wire.AnswerStatus, error) {
	other := n.w.other(n, peer)
	if other == nil {
		return 0, errors.New("no session")
	}
	sending, a := other.Asked(n.id.DID().Digest(), asked)
	all := false
	defer func() {
		if a.Ended != nil {
			a.Ended(all)
		}
	}()
	for _, d := range a.Docs {
		time.Sleep(10 * time.Millisecond)
		if err := errors.Join(ctx.Err(), sending.Err()); err != nil {
			return a.Status, err
		}
		to.Piece()
		if err := to.Document(d); err != nil {
			return a.Status, err
		}
	}
	all = true
	return a.Status, nil
}

// Close implements Sessions.
func (n *node) Close(peer did.DID) {
	n.mu.Lock()
	n.closed = append(n.closed, peer)
	n.mu.Unlock()
	go n.w.link(n, n.w.nodes[peer], false)
}

// other is the node at the other end of a session; nil: there is none.
func (w *world) other(n *node, d did.DID) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.up[[2]did.DID{n.id.DID(), d}] {
		return nil
	}
	return w.nodes[d]
}

// link begins or ends a session between two.
func (w *world) link(a, b *node, up bool) {
	w.mu.Lock()
	for _, pair := range [][2]did.DID{{a.id.DID(), b.id.DID()}, {b.id.DID(), a.id.DID()}} {
		w.up[pair] = up
	}
	w.mu.Unlock()
	for _, x := range [][2]*node{{a, b}, {b, a}} {
		if up {
			x[0].Up(x[1].id.DID().Digest(), true)
		} else {
			x[0].Ended(x[1].id.DID().Digest())
		}
	}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// founded is a node that has made a network, and the network's id.
func (w *world) founded(name string, hubs ...did.DID) (*node, network.Hash) {
	w.Helper()
	id := identity(w.T, name)
	h := &network.Head{Name: "home", Serial: 1, Issued: time.Now().UTC().Truncate(time.Second), Threshold: 1, Admins: []did.DID{id.DID()},
		Issuers: []network.Issuer{{DID: id.DID(), Groups: []string{"*"}, Prefix: netip.MustParsePrefix("10.9.0.0/16"), Routes: true}}, Hubs: hubs}
	net := network.ID(h.String())
	n := w.node(name, config.Network{ID: net, Name: "home"})
	w.ok(n.Change(net, func(*network.State, time.Time) ([][]byte, error) {
		return [][]byte{network.Sign(h.String(), id).Append(nil)}, nil
	}))
	n.invites(net, n.id.DID(), name)
	return n, net
}

// invites makes a node a member.
func (n *node) invites(net network.Hash, d did.DID, name string) {
	n.w.Helper()
	n.w.ok(n.Change(net, func(st *network.State, now time.Time) ([][]byte, error) {
		r, err := st.DraftRoster(n.id.DID(), now)
		n.w.ok(err)
		a, err := st.View().FreeAddr(n.id.DID(), d)
		n.w.ok(err)
		r.Put(network.Line{DID: d, Name: name, Addrs: []netip.Addr{a}})
		return [][]byte{network.Sign(r.String(), n.id).Append(nil)}, nil
	}))
}

// removes removes a member.
func (n *node) removes(net network.Hash, d did.DID) {
	n.w.Helper()
	n.w.ok(n.Change(net, func(st *network.State, now time.Time) ([][]byte, error) {
		x, err := st.DraftRemovals(n.id.DID(), now, time.Time{}, d)
		n.w.ok(err)
		return [][]byte{network.Sign(x.String(), n.id).Append(nil)}, nil
	}))
}

// joins is a node that knows the id of a network and who has invited it.
func (w *world) joins(name string, net network.Hash, by *node) *node {
	w.Helper()
	n := w.node(name, config.Network{ID: net, Name: "home", Contacts: []config.Contact{{DID: by.id.DID(), Endpoint: "192.0.2.1:4242"}}})
	by.invites(net, n.id.DID(), name)
	w.link(n, by, true)
	return n
}

func (n *node) members() int { return n.Networks()[0].View.Len() }

func (n *node) was(closed did.DID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.closed, closed)
}

// Who is invited knows the network's id alone, asks who has invited it, and has all of it a
// moment later; a member that comes is known to the others, and one that is removed is
// closed by all, before it could be heard again.
func TestMembersComeAndGo(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b, c := w.joins("b", net, a), w.joins("c", net, a)
		time.Sleep(time.Second)
		if a.members() != 3 || b.members() != 3 || c.members() != 3 {
			t.Fatal(a.members(), b.members(), c.members())
		}
		w.link(b, c, true)
		a.removes(net, c.id.DID())
		time.Sleep(300 * time.Millisecond)
		if !a.was(c.id.DID()) || !b.was(c.id.DID()) || b.members() != 2 {
			t.Error("the removed member is not closed everywhere")
		}
		w.link(b, c, true) // it comes again
		time.Sleep(time.Second)
		if w.other(b, c.id.DID()) != nil {
			t.Error("the removed member is in session")
		}
	})
}

// SPEC R-10.5-5, R-10.7-2: what was acted on is there after a restart, a removal included, and the
// owner that starts again lets members in only once a hub was asked.
func TestRestartKnowsNoLess(t *testing.T) {
	inWorld(t, func(w *world) {
		hub := identity(t, "hub")
		a, net := w.founded("a", hub.DID())
		h := w.joins("hub", net, a)
		b, c := w.joins("b", net, a), w.joins("c", net, a)
		time.Sleep(time.Second)
		a.removes(net, c.id.DID())
		time.Sleep(time.Second)
		w.link(a, b, false)
		b.Owner.Close()
		a.invites(net, identity(t, "d").DID(), "d")
		time.Sleep(time.Second)
		b.start()
		time.Sleep(time.Second)
		n := b.Networks()[0]
		if _, gone := n.View.Removed(c.id.DID()); !gone || n.Admitted {
			t.Errorf("removed %v, admitted before the hub was asked: %v", gone, n.Admitted)
		}
		w.link(b, h, true)
		time.Sleep(time.Second)
		if n := b.Networks()[0]; !n.Admitted || n.View.Len() != 4 {
			t.Errorf("admitted %v with %d members", n.Admitted, n.View.Len())
		}
	})
}

// Without an answer of a hub members are let in after a while all the same.
func TestGateOpensWithoutHubs(t *testing.T) {
	inWorld(t, func(w *world) {
		hub := identity(t, "hub")
		a, net := w.founded("a", hub.DID())
		a.invites(net, hub.DID(), "hub")
		a.Owner.Close()
		a.start()
		time.Sleep(time.Second)
		if a.Networks()[0].Admitted {
			t.Error("admitted at once")
		}
		time.Sleep(5 * time.Second)
		if !a.Networks()[0].Admitted {
			t.Error("not admitted")
		}
	})
}

// A peer of the config is closed by no network.
func TestStaticPeersStay(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.joins("b", net, a)
		time.Sleep(time.Second)
		a.mu.Lock()
		a.static = append(a.static, b.id.DID())
		a.mu.Unlock()
		a.removes(net, b.id.DID())
		time.Sleep(time.Second)
		if a.was(b.id.DID()) {
			t.Error("a peer of the config was closed")
		}
	})
}

// What cannot be saved is not used, not told to others, and asked for again.
func TestFullDiskHoldsADocumentBack(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.joins("b", net, a)
		time.Sleep(time.Second)
		free := b.full()
		a.invites(net, identity(t, "c").DID(), "c")
		time.Sleep(3 * time.Second)
		if b.members() != 2 {
			t.Error("used before it was saved")
		}
		free()
		time.Sleep(20 * time.Second)
		if b.members() != 3 {
			t.Error("not used once it could be saved")
		}
	})
}

// full lets a node save nothing, until free.
func (n *node) full() (free func()) {
	n.w.ok(os.Rename(n.folder, n.folder+".away"))
	n.w.ok(os.WriteFile(n.folder, nil, 0o600)) // no folder can be made
	return func() {
		n.w.ok(os.Remove(n.folder))
		n.w.ok(os.Rename(n.folder+".away", n.folder))
	}
}

// A person who was told that a change failed does not find it in effect later, and can ask
// for it again; of two documents the first one alone is not taken.
func TestFailedChangeIsNone(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.joins("b", net, a)
		time.Sleep(time.Second)
		remove := func() error {
			return a.Change(net, func(st *network.State, now time.Time) ([][]byte, error) {
				x, err := st.DraftRemovals(a.id.DID(), now, time.Time{}, b.id.DID())
				w.ok(err)
				return [][]byte{network.Sign(x.String(), a.id).Append(nil)}, nil
			})
		}
		free := a.full()
		if err := remove(); err == nil {
			t.Fatal("no error")
		}
		free()
		time.Sleep(time.Hour)
		if a.members() != 2 || a.was(b.id.DID()) {
			t.Error("the change that failed is in effect")
		}
		err := a.Change(net, func(st *network.State, now time.Time) ([][]byte, error) {
			x, err := st.DraftRemovals(a.id.DID(), now, time.Time{}, b.id.DID())
			w.ok(err)
			return [][]byte{network.Sign(x.String(), a.id).Append(nil), []byte("no document")}, nil
		})
		if err == nil || a.members() != 2 {
			t.Errorf("half of a change is in effect (%v)", err)
		}
		if w.ok(remove()); a.members() != 1 {
			t.Error("the change cannot be made any more")
		}
	})
}

// A fork is shown at once, and after a restart.
func TestForkIsShownAndKept(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		next := func(hubs ...did.DID) []byte {
			var doc []byte
			w.ok(a.Change(net, func(st *network.State, now time.Time) ([][]byte, error) {
				h, err := st.DraftHead(now)
				w.ok(err)
				h.Hubs = hubs
				doc = network.Sign(h.String(), a.id).Append(nil)
				return nil, nil
			}))
			return doc
		}
		one, two := next(), next(identity(t, "hub").DID())
		take := func(doc []byte) error {
			return a.Change(net, func(*network.State, time.Time) ([][]byte, error) { return [][]byte{doc}, nil })
		}
		w.ok(take(one))
		forked := func() bool {
			return slices.ContainsFunc(a.Networks()[0].Findings, func(f network.Finding) bool { return f.Code == network.NetworkFork })
		}
		if err := take(two); network.CodeOf(err) != network.NetworkFork || !forked() {
			t.Errorf("%v, shown: %v", err, forked())
		}
		time.Sleep(saveSoon + time.Second)
		st, err := netstore.Read(a.folder, net)
		w.ok(err)
		if !slices.ContainsFunc(st.Findings(time.Now()), func(f network.Finding) bool { return f.Code == network.NetworkFork }) {
			t.Error("the fork is not written down")
		}
	})
}

// A network that the config names no more is left: nothing of it is used or told, and its
// documents stay for the day on which it is named again.
func TestNetworkIsLeftAndJoinedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.joins("b", net, a)
		time.Sleep(time.Second)
		w.ok(b.Configure(nil))
		if len(b.Networks()) != 0 {
			t.Error("still there")
		}
		w.ok(b.Configure(b.local))
		if b.members() != 2 {
			t.Errorf("%d members", b.members())
		}
		if err := b.Change(network.Hash{1}, nil); !errors.Is(err, ErrNoNetwork) {
			t.Error(err)
		}
	})
}

// Each document that was taken is in the log, with who signed it and what it brought about.
func TestDocumentsAreLogged(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.joins("b", net, a)
		time.Sleep(time.Second)
		a.removes(net, b.id.DID())
		time.Sleep(time.Second)
		all, err := ReadLog(a.folder, net)
		w.ok(err)
		var got []string
		for _, e := range all {
			got = append(got, fmt.Sprintf("%s %d by %d added %d removed %d", e.Document, e.Serial, len(e.Signers), len(e.Added), len(e.Removed)))
		}
		want := []string{"head 1 by 1 added 0 removed 0", "roster 1 by 1 added 1 removed 0", "roster 2 by 1 added 1 removed 0", "removals 0 by 1 added 0 removed 1"}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// Whoever asks at the start, such as the first apply, finds the networks there: without them
// all members would be strangers for a moment.
func TestNetworksAreInUseAfterStart(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.founded("a")
		for range 10 {
			a.Owner.Close()
			if a.start(); len(a.Networks()) != 1 || a.members() != 1 {
				t.Fatalf("%d networks", len(a.Networks()))
			}
		}
	})
}

// The end of an answer that was stopped is not taken for that of the next one to the same
// peer, which can be stopped too.
func TestEachAnswerEndsByItself(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.joins("b", net, a)
		time.Sleep(time.Second)
		ask := func() (context.Context, documents.Answer) {
			return a.Asked(b.id.DID().Digest(), wire.News{Network: [32]byte(net)})
		}
		first, answer := ask()
		time.Sleep(3 * time.Minute)
		if first.Err() == nil || answer.Status != wire.AnswerAll {
			t.Fatal("the first answer goes on, or was none", answer.Status)
		}
		second, other := ask()
		answer.Ended(false)
		time.Sleep(time.Second)
		if _, third := ask(); other.Status != wire.AnswerAll || third.Status != wire.AnswerBusy {
			t.Error("two answers at a time:", other.Status, third.Status)
		}
		if time.Sleep(3 * time.Minute); second.Err() == nil {
			t.Error("the second answer was not stopped")
		}
	})
}

// Documents that a node finds while it runs and cannot use are put aside, like those that it
// finds at its start: saving has nothing to overwrite.
func TestDamagedDocumentsAreKept(t *testing.T) {
	inWorld(t, func(w *world) {
		a, net := w.founded("a")
		b := w.node("b")
		w.ok(os.Mkdir(b.folder, 0o700))
		w.ok(os.WriteFile(b.folder+"/"+net.String(), []byte("half"), 0o600))
		w.ok(b.Configure([]config.Network{{ID: net, Name: "home", Contacts: []config.Contact{{DID: a.id.DID(), Endpoint: "192.0.2.1:4242"}}}}))
		a.invites(net, b.id.DID(), "b")
		w.link(a, b, true)
		time.Sleep(time.Second)
		if text, err := os.ReadFile(b.folder + "/" + net.String() + ".damaged"); b.members() != 2 || string(text) != "half" {
			t.Errorf("%d members, %q, %v", b.members(), text, err)
		}
	})
}
