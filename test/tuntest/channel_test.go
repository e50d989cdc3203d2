package tuntest_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"

	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

func TestChannelReadsWhatIsQueuedInOneBatch(t *testing.T) {
	c := tuntest.NewChannel(8)
	for _, s := range []string{"one", "two", "three"} {
		if err := c.Inject([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	b := tun.NewBatch(2, 100, 20)
	if n, err := c.Read(b); n != 2 || err != nil || string(b.Packets[1].Data()) != "two" || b.Packets[1].Off != 20 {
		t.Fatalf("%d %v %q", n, err, b.Packets[1].Data())
	}
	if n, err := c.Read(b); n != 1 || err != nil || string(b.Packets[0].Data()) != "three" {
		t.Fatalf("%d %v", n, err)
	}
}

func TestChannelReadBlocksDurablyUntilClose(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c := tuntest.NewChannel(1)
		var got error
		done := false
		go func() {
			_, got = c.Read(tun.NewBatch(1, 100, 10))
			done = true
		}()
		synctest.Wait()
		if done {
			t.Fatal("Read returned without a packet")
		}
		c.Close()
		c.Close()
		synctest.Wait()
		if !done || got != os.ErrClosed {
			t.Fatalf("done %v, %v", done, got)
		}
		if err := c.Inject([]byte("x")); err != os.ErrClosed {
			t.Fatalf("Inject: %v", err)
		}
	})
}

func TestChannelWriteHoldsCallersToTheContract(t *testing.T) {
	c := tuntest.NewChannel(1)
	buf := []byte("headroom--packet-behind")
	p := tun.Packet{Buf: buf, Off: 10, Len: 6}
	short := p
	short.Off = 9
	n, err := c.Write([]tun.Packet{short, p, {Buf: []byte("headroom--more"), Off: 10, Len: 4}})
	if n != 1 || !errors.Is(err, tun.ErrPacket) || !errors.Is(err, tuntest.ErrFull) {
		t.Fatalf("%d %v", n, err)
	}
	if got := <-c.Written(); string(got) != "packet" {
		t.Fatalf("%q", got)
	}
	if string(buf[:10]) == "headroom--" || string(buf[16:]) == "-behind" {
		t.Fatal("headroom and rest were left alone")
	}
	p.Partial = true
	if _, err := c.Write([]tun.Packet{p}); !errors.Is(err, tun.ErrOffload) {
		t.Fatal(err)
	}
}
