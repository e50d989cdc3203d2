package session

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Both ends learn soon how the other sees them, whatever carries the session,
// and only who was dialled by TCP has an inbound endpoint.
func TestStatusShowsThePath(t *testing.T) {
	for only, room := range map[wire.Carrier]int{wire.CarrierDirect: 1452, wire.CarrierDatagram: 1415, wire.CarrierUTCP: 1415} {
		withAllCarriers(t, func(t *testing.T, w *world) {
			for _, h := range []*host{w.a, w.b} {
				for _, c := range []wire.Carrier{wire.CarrierDatagram, wire.CarrierUTCP} {
					h.node.Off[c] = only != wire.CarrierDirect && c != only
				}
				h.node.Off[wire.CarrierDirect] = only != wire.CarrierDirect
			}
			sa, sb := w.pair(Settings{})
			time.Sleep(time.Second)
			for s, h := range map[*Session]*host{sa: w.a, sb: w.b} {
				st := s.Status()
				if st.Carrier != only.String() || st.Room != room || st.MTU != wire.DefaultMTU || st.Seen != h.addr {
					t.Errorf("%+v", st)
				}
				if want := only == wire.CarrierUTCP && s == sb; st.Inbound != want {
					t.Errorf("%v: inbound is %v, want %v", only, st.Inbound, want)
				}
			}
		})
	}
}
