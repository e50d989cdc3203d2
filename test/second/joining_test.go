package second

import (
	"crypto/hkdf"
	"crypto/sha256"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// A joining is what a join through a hub is made of (SPEC 6.12): the link up to its
// check, and the digests of the three.
type joining struct {
	Body     string   `json:"body"`
	Joining  hexBytes `json:"joining"`
	Inviting hexBytes `json:"inviting"`
	Hub      hexBytes `json:"hub"`
}

func (j joining) secret() []byte { return sum("l2tun invitation v1 secret\x00" + j.Body) }

func (j joining) proof() []byte {
	return sum("l2tun invitation v1 hub\x00" + string(j.Hub) + j.Body)
}

func (j joining) kept() []byte {
	return sum("l2tun invitation v1 deposit\x00" + string(j.proof()))
}

func sum(text string) []byte {
	b := sha256.Sum256([]byte(text))
	return b[:]
}

// key is that of a request (salt n) or an answer (n and m).
func (j joining) key(what string, salt []byte) []byte {
	return must(hkdf.Key(sha256.New, j.secret(), salt, "l2tun invitation v1 "+what+string(j.Joining)+string(j.Inviting)+string(j.Hub), 32))
}

func sealJoin(key, salt, plain []byte) []byte {
	return append(append([]byte{}, salt...), must(chacha20poly1305.New(key)).Seal(nil, make([]byte, 12), plain, nil)...)
}

func openJoin(key, sealed []byte) ([]byte, error) {
	return must(chacha20poly1305.New(key)).Open(nil, make([]byte, 12), sealed[16:], nil)
}

// passedJoin is a PROXY_JOIN, SPEC 6.11.
func passedJoin(step byte, number int, id, joining, sealed []byte) []byte {
	return join([]byte{0x0d, step}, le32(number), id, joining, le16(len(sealed)), sealed)
}

// A joinVector is one join, with every intermediate value.
type joinVector struct {
	joining
	Secret        hexBytes `json:"secret"`
	Proof         hexBytes `json:"proof"`
	Kept          hexBytes `json:"kept"`
	N             hexBytes `json:"n"`
	Request       string   `json:"request"`
	RequestKey    hexBytes `json:"request_key"`
	SealedRequest hexBytes `json:"sealed_request"`
	M             hexBytes `json:"m"`
	Answer        string   `json:"answer"`
	AnswerKey     hexBytes `json:"answer_key"`
	SealedAnswer  hexBytes `json:"sealed_answer"`
	Asks          hexBytes `json:"asks"`
	Agreed        hexBytes `json:"agreed"`
	Refused       hexBytes `json:"refused_unknown"`
}

func makeJoin() joinVector {
	v := joinVector{joining: joining{Body: "l2tun:join?id=01020304&until=1&token=AAECAwQFBgcICQoLDA0ODw", Joining: digestOf("j"), Inviting: digestOf("i"), Hub: digestOf("h")},
		N: hash([]byte("n"))[:16], M: hash([]byte("m"))[:16], Request: `{"version":1}`, Answer: `{"version":1,"refused":""}`}
	v.Secret, v.Proof, v.Kept = v.secret(), v.proof(), v.kept()
	v.RequestKey, v.AnswerKey = v.key("request", v.N), v.key("answer", join(v.N, v.M))
	v.SealedRequest, v.SealedAnswer = sealJoin(v.RequestKey, v.N, []byte(v.Request)), sealJoin(v.AnswerKey, v.M, []byte(v.Answer))
	id := []byte{1, 2, 3, 4}
	v.Asks = passedJoin(1, 7, id, v.Joining, v.SealedRequest)
	v.Agreed = passedJoin(2, 7, id, v.Joining, v.SealedAnswer)
	v.Refused = passedJoin(3, 7, id, v.Joining, nil)
	return v
}

func TestJoinVectors(t *testing.T) { compare(t, "join.json", makeJoin()) }
