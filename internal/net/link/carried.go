package link

import (
	"sync/atomic"
)

// Moved is what went by one carrier, inner bytes and packets.
type Moved struct{ RxBytes, TxBytes, RxPackets, TxPackets uint64 }

type moved struct{ rxBytes, txBytes, rxPackets, txPackets atomic.Uint64 }

// Sent counts packets that left by a carrier. There is no other way to count
// them: totals are sums over carriers.
func (t *Traffic) Sent(k *Kind, packets, bytes int) {
	m := &t.carried[k.index]
	m.txPackets.Add(uint64(packets))
	m.txBytes.Add(uint64(bytes))
}

// Received counts packets that came by a carrier and were passed on.
func (t *Traffic) Received(k *Kind, packets, bytes int) {
	m := &t.carried[k.index]
	m.rxPackets.Add(uint64(packets))
	m.rxBytes.Add(uint64(bytes))
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
	all := make(map[string]Moved, numKinds)
	for i := range t.carried {
		all[kinds[i].Name] = t.carried[i].load()
	}
	return all
}

// DropReasons are the names of all reasons for which a packet or record is
// dropped.
func DropReasons() []string { return append([]string(nil), dropNames[:]...) }
