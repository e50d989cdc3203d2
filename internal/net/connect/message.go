package connect

import (
	"io"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// ReadMessage reads one handshake message. Its length follows from its type, so
// a peer cannot make us wait for, or keep, more than the largest message.
func ReadMessage(r io.Reader) ([]byte, error) {
	var hdr [wire.HandshakeHeaderSize]byte
	if _, err := io.ReadFull(r, hdr[:]); err != nil {
		return nil, err
	}
	size, err := wire.MessageSize(hdr[:])
	if err != nil {
		return nil, err
	}
	msg := make([]byte, size)
	copy(msg, hdr[:])
	_, err = io.ReadFull(r, msg[len(hdr):])
	return msg, err
}

// Exchange passes an initiator's messages over a stream until M2 has been read. It
// returns M3, unsent.
func Exchange(st link.Stream, machine *handshake.Initiator) (m3 []byte, res *handshake.Result, err error) {
	out, err := machine.Start(nil)
	for err == nil && res == nil {
		if _, err = st.Write(out); err != nil {
			break
		}
		var msg []byte
		if msg, err = ReadMessage(st); err == nil {
			out, res, err = machine.Read(nil, msg)
		}
	}
	return out, res, err
}

// SendLast sends the last message of a stream. It waits
// until the other end is done too, which it shows by closing: our closing first
// would end the reading, and then the connection with the answer still in it.
func SendLast(st link.Stream, out []byte) {
	if _, err := st.Write(out); err == nil {
		ReadMessage(st)
	}
}

// unknownPrekey is UNKNOWN_PREKEY.
func unknownPrekey() []byte {
	b := make([]byte, wire.HandshakeHeaderSize)
	wire.HandshakeHeader{Type: wire.MsgUnknownPrekey}.Put(b)
	return b
}

// unknownTo is UNKNOWN for an M1r.
func unknownTo(m1r []byte) []byte {
	b := make([]byte, wire.HandshakeHeaderSize)
	h, _ := wire.ParseHandshakeHeader(m1r) // it has been parsed
	h.Type = wire.MsgUnknown
	h.Put(b)
	return b
}
