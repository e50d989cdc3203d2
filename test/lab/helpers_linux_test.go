package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// countPackets reads until nothing has come for a while.
func countPackets(t *testing.T, c *net.UDPConn) (n int) {
	t.Helper()
	for {
		_ = c.SetReadDeadline(time.Now().Add(never))
		_, _, err := c.ReadFromUDPAddrPort(make([]byte, 9))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

// transfer sends n bytes to an echo server and returns when all came back.
func transfer(t *testing.T, c *net.TCPConn, n int64) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Error(err)
		}
	})
	if _, err := io.CopyN(io.Discard, c, n); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}
