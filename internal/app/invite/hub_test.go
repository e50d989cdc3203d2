package invite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func through() Through { return Through{Joining: who(1), Inviting: who(2), Hub: who(3)} }

// What is sealed opens for the same link, nodes and request, and for nothing else.
func TestSealedForOneLinkAndThreeNodes(t *testing.T) {
	l := someLink()
	s, tr := l.Secret(), through()
	sealed := tr.SealRequest(s, []byte("ask"))
	if plain, err := tr.OpenRequest(s, sealed); err != nil || string(plain) != "ask" {
		t.Fatal(err)
	}
	answer := tr.SealAnswer(s, sealed, []byte("yes"))
	if plain, err := tr.OpenAnswer(s, sealed, answer); err != nil || string(plain) != "yes" {
		t.Fatal(err)
	}
	other := l
	other.Token[0] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another joining node":  func() ([]byte, error) { return Through{who(9), who(2), who(3)}.OpenRequest(s, sealed) },
		"another inviting node": func() ([]byte, error) { return Through{who(1), who(9), who(3)}.OpenRequest(s, sealed) },
		"another hub":           func() ([]byte, error) { return Through{who(1), who(2), who(9)}.OpenRequest(s, sealed) },
		"another link":          func() ([]byte, error) { return tr.OpenRequest(other.Secret(), sealed) },
		"an answer as request":  func() ([]byte, error) { return tr.OpenRequest(s, answer) },
		"a request as answer":   func() ([]byte, error) { return tr.OpenAnswer(s, sealed, sealed) },
		"another try's answer":  func() ([]byte, error) { return tr.OpenAnswer(s, tr.SealRequest(s, []byte("ask")), answer) },
		"nothing":               func() ([]byte, error) { return tr.OpenRequest(s, nil) },
		"an answer to nothing":  func() ([]byte, error) { return tr.OpenAnswer(s, nil, answer) },
		"a salt alone":          func() ([]byte, error) { return tr.OpenAnswer(s, sealed, answer[:saltSize]) },
	} {
		if plain, err := open(); !errors.Is(err, errSeal) || plain != nil {
			t.Errorf("%s: %q %v", name, plain, err)
		}
	}
	for at := range sealed {
		changed := bytes.Clone(sealed)
		changed[at] ^= 1
		if _, err := tr.OpenRequest(s, changed); err == nil {
			t.Errorf("byte %d may be another", at)
		}
	}
	if bytes.Equal(sealed, tr.SealRequest(s, []byte("ask"))) {
		t.Error("a key was used twice")
	}
}

