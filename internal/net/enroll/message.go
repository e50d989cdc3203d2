package enroll

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// joinMTU is stated in a join's parameters and used for nothing.
const joinMTU = 1280

var errJoin = errors.New("session: malformed join")

// config binds a handshake to conn and to joining: no message of it fits a
// session's handshake, nor the other way round.
func config(self connect.Self, conn link.Conn) handshake.Config {
	kind, value := conn.Binding()
	return handshake.Config{Identity: self.Identity, Rand: self.Rand, Binding: handshake.Binding{Kind: kind | wire.BindingJoin, Value: value}}
}

// params are those of a handshake whose keys seal one exchange.
func params(self connect.Self, epoch uint32) (p wire.Params, err error) {
	p = wire.Params{MTU: joinMTU, Epoch: epoch}
	if p.RecordID, err = self.NewRecordID(); err == nil {
		p.Incarnation, err = self.Uint64()
	}
	return p, err
}

// seal is a frame in a record behind its length, as on the message channel.
func seal(keys *record.Epoch, frame byte, body []byte) ([]byte, error) {
	if len(body) > wire.MaxJoin {
		return nil, errJoin
	}
	return keys.SealFramed(append([]byte{frame}, body...))
}

// read reads and opens the one record of the other end, a frame of one of some types.
func read(r io.Reader, keys *record.Epoch, frames ...byte) (frame byte, body []byte, err error) {
	rec, err := record.ReadFramed(r, wire.MaxJoinRecord)
	if errors.Is(err, record.ErrLength) {
		return 0, nil, fmt.Errorf("%w: %w", errJoin, err)
	}
	if err != nil {
		return 0, nil, err
	}
	plain, verdict := keys.OpenTo(make([]byte, 0, len(rec)), rec)
	if verdict != record.Opened || len(plain) == 0 || !slices.Contains(frames, plain[0]) {
		return 0, nil, fmt.Errorf("%w: it does not open", errJoin)
	}
	return plain[0], plain[1:], nil
}
