package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

func identity(t *testing.T, n byte) *did.Identity {
	id, err := did.NewIdentity(bytes.Repeat([]byte{n}, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func takes(t *testing.T, st *network.State, text fmt.Stringer, by *did.Identity) {
	t.Helper()
	if _, err := st.Take(network.Sign(text.String(), by).Append(nil), start); err != nil {
		t.Fatal(err)
	}
	st.Saved()
}

// whole is a network whose second head hands it from one admin to another, with a roster of
// each and removals.
func whole(t *testing.T) (st *network.State, first, second *did.Identity) {
	first, second = identity(t, 1), identity(t, 2)
	issuer := func(id *did.Identity, prefix string) network.Issuer {
		return network.Issuer{DID: id.DID(), Groups: []string{"*"}, Prefix: netip.MustParsePrefix(prefix)}
	}
	h := &network.Head{Name: "home", Serial: 1, Issued: start, Threshold: 1, Admins: []did.DID{first.DID()},
		Issuers: []network.Issuer{issuer(first, "10.9.0.0/24"), issuer(second, "10.9.1.0/24")}}
	st = network.New(network.ID(h.String()))
	takes(t, st, h, first)
	next, _ := st.DraftHead(start)
	next.Admins = []did.DID{second.DID()}
	takes(t, st, next, first)
	next, _ = st.DraftHead(start)
	takes(t, st, next, second)
	for i, id := range []*did.Identity{first, second} {
		x, err := st.DraftRoster(id.DID(), start)
		if err != nil {
			t.Fatal(err)
		}
		for n := range byte(3) {
			x.Put(network.Line{DID: did.FromDigest([32]byte{byte(i), n + 1}), Name: fmt.Sprintf("m%d-%d", i, n)})
		}
		takes(t, st, x, id)
	}
	gone, err := st.DraftRemovals(second.DID(), start, time.Time{}, did.FromDigest([32]byte{1, 1}))
	if err != nil {
		t.Fatal(err)
	}
	takes(t, st, gone, second)
	return st, first, second
}

// fetches performs what a machine asks for, from a State, by the frames of 10.6.
func fetches(t *testing.T, m *Machine, to, from *network.State, out []Action) (documents int) {
	for len(out) > 0 {
		a := out[0]
		out = out[1:]
		if a.Op != Fetch {
			continue
		}
		asked, ok := wire.ParseNews(a.News.Append(nil, wire.FrameFetch), wire.FrameFetch)
		if !ok {
			t.Fatal("FETCH is not read")
		}
		answer, result := wire.NewAnswer(asked.Network), Same
		err := wire.SendAnswer(asked.Network, Lacking(from, asked), func(f []byte) error {
			doc, err := answer.Frame(f)
			if doc != nil {
				documents++
				if r := Weigh(to.Take(doc, start)); r == Bad || r == Failed || result == Same {
					result = r
				}
			}
			return err
		})
		if _, done := answer.Done(); err != nil || !done {
			t.Fatal(err, done)
		}
		to.Saved()
		out = append(out, m.Changed(start, Held(to), true)...)
		out = append(out, m.Fetched(start, a.Peer, a.Network, result)...)
	}
	return documents
}

// Who knows nothing but the id takes all, with the heads between one by one; who is level
// takes nothing, and who lacks the removals them alone.
func TestDocumentsSpread(t *testing.T) {
	full, first, _ := whole(t)
	news := Held(full)
	if !news.Valid() || news.Head != 3 || len(news.Rosters) != 2 {
		t.Fatalf("%+v", news)
	}
	fetch := func(to *network.State) int {
		m := New(all{}, rand.New(rand.NewPCG(1, 2)))
		m.Open(start, Held(to), nil)
		m.Up(start, who(1), true)
		n := fetches(t, m, to, full, m.Heard(start, who(1), news))
		if got := Held(to); !equal(&got, &news) || to.View().Len() != full.View().Len() {
			t.Errorf("%+v is held, want %+v", got, news)
		}
		return n
	}
	st := network.New(full.ID())
	if n := fetch(st); n != 6 {
		t.Errorf("%d documents, not 3 heads, 2 rosters and removals", n)
	}
	if n := fetch(st); n != 0 {
		t.Errorf("%d documents for one that is level", n)
	}
	old := network.New(full.ID())
	docs := full.Documents()
	for _, d := range docs[:len(docs)-1] {
		if _, err := old.Take(d, start); err != nil {
			t.Fatal(err)
		}
	}
	if n := fetch(old); n != 1 {
		t.Errorf("%d documents, not the removals alone", n)
	}
	x, _ := full.DraftRoster(first.DID(), start)
	takes(t, full, x, first)
	if news := Held(st); len(Lacking(full, news)) != 1 {
		t.Error("a new roster is not all that is lacking")
	}
}

// What a source gives tells an honest one from another.
func TestSourcesAreWeighed(t *testing.T) {
	full, _, _ := whole(t)
	docs := full.Documents()
	fresh := func() *network.State { return network.New(full.ID()) }
	held := fresh()
	held.Take(docs[0], start)
	bent := bytes.Clone(docs[0])
	bent[len(bent)/2] ^= 1
	for name, c := range map[string]struct {
		st   *network.State
		doc  []byte
		want Result
	}{
		"a document":            {fresh(), docs[0], Took},
		"what is held":          {full, docs[2], Same},
		"an older head":         {full, docs[0], Same},
		"a head between lacks":  {held, docs[2], Failed},
		"a roster before heads": {fresh(), docs[3], Failed},
		"a changed byte":        {fresh(), bent, Bad},
		"garbage":               {full, []byte("hello"), Bad},
	} {
		if got := Weigh(c.st.Take(c.doc, start)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if Weigh(network.Change{}, errors.New("another")) != Took {
		return
	}
	t.Error("an error without a code is taken")
}
