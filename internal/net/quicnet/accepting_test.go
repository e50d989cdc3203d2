package quicnet

import (
	"context"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// accepting keeps a node accepting and returns what comes.
func accepting(t *testing.T, b *node) <-chan link.Conn {
	got := make(chan link.Conn, 64)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := b.Accept(ctx)
			if err != nil {
				return
			}
			got <- c
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return got
}
