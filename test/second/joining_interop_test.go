package second

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The product and the second implementation make and open each other's requests and
// answers, show each other's proofs, and write the same frames.
func TestJoinsThroughAHubInterwork(t *testing.T) {
	link := invite.NewLink(invite.Link{DID: did.FromDigest([32]byte(digestOf("i"))), Endpoints: []string{"192.0.2.1:4242"}, Until: time.Unix(1, 0)})
	body, _, _ := strings.Cut(link.Text(), "&check=")
	j := joining{Body: body, Joining: digestOf("j"), Inviting: digestOf("i"), Hub: digestOf("h")}
	of := func(d []byte) did.DID { return did.FromDigest([32]byte(d)) }
	p := invite.Through{Joining: of(j.Joining), Inviting: of(j.Inviting), Hub: of(j.Hub)}
	secret, proof := link.Secret(), link.HubProof(p.Hub)
	if !bytes.Equal(secret[:], j.secret()) || !bytes.Equal(proof[:], j.proof()) {
		t.Error("another secret, or another proof")
	}
	if r, err := invite.ParseDeposit(invite.NewDeposit(link, p.Hub)); err != nil || !bytes.Equal(r.Kept, j.kept()) {
		t.Error("a hub is given another hash", err)
	}

	ours := p.SealRequest(secret, []byte("ask"))
	if plain, err := openJoin(j.key("request", ours[:16]), ours); err != nil || string(plain) != "ask" {
		t.Error("the product's request:", err)
	}
	n, m := hash([]byte("n"))[:16], hash([]byte("m"))[:16]
	theirs := sealJoin(j.key("request", n), n, []byte("ask"))
	if plain, err := p.OpenRequest(secret, theirs); err != nil || string(plain) != "ask" {
		t.Error("the second's request:", err)
	}
	said := p.SealAnswer(secret, theirs, []byte("yes"))
	if plain, err := openJoin(j.key("answer", join(n, said[:16])), said); err != nil || string(plain) != "yes" {
		t.Error("the product's answer:", err)
	}
	yes := sealJoin(j.key("answer", join(ours[:16], m)), m, []byte("yes"))
	if plain, err := p.OpenAnswer(secret, ours, yes); err != nil || string(plain) != "yes" {
		t.Error("the second's answer:", err)
	}

	v := makeJoin()
	for step, b := range map[wire.ProxyStep][]byte{wire.ProxyAsks: v.Asks, wire.ProxyAgreed: v.Agreed, wire.ProxyRefused: v.Refused} {
		f, ok := wire.ParseProxyJoin(b)
		if !ok || f.Step != step || f.Number != 7 || f.ID != [4]byte{1, 2, 3, 4} || !bytes.Equal(f.Joining[:], v.Joining) || !bytes.Equal(f.Append(nil), b) {
			t.Errorf("%x is read as %+v, %v", b, f, ok)
		}
	}
}
