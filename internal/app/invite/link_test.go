package invite

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func someLink() Link {
	return NewLink(Link{
		DID:       did.FromDigest([32]byte{1, 2, 3}),
		Name:      "the office & more",
		Endpoints: []string{"192.0.2.1:4242", "[2001:db8::1]:4242", "office.example:4242"},
		Hubs: []Hub{{DID: did.FromDigest([32]byte{5}), Name: "the nas", Endpoints: []string{"192.0.2.7:4242", "[2001:db8::7]:4242"}},
			{DID: did.FromDigest([32]byte{6}), Endpoints: []string{"vps.example:4242"}}},
		Address: netip.MustParsePrefix("10.9.0.3/24"),
		Allowed: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/32"), netip.MustParsePrefix("fd00:9::/64")},
		Until:   time.Date(2026, 11, 24, 10, 0, 0, 5, time.UTC),
	})
}

func TestLinkIsReadAsItWasMade(t *testing.T) {
	for _, l := range []Link{someLink(), NewLink(Link{DID: did.FromDigest([32]byte{9}), Until: time.Unix(1, 0)})} {
		text := l.Text()
		t.Log(text)
		got, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Until.Equal(l.Until) || got.Proof() != l.Proof() {
			t.Error(got)
		}
		got.Until = l.Until
		if !reflect.DeepEqual(got, l) {
			t.Errorf("%+v\n%+v", got, l)
		}
		if got, err := Parse(" '" + text[:40] + "\n  " + text[40:] + "'\n"); err != nil || got.Proof() != l.Proof() {
			t.Error("with what copying brings:", err)
		}
	}
}

