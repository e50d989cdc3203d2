package link

import (
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/wire"
)

// Moved is what went by one carrier, inner bytes and packets.
type Moved struct{ RxBytes, TxBytes, RxPackets, TxPackets uint64 }

type moved struct{ rxBytes, txBytes, rxPackets, txPackets atomic.Uint64 }

// carriers are those that carry packets; their values are the indices of
// Traffic.carried.
var carriers = [...]wire.Carrier{wire.CarrierDirect, wire.CarrierDatagram, wire.CarrierUTCP}

// Sent counts packets that left by a carrier.
func (t *Traffic) Sent(c wire.Carrier, packets, bytes int) {
	t.TxPackets.Add(uint64(packets))
	t.TxBytes.Add(uint64(bytes))
	if m := t.by(c); m != nil {
		m.txPackets.Add(uint64(packets))
		m.txBytes.Add(uint64(bytes))
	}
}

// Received counts packets that came by a carrier and were passed on.
func (t *Traffic) Received(c wire.Carrier, packets, bytes int) {
	t.RxPackets.Add(uint64(packets))
	t.RxBytes.Add(uint64(bytes))
	if m := t.by(c); m != nil {
		m.rxPackets.Add(uint64(packets))
		m.rxBytes.Add(uint64(bytes))
	}
}

func (t *Traffic) by(c wire.Carrier) *moved {
	if int(c) < len(t.carried) {
		return &t.carried[c]
	}
	return nil
}

// Carried returns what each carrier has moved, by its name; all are there.
func (t *Traffic) Carried() map[string]Moved {
	all := make(map[string]Moved, len(carriers))
	for _, c := range carriers {
		m := &t.carried[c]
		all[c.String()] = Moved{m.rxBytes.Load(), m.txBytes.Load(), m.rxPackets.Load(), m.txPackets.Load()}
	}
	return all
}

// DropReasons are the names of all reasons for which a packet or record is
// dropped.
func DropReasons() []string { return append([]string(nil), dropNames[:]...) }
