package connect

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Self is what this node is in every handshake.
type Self struct {
	Identity    *did.Identity
	Rand        io.Reader
	ClockSynced func() bool // the host's clock is known to be right
	Memory      Memory      // nil: none
}

// Handshake is the configuration of a handshake that is bound to one connection.
func (s Self) Handshake(kind byte, value [32]byte) handshake.Config {
	c := handshake.Config{Identity: s.Identity, Rand: s.Rand, Binding: handshake.Binding{Kind: kind, Value: value}}
	if s.ClockSynced != nil && s.ClockSynced() {
		c.Now = time.Now()
	}
	return c
}

// NewRecordID draws the id of an epoch's records.
func (s Self) NewRecordID() (wire.RecordID, error) {
	var b [wire.RecordIDSize]byte
	_, err := io.ReadFull(s.Rand, b[:])
	return wire.MakeRecordID(b), err
}

// Uint64 draws a number.
func (s Self) Uint64() (uint64, error) {
	var b [8]byte
	_, err := io.ReadFull(s.Rand, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// RecordKeys are the keys of records that a handshake has agreed.
func RecordKeys(res *handshake.Result) record.Keys {
	return record.Keys{Number: res.Epoch, Cipher: res.Cipher, Send: res.Send, Recv: res.Recv,
		SendID: res.Remote.RecordID, RecvID: res.Local.RecordID, Partial: res.Remote.AcceptsPartial,
		Circuits: res.Local.Circuits && res.Remote.Circuits,
		Networks: res.Local.Networks && res.Remote.Networks}
}
