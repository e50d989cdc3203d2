package session

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Both ends learn soon how the other sees them, whatever carries the session,
// and only who was dialled by TCP has an inbound endpoint.
func TestStatusShowsThePath(t *testing.T) {
	for only, room := range map[*link.Kind]int{link.KindDirect: 1452, link.KindDatagram: 1415, link.KindUTCP: 1415} {
		withAllCarriers(t, func(t *testing.T, w *world) {
			for _, h := range []*host{w.a, w.b} {
				for _, c := range []*link.Kind{link.KindDatagram, link.KindUTCP} {
					h.node.Off[c] = only != link.KindDirect && c != only
				}
				h.node.Off[link.KindDirect] = only != link.KindDirect
			}
			sa, sb := w.pair(Settings{})
			time.Sleep(time.Second)
			for s, h := range map[*Session]*host{sa: w.a, sb: w.b} {
				st := s.Status()
				if st.Carrier != only.String() || st.Room != room || st.MTU != wire.DefaultMTU || st.Seen != h.addr {
					t.Errorf("%+v", st)
				}
				if want := only == link.KindUTCP && s == sb; st.Inbound != want {
					t.Errorf("%v: inbound is %v, want %v", only, st.Inbound, want)
				}
			}
		})
	}
}
