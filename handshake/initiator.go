package handshake

import (
	"fmt"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// An Initiator makes one full handshake with one peer on one stream:
//
//	Start -> KEYS_REQ  Read(KEYS) -> M1 --.            without cached keys
//	Start -> M1 --------------------------+- Read(M2) -> M3 and Result
//	   Read(UNKNOWN_PREKEY) -> KEYS_REQ --'  at most one KEYS_REQ
type Initiator struct {
	conf   Config
	peer   did.DID
	known  *PeerKeys
	params wire.Params
	want   want
	asked  *wire.KeysReq  // the KEYS_REQ that has been sent
	body   *wire.KeysBody // what the KEYS of known sealed; nil: none came

	s   schedule
	x   *x25519.PrivateKey
	kem *mlkem768.PrivateKey
}

// want is what a machine of either side may be called with next.
type want byte

const (
	wantNothing want = iota // over, by success or error
	wantStart
	wantKeys
	wantM1
	wantDecision // Accept or Refuse
	wantM2
	wantM3
)

// NewInitiator prepares a handshake with peer. known may be nil. p are this
// end's parameters: a record id that is receivable only later, and the number of
// the next epoch that this end could use.
func NewInitiator(c Config, peer did.DID, known *PeerKeys, p wire.Params) (*Initiator, error) {
	if peer == c.Identity.DID() {
		return nil, ErrSelf
	}
	complete, err := known.usable(peer, c.Now)
	if err != nil {
		return nil, err
	}
	if err := checkParams(p); err != nil {
		return nil, err
	}
	i := &Initiator{conf: c, peer: peer, params: p, want: wantStart}
	if complete {
		i.known = known
	}
	return i, nil
}

// Start appends the first message to dst: M1, or KEYS_REQ without known keys.
func (i *Initiator) Start(dst []byte) ([]byte, error) {
	out, err := i.start()
	if err != nil {
		i.Close()
		return nil, err
	}
	return append(dst, out...), nil
}

func (i *Initiator) start() ([]byte, error) {
	switch {
	case i.want != wantStart:
		return nil, ErrUnexpected
	case i.known == nil:
		return i.keysReq()
	}
	return i.m1()
}

// Read takes one whole message and appends the answer, if any, to dst. With M3
// comes the Result, and the handshake is over: the responder is authenticated,
// and M3 has to be sent before or with anything under the new keys.
func (i *Initiator) Read(dst, msg []byte) (out []byte, res *Result, err error) {
	out, res, err = i.read(msg)
	if err != nil || res != nil {
		i.Close()
	}
	if err != nil {
		return nil, nil, err
	}
	return append(dst, out...), res, nil
}

func (i *Initiator) read(msg []byte) ([]byte, *Result, error) {
	if i.want != wantKeys && i.want != wantM2 {
		return nil, nil, ErrUnexpected
	}
	h, err := parse(msg)
	if err != nil {
		return nil, nil, err
	}
	var out []byte
	switch {
	case i.want == wantKeys && h.Type == wire.MsgKeys:
		out, err = i.readKeys((*wire.Keys)(msg))
	case i.want == wantM2 && h.Type == wire.MsgUnknownPrekey && i.asked == nil:
		out, err = i.keysReq()
	case i.want == wantM2 && h.Type == wire.MsgUnknownPrekey:
		err = ErrDecrypt // M1 names a prekey that was just handed out: it did not open there
	case i.want == wantM2 && h.Type == wire.MsgRefused:
		err = i.readRefused((*wire.Refused)(msg))
	case i.want == wantM2 && h.Type == wire.MsgM2:
		return i.readM2((*wire.M2)(msg))
	default:
		err = ErrUnexpected
	}
	return out, nil, err
}

// keysReq asks for the keys; what an earlier M1 of this machine left is erased.
func (i *Initiator) keysReq() ([]byte, error) {
	i.eraseKeys()
	i.asked, i.want = new(wire.KeysReq), wantKeys
	if err := i.conf.askKeys(i.asked, i.peer); err != nil {
		return nil, err
	}
	return i.asked[:], nil
}

func (i *Initiator) readKeys(m *wire.Keys) ([]byte, error) {
	body, err := openKeys(m, i.asked, i.peer)
	if err != nil {
		return nil, err
	}
	known, err := parseKeys(i.peer, body, i.conf.Now)
	if err != nil {
		return nil, err
	}
	i.known, i.body = known, body
	return i.m1()
}

// Fetched is what the peer's KEYS sealed, for ParsePeerKeys in a later handshake; nil if
// it was not asked. It is verified, and not changed any more.
func (i *Initiator) Fetched() []byte {
	if i.body == nil {
		return nil
	}
	return i.body[:]
}

// Peer is whom the handshake is with.
func (i *Initiator) Peer() did.DID { return i.peer }

// Close ends the handshake and erases its keys. It may be called at any time.
func (i *Initiator) Close() {
	i.eraseKeys()
	i.want = wantNothing
}

func (i *Initiator) eraseKeys() {
	i.s.erase()
	i.x.Erase()
	i.x, i.kem = nil, nil
}

// Format prints the peer for every verb.
func (i *Initiator) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "handshake with %v", i.peer) }
