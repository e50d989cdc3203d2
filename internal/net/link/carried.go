package link

import (
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Moved is what went by one carrier, inner bytes and packets.
type Moved struct{ RxBytes, TxBytes, RxPackets, TxPackets uint64 }

type moved struct{ rxBytes, txBytes, rxPackets, txPackets atomic.Uint64 }

// carriers are those that carry packets; their values are the indices of
// Traffic.carried.
var carriers = [...]wire.Carrier{wire.CarrierDirect, wire.CarrierDatagram, wire.CarrierUTCP}

// Sent counts packets that left by a carrier. There is no other way to count
// them: totals are sums over carriers.
func (t *Traffic) Sent(c wire.Carrier, packets, bytes int) {
	if m := t.by(c); m != nil {
		m.txPackets.Add(uint64(packets))
		m.txBytes.Add(uint64(bytes))
	}
}

// Received counts packets that came by a carrier and were passed on.
func (t *Traffic) Received(c wire.Carrier, packets, bytes int) {
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

// Total is what all carriers have moved.
func (t *Traffic) Total() (sum Moved) {
	for i := range t.carried {
		m := t.carried[i].load()
		sum.RxBytes, sum.TxBytes = sum.RxBytes+m.RxBytes, sum.TxBytes+m.TxBytes
		sum.RxPackets, sum.TxPackets = sum.RxPackets+m.RxPackets, sum.TxPackets+m.TxPackets
	}
	return sum
}

func (m *moved) load() Moved {
	return Moved{m.rxBytes.Load(), m.txBytes.Load(), m.rxPackets.Load(), m.txPackets.Load()}
}

// Carried returns what each carrier has moved, by its name; all are there.
func (t *Traffic) Carried() map[string]Moved {
	all := make(map[string]Moved, len(carriers))
	for _, c := range carriers {
		all[c.String()] = t.carried[c].load()
	}
	return all
}

// DropReasons are the names of all reasons for which a packet or record is
// dropped.
func DropReasons() []string { return append([]string(nil), dropNames[:]...) }
