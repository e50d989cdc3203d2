package memnet

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestKnocksOpenersAndWhoIsHeard(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := New(1)
		net.SetAll(Line{Delay: 20 * time.Millisecond})
		at := [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4242"), netip.MustParseAddrPort("192.0.2.2:4242")}
		a, b := net.Node(at[0]), net.Node(at[1])
		in := new(records.Inbox)
		b.Handle(in)
		var came []netip.AddrPort
		stop := b.Await(at[:1], func(r netip.AddrPort) { came = append(came, r) })
		a.SendOpeners(at[1:])
		time.Sleep(time.Second)
		synctest.Wait()
		if len(came) != 0 || len(a.Opened()) != 1 {
			t.Fatalf("after an opener: %v, opened %v", came, a.Opened())
		}
		a.SendKnocks(at[1:])
		a.SendKnocks(at[1:])
		time.Sleep(time.Second)
		synctest.Wait()
		if len(came) != 1 || came[0] != at[0] || !b.HeardFrom(at[0]).IsZero() {
			t.Fatalf("after knocks: %v, heard %v", came, b.HeardFrom(at[0]))
		}
		stop()
		came = nil
		stop = b.Await(at[:1], func(r netip.AddrPort) { came = append(came, r) })
		datagrams := new(wire.Batch)
		datagrams.Append(records.New(100, 1))
		if n, err := a.Direct(at[1]).(link.Forwarder).Forward(datagrams); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		if len(came) != 1 || b.HeardFrom(at[0]) != time.Now() || in.Len() != 1 {
			t.Errorf("after a datagram: %v, heard %v, %d came", came, b.HeardFrom(at[0]), in.Len())
		}
		stop()
		a.Handle(in)
		ca, err := a.Dial(t.Context(), wire.LinkQUIC, at[1])
		if err != nil || a.HeardFrom(at[1]) != time.Now() || b.HeardFrom(at[0]) != time.Now() {
			t.Errorf("after a dial: %v, heard %v and %v", err, a.HeardFrom(at[1]), b.HeardFrom(at[0]))
		}
		if err == nil {
			ca.Close("done")
		}
		b.Await(at[:1], func(netip.AddrPort) { t.Error("called after a minute") })
		time.Sleep(awaitTime + time.Second)
		a.SendKnocks(at[1:])
		time.Sleep(time.Second)
	})
}
