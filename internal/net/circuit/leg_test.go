package circuit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// SPEC 6.13: what comes from another remote than the leg's is dropped unanswered, and
// counted. For a while the path before counts too.
func TestOnlyTheHubIsHeard(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newEnd(2)
		leg := new(Leg)
		p := b.open(t, leg)
		defer p.Close()
		wrong := uint64(0)
		from := func(what string, by link.Path, taken bool) {
			t.Helper()
			b.got = nil
			b.Records(by, under(p.Label(), aRecord(100, 1), aRecord(100, 2)))
			if (len(b.got) == 1) != taken {
				t.Errorf("%s: %d calls", what, len(b.got))
			}
			if !taken {
				wrong += 2
			}
			b.wants(t, WrongSource, wrong)
		}
		direct, again, elsewhere := newHubPath(link.KindDirect), newHubPath(link.KindDirect), newHubPath(link.KindDirect)
		elsewhere.remote = netip.MustParseAddrPort("192.0.2.66:4242")
		tcp, tcp2 := newHubPath(link.KindUTCP), newHubPath(link.KindUTCP)
		from("no leg", direct, false)
		leg.Set(direct)
		from("the leg", direct, true)
		from("the same remote", again, true)
		from("another remote", elsewhere, false)
		from("another way from the same remote", tcp, false)
		from("a circuit", p, false)
		leg.Set(tcp)
		from("the connection", tcp, true)
		from("another connection", tcp2, false)
		from("the path before", direct, true)
		leg.Set(tcp) // no move
		leg.Set(nil)
		from("none: the path before", tcp, true)
		leg.Set(elsewhere)
		from("the next path", elsewhere, true)
		from("the path before none", tcp, true)
		from("two paths before", direct, false)
		time.Sleep(movedFor)
		from("the path before, later", tcp, false)
		from("the next path, later", elsewhere, true)
	})
}
