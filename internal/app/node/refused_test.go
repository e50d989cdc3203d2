package node

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

// silent are the sessions of a node that has none.
type silent struct{}

func (silent) Say(documents.Peer, []byte) {}
func (silent) Close(did.DID)              {}
func (silent) Fetch(context.Context, did.DID, wire.News, documents.Taker) (wire.AnswerStatus, error) {
	return 0, errors.New("no session")
}

// A disputed is a network before a dispute: what its signers have signed, and a node that
// holds some of it. The admins are ada and bob, any one of them signs heads; they are
// issuers too, and so is the thief, for phones in 10.9.2.0/24.
type disputed struct {
	*testing.T
	began time.Time
	id    network.Hash
	first string // head 1
	calls networkCalls
	shows *reporter
	owner *membership.Owner
	at    membership.Config
}

func named(name string) *did.Identity {
	seed := sha256.Sum256([]byte("seed of " + name))
	id, err := did.NewIdentity(seed[:])
	if err != nil {
		panic(err)
	}
	return id
}

func newDisputed(t *testing.T) *disputed {
	w := &disputed{T: t, began: time.Now().UTC().Truncate(time.Second).Add(-time.Hour)}
	admins := []did.DID{named("ada").DID(), named("bob").DID()}
	slices.SortFunc(admins, func(a, b did.DID) int { return strings.Compare(a.String(), b.String()) })
	issuer := func(name, group, prefix string, routes bool) network.Issuer {
		return network.Issuer{DID: named(name).DID(), Groups: []string{group}, Prefix: netip.MustParsePrefix(prefix), Routes: routes}
	}
	h := network.Head{Name: "home", Serial: 1, Issued: w.began, Threshold: 1, Admins: admins,
		Issuers: []network.Issuer{issuer("ada", "*", "10.9.0.0/24", true), issuer("bob", "*", "10.9.1.0/24", true), issuer("thief", "phone", "10.9.2.0/24", false)}}
	w.first = h.String()
	w.id = network.ID(w.first)
	log := slog.New(slog.DiscardHandler)
	w.at = membership.Config{Self: named("self").DID(), Folder: t.TempDir() + "/n.networks", Static: func(did.DID) bool { return false }, Changed: func() {}, Log: log, Guard: guard.New(log)}
	w.start()
	t.Cleanup(func() { w.owner.Close() })
	if text := w.take(w.head(1, nil, "ada")); text != "" {
		t.Fatal(text)
	}
	return w
}

func (w *disputed) start() {
	w.owner = membership.Open(w.at)
	w.owner.Start(silent{}, []config.Network{{ID: w.id, Name: "home"}})
	use := &applier{networks: w.owner, id: w.at.Self}
	use.party.Store(new(party))
	w.calls, w.shows = networkCalls{id: named("self"), use: use}, &reporter{use: use}
}

// take hands a document to the node as l2tun network take does, and returns the sentence
// by which it refuses.
func (w *disputed) take(doc []byte) string {
	_, err := w.calls.ChangeNetwork(w.Context(), control.NetworkChange{Do: control.DoTake, Document: doc})
	if err != nil {
		return err.Error()
	}
	return ""
}

// shown are the codes in networks[].findings[] of the status.
func (w *disputed) shown() (out []string) {
	for _, f := range w.shows.networkStatus()[0].Findings {
		out = append(out, f.Code)
	}
	return out
}

func sign(text fmt.Stringer, by ...string) []byte {
	var ids []*did.Identity
	for _, n := range by {
		ids = append(ids, named(n))
	}
	return network.Sign(text.String(), ids...).Append(nil)
}

// head is a head that is issued as many minutes after the network began as its serial says.
func (w *disputed) head(serial uint64, change func(h *network.Head), by ...string) []byte {
	w.Helper()
	h, err := network.ParseHead(w.first)
	if err != nil {
		w.Fatal(err)
	}
	if serial > 1 {
		h.Serial, h.Network, h.Previous, h.Issued = serial, w.id, []network.Hash{network.TextHash(w.first)}, w.began.Add(time.Duration(serial)*time.Minute)
	}
	if change != nil {
		change(h)
	}
	return sign(h, by...)
}

