package datapath

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// brokenDevice fails as a defect does when a packet of 77 bytes is written.
type brokenDevice struct{ *tuntest.Channel }

func (d brokenDevice) Write(pkts []tun.Packet) (int, error) {
	for i := range pkts {
		if len(pkts[i].Data()) == 77 {
			_ = pkts[len(pkts)]
		}
	}
	return d.Channel.Write(pkts)
}

// brokenPath fails so when it is to send.
type brokenPath struct{ *pipe }

func (brokenPath) Send(*wire.Batch) (int, error) { panic("datapath: internal error: a test") }

// spec/behaviour.md 6.5: a defect that a peer's packets meet ends its session and nothing else:
// what comes after passes, and memory that the receive held is not used again.
func TestDefectInAReceiveEndsTheSession(t *testing.T) {
	dev := brokenDevice{tuntest.NewChannel(64)}
	a, b := newPairOn(t, 1415, tuntest.NewChannel(64), dev)
	b.dev = dev.Channel
	var log bytes.Buffer
	b.data.Guard(guard.New(slog.New(slog.NewTextHandler(&log, nil))))
	a.up(t, false)
	b.up(t, false)
	const times = 3
	for range times {
		a.send(t, b, packet(addrA, addrB, 60, 1), packet(addrA, addrB, 77, 2))
		if n := len(b.data.spare.all); n != 0 {
			t.Fatalf("%d memories of a broken receive were given back", n)
		}
	}
	b.silent(t)
	b.sink.mu.Lock()
	failed := b.sink.failed
	b.sink.mu.Unlock()
	if failed != times {
		t.Errorf("the session was told %d times", failed)
	}
	good := packet(addrA, addrB, 60, 3)
	if a.send(t, b, good); !bytes.Equal(b.next(t), good) || len(b.data.spare.all) != 1 {
		t.Error("after it another packet came out")
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "brokenDevice.Write") || !strings.Contains(text, "Datapath).Records") {
		t.Errorf("the log says %q", text)
	}
}

// The same for what this host sends: the batch is lost, the loop goes on.
func TestDefectInASendIsCounted(t *testing.T) {
	a, b := newPair(t, 1415)
	b.up(t, false)
	if err := a.peer.Install(a.e, false); err != nil {
		t.Fatal(err)
	}
	a.peer.Use(a.e, brokenPath{a.path})
	a.dev.Inject(packet(addrA, addrB, 60, 1))
	wait(t, func() bool { return a.data.Stray().Drops()["fault"] > 0 })
	a.peer.Use(a.e, a.path)
	good := packet(addrA, addrB, 60, 2)
	if a.dev.Inject(good); !bytes.Equal(b.next(t), good) {
		t.Error("after it another packet came out")
	}
}

// A defect met while what was held is released is the session's as well.
func TestDefectInHeldRecords(t *testing.T) {
	dev := brokenDevice{tuntest.NewChannel(64)}
	a, b := newPairOn(t, 1415, tuntest.NewChannel(64), dev)
	b.dev = dev.Channel
	a.up(t, false)
	b.up(t, true)
	a.send(t, b, packet(addrA, addrB, 77, 1))
	b.peer.Release(b.e)
	good := packet(addrA, addrB, 60, 3)
	if a.send(t, b, good); !bytes.Equal(b.next(t), good) || b.sink.failed != 1 {
		t.Error("after it another packet came out")
	}
}
