package connect

import (
	"context"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// incomplete is the connection if its handshake is not complete: what is read
// there may be a replay.
func incomplete(conn link.Conn) link.Incomplete {
	if c, ok := conn.(link.Incomplete); ok && !closed(c.Completed()) {
		return c
	}
	return nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// completed waits for the handshake of a connection.
func completed(ctx context.Context, conn link.Conn) error {
	c := incomplete(conn)
	if c == nil {
		return nil
	}
	select {
	case <-c.Completed():
		return nil
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