func (w *disputed) roster(serial uint64, issuer string, lines ...network.Line) []byte {
	r := &network.Roster{Network: w.id, Issuer: named(issuer).DID(), Serial: serial, Issued: w.began}
	for _, l := range lines {
		r.Put(l)
	}
	return sign(r, issuer)
}

// of is a line of a member; addr may be "".
func of(name, addr string, change ...func(l *network.Line)) network.Line {
	l := network.Line{DID: did.FromDigest(sha256.Sum256([]byte(name))), Name: name}
	if addr != "" {
		l.Addrs = []netip.Addr{netip.MustParseAddr(addr)}
	}
	for _, f := range change {
		f(&l)
	}
	return l
}

func group(name string) func(*network.Line) {
	return func(l *network.Line) { l.Groups = []string{name} }
}

func behind(prefix string) func(*network.Line) {
	return func(l *network.Line) { l.Routes = []netip.Prefix{netip.MustParsePrefix(prefix)} }
}

// damaged is a document whose lines of signatures are changed: the first is Ed25519, the
// second ML-DSA-65.
func damaged(doc []byte, change func(sigs []string) []string) []byte {
	parts := strings.SplitN(string(doc), "\n\n", 3)
	parts[1] = strings.Join(change(strings.Split(parts[1], "\n")), "\n")
	return []byte(strings.Join(parts, "\n\n"))
}

// rewritten changes the bytes of one line of signatures: 4 of the key's hash, then the
// signature.
func rewritten(doc []byte, line int, change func(raw []byte)) []byte {
	return damaged(doc, func(sigs []string) []string {
		at := strings.LastIndexByte(sigs[line], ' ') + 1
		raw, err := base64.StdEncoding.DecodeString(sigs[line][at:])
		if err != nil {
			panic(err)
		}
		change(raw)
		sigs[line] = sigs[line][:at] + base64.StdEncoding.EncodeToString(raw)
		return sigs
	})
}

// malleated is the classical other signature of Ed25519: the order of the group is added to s.
func malleated(raw []byte) {
	order, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	order.Add(order, new(big.Int).Lsh(big.NewInt(1), 252))
	s := raw[4+32:]
	slices.Reverse(s)
	order.Add(order, new(big.Int).SetBytes(s)).FillBytes(s)
	slices.Reverse(s)
}

// retyped puts the hash of a key of another type into a line: type 2 of C2SP signed-note.
func retyped(raw []byte) {
	id := named("ada")
	keys := id.KeySet()
	h := sha256.Sum256(append([]byte(id.DID().String()+"\n\x02"), keys.S[:]...))
	copy(raw, h[:4])
}

// Where a person reads a code.
const (
	isRefused = "refused"           // in the sentence of what hands the document over
	isShown   = "finding"           // in status: the document is taken, but for the line
	isBoth    = "refused and shown" // both, until the next document of the signer
)

type dispute struct {
	code, where string
	before      func(w *disputed) [][]byte // is taken
	doc         func(w *disputed) []byte   // is refused or shown
	after       func(w *disputed) []byte   // is taken, and ends what isBoth
}

func withHubs(names ...string) func(h *network.Head) {
	return func(h *network.Head) {
		for _, n := range names {
			h.Hubs = append(h.Hubs, named(n).DID())
		}
	}
}