// No byte of a link can be changed, left out or added without notice.
// SPEC R-6.12-1.
func TestDamagedLinkIsRefused(t *testing.T) {
	text := someLink().Text()
	for i := range text {
		for what, damaged := range map[string]string{
			"changed": text[:i] + string(text[i]^1) + text[i+1:],
			"cut":     text[:i],
			"missing": text[:i] + text[i+1:],
			"doubled": text[:i+1] + text[i:],
		} {
			if what == "doubled" && i == len(text)-1 || damaged != strings.TrimSpace(damaged) {
				continue
			}
			if l, err := Parse(damaged); !errors.Is(err, ErrLink) {
				t.Fatalf("byte %d (%c) %s: %v, %v", i, text[i], what, l, err)
			}
		}
	}
	for _, text := range []string{"", "l2tun:join?", "https://example.org", strings.Repeat("l2tun:join?", 1000)} {
		if _, err := Parse(text); !errors.Is(err, ErrLink) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Whoever has the link can make another check; the proof is another one then.
func TestEachFieldIsInTheProof(t *testing.T) {
	l := someLink()
	proofs := map[[32]byte]string{l.Proof(): "the link"}
	for what, change := range map[string]func(*Link){
		"id":        func(l *Link) { l.ID = "00000000" },
		"did":       func(l *Link) { l.DID = did.FromDigest([32]byte{4}) },
		"name":      func(l *Link) { l.Name = "home" },
		"endpoints": func(l *Link) { l.Endpoints = l.Endpoints[1:] },
		"hubs":      func(l *Link) { l.Hubs = l.Hubs[:1] },
		"hub name": func(l *Link) {
			l.Hubs = []Hub{l.Hubs[0], {DID: l.Hubs[1].DID, Name: "x", Endpoints: l.Hubs[1].Endpoints}}
		},
		"address": func(l *Link) { l.Address = netip.MustParsePrefix("10.9.0.4/24") },
		"allowed": func(l *Link) { l.Allowed = l.Allowed[:1] },
		"until":   func(l *Link) { l.Until = l.Until.Add(time.Second) },
		"token":   func(l *Link) { l.Token[15] ^= 1 },
	} {
		other := l
		change(&other)
		got, err := Parse(other.Text())
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if twin, there := proofs[got.Proof()]; there {
			t.Errorf("%s has the proof of %s", what, twin)
		}
		proofs[got.Proof()] = what
	}
}

// Hubs are few, can be reached, and are others than the inviting node.
func TestHubsOfALink(t *testing.T) {
	hub := func(n byte, endpoints ...string) Hub {
		return Hub{DID: did.FromDigest([32]byte{n}), Endpoints: endpoints}
	}
	for what, hubs := range map[string][]Hub{
		"no endpoint":       {hub(5)},
		"too many of them":  {hub(5, "a.example:1", "b.example:1", "c.example:1")},
		"three hubs":        {hub(5, "a.example:1"), hub(6, "a.example:1"), hub(7, "a.example:1")},
		"one twice":         {hub(5, "a.example:1"), hub(5, "b.example:1")},
		"the inviting node": {{DID: someLink().DID, Endpoints: []string{"a.example:1"}}},
	} {
		l := someLink()
		l.Hubs = hubs
		if _, err := Parse(l.Text()); !errors.Is(err, ErrLink) {
			t.Errorf("%s: %v", what, err)
		}
	}
	l := someLink()
	l.Hubs = nil
	without := len(l.Text())
	if with := len(someLink().Text()); with-without > 2*maxHubs*110 {
		t.Errorf("two hubs take %d characters of a link of %d", with-without, with)
	}
	for _, stray := range []string{"via=a.example:1", "hubname=x"} {
		l.Name = "" // whose place it takes
		body := strings.Replace(l.body(), "&at=", "&"+stray+"&at=", 1)
		sum := hash(wire.LabelInviteCheck, body)
		if _, err := Parse(body + checkKey + base64.RawURLEncoding.EncodeToString(sum[:checkLen])); !errors.Is(err, ErrLink) {
			t.Errorf("%s without a hub: %v", stray, err)
		}
	}
}

// A link names hubs of the config that others can dial, at most two.
func TestHubsThatALinkNames(t *testing.T) {
	c := &config.Config{Peers: []config.Peer{
		{DID: did.FromDigest([32]byte{1}), Name: "bob", Endpoints: []string{"192.0.2.1:4242"}},
		{DID: did.FromDigest([32]byte{2}), Name: "inner", Hub: true, Endpoints: []string{"127.0.0.1:4242"}},
		{DID: did.FromDigest([32]byte{3}), Name: "nas", Hub: true, Endpoints: []string{"192.0.2.3:4242", "127.0.0.1:1", "nas.example:4242", "192.0.2.4:4242"}},
		{DID: did.FromDigest([32]byte{4}), Name: "nowhere", Hub: true},
		{DID: did.FromDigest([32]byte{5}), Hub: true, Endpoints: []string{"192.0.2.5:4242"}},
		{DID: did.FromDigest([32]byte{6}), Hub: true, Endpoints: []string{"192.0.2.6:4242"}},
	}}
	want := []Hub{{DID: did.FromDigest([32]byte{3}), Name: "nas", Endpoints: []string{"192.0.2.3:4242", "nas.example:4242"}},
		{DID: did.FromDigest([32]byte{5}), Endpoints: []string{"192.0.2.5:4242"}}}
	if got := hubsOf(c); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestLinkDoesNotPrintItsToken(t *testing.T) {
	l := someLink()
	secret := l.Text()[strings.Index(l.Text(), "token=")+6:][:22]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, l); strings.Contains(got, secret) || !strings.Contains(got, "[token]") {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func FuzzLink(f *testing.F) {
	f.Add(someLink().Text())
	f.Add("l2tun:join?id=00&check=")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(l.Text()); err != nil || again.Proof() != l.Proof() {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add(NewRequest(someLink(), []string{"x:1"}))
	f.Add(NewAnswer(Expired))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseRequest(b)
		ParseAnswer(b)
	})
}

// SPEC R-6.12-2.
func TestMessagesAreTakenInTheirOneForm(t *testing.T) {
	l := someLink()
	r, err := ParseRequest(NewRequest(l, nil))
	if proof := l.Proof(); err != nil || r.ID != l.ID || string(r.Proof) != string(proof[:]) || len(r.Endpoints) != 0 {
		t.Error(r, err)
	}
	for _, reason := range []Reason{"", Used, Busy} {
		if a, err := ParseAnswer(NewAnswer(reason)); err != nil || a.Refused != reason {
			t.Error(a, err)
		}
	}
	if a, err := ParseAnswer(NewWelcome("phone-2")); err != nil || a != (Answer{Version: 1, Name: "phone-2"}) {
		t.Error(a, err)
	}
	for _, text := range []string{"", "{}", "null", `{"version":1}x`, `{"version":2,"refused":""}`, `{"version":1,"refused":"","more":1}`, `{"version":1,"refused":"used"}`} {
		if _, err := ParseRequest([]byte(text)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"version":2,"refused":""}`, `{"version":1,"refused":"","more":1}`, `{"version":1,"refused":""} {}`, `{"version":1,"refused":"used","name":"phone"}`} {
		if _, err := ParseAnswer([]byte(text)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The vector was made with another program (Python's hashlib), after docs/node.md 8.3.
func TestLinkVector(t *testing.T) {
	text, err := os.ReadFile("testdata/link.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Link, Proof, Kept string }
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	l, err := Parse(v.Link)
	if err != nil {
		t.Fatal(err)
	}
	proof := l.Proof()
	if l.Text() != v.Link || hex.EncodeToString(proof[:]) != v.Proof || kept(proof) != v.Kept {
		t.Errorf("%s\n%x\n%s", l.Text(), proof, kept(proof))
	}
	if l.Name != "the office" || l.Token != (Token{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}) {
		t.Errorf("%+v", l)
	}
}