// The file has the secret for the node's own key alone.
func TestTheSecretIsKeptForItsNode(t *testing.T) {
	mine, err := did.NewIdentity(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	other, err := did.NewIdentity(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, l := NewStore(filepath.Join(t.TempDir(), "n.toml")), someLink()
	l.Until = time.Now().Add(time.Hour)
	if err := s.Add(l, Invitation{Secret: keepSecret(mine, l.Secret())}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find(l.ID, mine); err != nil || got != l.Secret() {
		t.Error(err)
	}
	if _, err := s.Find(l.ID, other); err == nil {
		t.Error("another node's key opens it")
	}
	if _, err := s.Find("00000000", mine); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	secret := l.Secret()
	if text, _ := os.ReadFile(s.Path()); bytes.Contains(text, secret[:]) {
		t.Error("the file holds the secret")
	}
}

func depositFor(n byte, until time.Time) (Link, DepositRequest) {
	l := someLink()
	l.ID, l.Token[0], l.Until = fmt.Sprintf("%08x", n), n, until
	r, err := ParseDeposit(NewDeposit(l, who(3)))
	if err != nil {
		panic(err)
	}
	return l, r
}

// A deposit is good for one node, until it expires, over a restart, and its proof for
// one hub.
func TestADepositIsGoodForOneNode(t *testing.T) {
	now := time.Now()
	config := filepath.Join(t.TempDir(), "n.toml")
	s := NewDeposits(config)
	l, r := depositFor(1, now.Add(time.Hour))
	for range 2 { // the same again is one
		if err := s.Add(r, who(2), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Find(l.HubProof(who(4)), who(1), now); !errors.Is(err, ErrUnknown) {
		t.Error("a proof for another hub:", err)
	}
	proof := l.HubProof(who(3))
	if text, _ := os.ReadFile(strings.TrimSuffix(config, ".toml") + ".deposits"); bytes.Contains(text, proof[:]) || bytes.Contains(text, l.Token[:]) {
		t.Error("the file holds what the joining node shows")
	}
	if err := s.Claim(proof, who(1), []byte("sealed"), now); err != nil {
		t.Fatal(err)
	}
	s = NewDeposits(config) // as after a restart
	if _, err := s.Find(proof, who(9), now); !errors.Is(err, ErrUsed) {
		t.Error(err)
	}
	d, err := s.Find(proof, who(1), now)
	if open, err := s.Unsettled(); err != nil || len(open) != 1 || string(open[0].Sealed) != "sealed" {
		t.Error(open, err)
	}
	if err != nil || d.By != who(2).String() || d.Number() != [4]byte{0, 0, 0, 1} {
		t.Error(d, err)
	}
	if err := s.Release(d.Kept, now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(proof, who(9), now); err != nil {
		t.Error("released:", err)
	}
	if _, err := s.Find(proof, who(9), now.Add(2*time.Hour)); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	if err := errors.Join(s.Claim(proof, who(9), []byte("x"), now), s.Joined(d.Kept, now), s.Release(d.Kept, now)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(proof, who(1), now); !errors.Is(err, ErrUsed) {
		t.Error("one that was used is released:", err)
	}
	if open, _ := s.Unsettled(); len(open) != 0 {
		t.Error(open)
	}
}

// A peer has sixteen; its oldest unused one makes room, those that were used do not,
// and all are forgotten a week after they end.
func TestDepositsAreBounded(t *testing.T) {
	now := time.Now()
	s := NewDeposits(filepath.Join(t.TempDir(), "n.toml"))
	var links []Link
	for n := range byte(maxDepositsOf + 1) {
		l, r := depositFor(n, now.Add(1000*time.Hour))
		links = append(links, l)
		if err := s.Add(r, who(2), now); err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := s.Find(links[0].HubProof(who(3)), who(1), now); !errors.Is(err, ErrUnknown) {
		t.Error("the oldest is still there:", err)
	}
	for _, l := range links[1:] {
		d, err := s.Find(l.HubProof(who(3)), who(1), now)
		if err := errors.Join(err, s.Claim(l.HubProof(who(3)), who(1), []byte("x"), now), s.Joined(d.Kept, now)); err != nil {
			t.Fatal(err)
		}
		if d.Expires.After(now.Add(MaxLife)) {
			t.Error("it outlives what an invitation may:", d.Expires)
		}
	}
	_, more := depositFor(99, now.Add(time.Hour))
	if err := s.Add(more, who(2), now); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if err := s.Add(more, who(2), now.Add(remembered+time.Minute)); err != nil {
		t.Error("a week later:", err)
	}
	err := s.book.change(func(all []Deposit) ([]Deposit, error) {
		for n := len(all); n < maxDeposits; n++ {
			all = append(all, Deposit{Kept: fmt.Sprint(n), By: who(20).String(), Expires: now.Add(20 * 24 * time.Hour)})
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, r := depositFor(77, now.Add(20*24*time.Hour)); !errors.Is(s.Add(r, who(77), now.Add(remembered+time.Minute)), ErrFull) {
		t.Error("more than all may have")
	}
}

// FuzzHubMessages reads its input as each message between nodes and a hub, and as what
// is sealed: what is taken is what would be written.
func FuzzHubMessages(f *testing.F) {
	l, tr := someLink(), through()
	sealed := tr.SealRequest(l.Secret(), NewRequest(l, []string{"192.0.2.1:4242"}))
	for _, b := range [][]byte{NewDeposit(l, who(3)), NewVia(l, who(3), sealed), NewHubAnswer(Inviting, sealed), NewHubAnswer("", nil), sealed, {}} {
		f.Add(b)
	}
	s := l.Secret()
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseDeposit(b); err == nil && (len(r.Kept) != 32 || !isID(r.ID) || r.Until <= 0) {
			t.Fatalf("%+v", r)
		}
		if r, err := ParseVia(b); err == nil && (len(r.Proof) != 32 || len(r.Sealed) <= saltSize || len(r.Sealed) > wire.MaxProxySealed) {
			t.Fatalf("%+v", r)
		}
		if a, err := ParseHubAnswer(b); err == nil {
			if again, err := ParseHubAnswer(NewHubAnswer(a.Refused, a.Sealed)); err != nil || again.Refused != a.Refused || !bytes.Equal(again.Sealed, a.Sealed) {
				t.Fatalf("%+v is read as %+v, %v", a, again, err)
			}
		}
		if plain, err := tr.OpenAnswer(s, sealed, b); err == nil {
			t.Fatalf("%x opens as %q", b, plain)
		}
	})
}