var disputes = map[string]dispute{
	"an admin signs a second head of a serial": {code: "network_fork", where: isBoth,
		before: func(w *disputed) [][]byte { return [][]byte{w.head(2, nil, "ada")} },
		doc:    func(w *disputed) []byte { return w.head(2, withHubs("x"), "bob") },
		after:  func(w *disputed) []byte { return w.head(3, nil, "bob") }},
	"an admin restored from a backup signs a head with a used serial": {code: "restored_admin", where: isBoth,
		before: func(w *disputed) [][]byte { return [][]byte{w.head(2, nil, "ada"), w.head(3, nil, "ada")} },
		doc: func(w *disputed) []byte {
			return w.head(2, func(h *network.Head) { h.Issued = w.began.Add(30 * time.Minute) }, "bob")
		},
		after: func(w *disputed) []byte { return w.head(4, nil, "bob") }},
	"an issuer signs a second roster of a serial": {code: "roster_fork", where: isBoth,
		before: func(w *disputed) [][]byte { return [][]byte{w.roster(1, "thief", of("tv", ""))} },
		doc:    func(w *disputed) []byte { return w.roster(1, "thief", of("pc", "")) },
		after:  func(w *disputed) []byte { return w.roster(2, "thief", of("pc", "")) }},
	"an old head comes again": {code: "rollback", where: isRefused,
		before: func(w *disputed) [][]byte { return [][]byte{w.head(2, nil, "ada"), w.head(3, nil, "ada")} },
		doc:    func(w *disputed) []byte { return w.head(2, nil, "ada") }},
	"an old roster comes again": {code: "rollback", where: isRefused,
		before: func(w *disputed) [][]byte { return [][]byte{w.roster(1, "ada", of("tv", "")), w.roster(2, "ada")} },
		doc:    func(w *disputed) []byte { return w.roster(1, "ada", of("tv", "")) }},
	"fewer admins sign than the held head asks for": {code: "threshold_not_met", where: isRefused,
		before: func(w *disputed) [][]byte {
			return [][]byte{w.head(2, func(h *network.Head) { h.Threshold = 2 }, "ada")}
		},
		doc: func(w *disputed) []byte { return w.head(3, nil, "ada") }},
	"a stranger signs a head": {code: "threshold_not_met", where: isRefused,
		doc: func(w *disputed) []byte { return w.head(2, nil, "thief") }},
	"a stolen issuer gives a group that it does not have": {code: "outside_scope", where: isShown,
		doc: func(w *disputed) []byte { return w.roster(1, "thief", of("pc", "10.9.2.5", group("server"))) }},
	"a stolen issuer gives an address outside of its prefix": {code: "outside_scope", where: isShown,
		doc: func(w *disputed) []byte { return w.roster(1, "thief", of("pc", "10.9.0.5", group("phone"))) }},
	"a stolen issuer gives a route and may not": {code: "outside_scope", where: isShown,
		doc: func(w *disputed) []byte { return w.roster(1, "thief", of("pc", "", behind("192.168.1.0/24"))) }},
	"a name is another issuer's member's already": {code: "name_taken", where: isShown,
		before: func(w *disputed) [][]byte { return [][]byte{w.roster(1, "ada", of("nas", "10.9.0.5"))} },
		doc: func(w *disputed) []byte {
			return w.roster(1, "bob", of("other", "10.9.1.5", func(l *network.Line) { l.Name = "nas" }))
		}},
	"a member is in the rosters of two issuers": {code: "member_twice", where: isShown,
		before: func(w *disputed) [][]byte { return [][]byte{w.roster(1, "ada", of("nas", ""))} },
		doc:    func(w *disputed) []byte { return w.roster(1, "bob", of("nas", "")) }},
	"a route collides with one of another issuer": {code: "route_collision", where: isShown,
		before: func(w *disputed) [][]byte {
			return [][]byte{w.roster(1, "ada", of("nas", "", behind("192.168.0.0/16")))}
		},
		doc: func(w *disputed) []byte { return w.roster(1, "bob", of("pc", "", behind("192.168.3.0/24"))) }},
	"a route collides with the members' addresses": {code: "route_collision", where: isShown,
		doc: func(w *disputed) []byte { return w.roster(1, "bob", of("pc", "", behind("10.0.0.0/8"))) }},
	"a byte of the text is altered": {code: "signature_invalid", where: isRefused,
		doc: func(w *disputed) []byte {
			return []byte(strings.Replace(string(w.head(2, nil, "ada")), "\nname home\n", "\nname hone\n", 1))
		}},
	"the Ed25519 signature is missing": {code: "signature_missing", where: isRefused,
		doc: func(w *disputed) []byte {
			return damaged(w.head(2, nil, "ada"), func(s []string) []string { return s[1:] })
		}},
	"the ML-DSA-65 signature is missing": {code: "signature_missing", where: isRefused,
		doc: func(w *disputed) []byte {
			return damaged(w.head(2, nil, "ada"), func(s []string) []string { return s[:1] })
		}},
	"a signature is by a key of an unknown type": {code: "unknown_key_type", where: isRefused,
		doc: func(w *disputed) []byte { return rewritten(w.head(2, nil, "ada"), 0, retyped) }},
	"the Ed25519 signature is malleated": {code: "signature_invalid", where: isRefused,
		doc: func(w *disputed) []byte { return rewritten(w.head(2, nil, "ada"), 0, malleated) }},
	"the hint of the ML-DSA-65 signature is altered": {code: "signature_invalid", where: isRefused,
		doc: func(w *disputed) []byte {
			return rewritten(w.head(2, nil, "ada"), 1, func(raw []byte) { raw[len(raw)-1] ^= 1 })
		}},
	"DIDs succeed each other in a loop": {code: "succession_loop", where: isRefused,
		doc: func(w *disputed) []byte {
			return w.head(2, func(h *network.Head) {
				a, b := of("a", "").DID, of("b", "").DID
				h.Successions = []network.Succession{{Old: a, New: b}, {Old: b, New: a}}
				slices.SortFunc(h.Successions, func(a, b network.Succession) int { return strings.Compare(a.Old.String(), b.Old.String()) })
			}, "ada")
		}},
	"a roster is by nobody whom the head names": {code: "not_issuer", where: isRefused,
		doc: func(w *disputed) []byte { return w.roster(1, "eve", of("pc", "")) }},
	"a removal is by neither an admin nor an issuer": {code: "not_entitled", where: isRefused,
		before: func(w *disputed) [][]byte { return [][]byte{w.roster(1, "ada", of("nas", ""))} },
		doc: func(w *disputed) []byte {
			return sign(&network.Removals{Network: w.id, By: named("eve").DID(), Issued: w.began, Lines: []network.Removal{{DID: of("nas", "").DID, At: w.began}}}, "eve")
		}},
	"a roster is of another network": {code: "other_network", where: isRefused,
		doc: func(w *disputed) []byte {
			return sign(&network.Roster{Network: network.TextHash("other"), Issuer: named("ada").DID(), Serial: 1, Issued: w.began}, "ada")
		}},
}

