package record

import "sync/atomic"

const nonceSize = 12

// A nonce is scratch for one Seal or Open. An array on the stack would escape
// through the cipher.AEAD interface and cost an allocation a record.
type nonce struct {
	busy atomic.Bool
	b    [nonceSize]byte // 4 zero bytes, then header bytes 8-15
	_    [48]byte
}

// nonces lends scratch to concurrent calls. The first is free unless two calls
// in one direction really run at once.
type nonces [8]nonce

func (n *nonces) take() *nonce {
	for i := range n {
		if n[i].busy.CompareAndSwap(false, true) {
			return &n[i]
		}
	}
	return new(nonce) // more callers than slots: garbage, but correct
}

func (n *nonce) of(header []byte) []byte {
	copy(n.b[4:], header[8:16])
	return n.b[:]
}

func (n *nonce) release() { n.busy.Store(false) }
