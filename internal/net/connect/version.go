package connect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A node of version 0.1.0 and this one do not understand each other, and it cannot
// be changed any more (SPEC 5.3). As a responder it closes the connection at our
// first message, as it does to whoever says something strange; so a handshake that
// ends like that is followed by a question in its words. As an initiator it gets an
// answer that makes it end with protocol_violation.

// ErrVersion: the peer runs version 0.1.0, which has another protocol.
var ErrVersion = errors.New("session: the peer runs l2tun 0.1.0, which this version cannot talk to: upgrade it")

// CheckVersion is what a failed handshake over a connection means: ErrVersion when
// the peer has ended it without an answer and is of version 0.1.0, else err.
func CheckVersion(ctx context.Context, network link.Network, over link.Conn, err error) error {
	if err == nil || FailureOf(err) != Unreached || ctx.Err() != nil || decided(err) {
		return err
	}
	conn, derr := network.Dial(ctx, over.Link(), over.Remote())
	if derr != nil {
		return err
	}
	defer conn.Close("only asked for the version")
	if asksOld(ctx, conn) {
		return ErrVersion
	}
	return err
}

// asksOld sends a KEYS_REQ of version 0.1.0 for nobody's keys, and reports whether
// the answer is of that version.
func asksOld(ctx context.Context, conn link.Conn) bool {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return false
	}
	defer st.Close()
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	if _, err := st.Write(wire.OldKeysReq()); err != nil {
		return false
	}
	var answer [wire.HandshakeHeaderSize]byte
	_, err = io.ReadFull(st, answer[:])
	return err == nil && wire.IsOldNotMe(answer[:])
}

// old answers an initiator of version 0.1.0.
func (o *Opening) old(head []byte) error {
	msg := append(make([]byte, 0, wire.OldKeysReqSize), head...)
	if _, err := io.ReadFull(o.st, msg[len(head):cap(msg)]); err != nil { // every message of an initiator is as long
		return err
	}
	asking := bytes.Equal(msg[:cap(msg)], wire.OldKeysReq()) // a node of this version that wants to know ours
	if from := o.conn.Remote().Addr().Unmap(); !asking && o.r.callers.add(from, time.Now()) {
		o.r.c.Logger.Warn("a node of version 0.1.0 asked for a session: it must be upgraded", "remote", from)
	}
	if _, err := o.st.Write(wire.OldAnswer(head)); err == nil {
		io.Copy(io.Discard, io.LimitReader(o.st, wire.M1Size)) // until it has read the answer and closes
	}
	return ErrVersion
}