// What somebody could try with documents is refused or shown by what answers the commands of a node, each with
// its code, after a restart too; and a dispute freezes nobody: the next document of who
// may sign ends it.
func TestDisputesAreRefusedOrShown(t *testing.T) {
	for name, d := range disputes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDisputed(t)
			if d.before != nil {
				for i, doc := range d.before(w) {
					if text := w.take(doc); text != "" {
						t.Fatalf("document %d: %s", i, text)
					}
				}
			}
			if found := w.shown(); len(found) > 0 {
				t.Fatalf("%v is shown before", found)
			}
			refused, findings := "", []string(nil)
			if d.where != isShown {
				refused = "(" + d.code + ")"
			}
			if d.where != isRefused {
				findings = []string{d.code}
			}
			for _, when := range []string{"first", "again", "after a restart"} {
				if when == "after a restart" {
					w.owner.Close()
					w.start()
					if found := w.shown(); !slices.Equal(found, findings) {
						t.Errorf("%v is shown after a restart, want %v", found, findings)
					}
				}
				text := w.take(d.doc(w))
				if !strings.HasSuffix(text, refused) || (text == "") != (refused == "") {
					t.Errorf("%s: refused %q, want %q", when, text, refused)
				}
				if found := w.shown(); !slices.Equal(found, findings) {
					t.Errorf("%s: %v is shown, want %v", when, found, findings)
				}
			}
			if d.after == nil {
				return
			}
			if text := w.take(d.after(w)); text != "" || len(w.shown()) > 0 {
				t.Errorf("the next document: refused %q, shown %v", text, w.shown())
			}
		})
	}
}

// docs/trust.md has the same table.
func TestDisputesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/trust.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| what is tried | code | the node |\n| --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var want []string
	for _, name := range slices.Sorted(maps.Keys(disputes)) {
		want = append(want, fmt.Sprintf("| %s | `%s` | %s |", name, disputes[name].code, disputes[name].where))
	}
	got := strings.Split(table, "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("docs/trust.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
