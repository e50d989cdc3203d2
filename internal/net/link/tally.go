package link

// A Tally is what a Traffic has counted.
type Tally struct {
	carried [numKinds]Moved
	drops   [numDrops]uint64
}

// Tally is what t has counted; nil: nothing.
func (t *Traffic) Tally() *Tally {
	var sum Tally
	for i := range t.carried {
		sum.carried[i] = t.carried[i].load()
	}
	for i := range t.drops {
		sum.drops[i] = t.drops[i].Load()
	}
	if sum == (Tally{}) {
		return nil
	}
	return &sum
}

// Total is what all carriers have moved; nil: nothing.
func (x *Tally) Total() (sum Moved) {
	if x == nil {
		return sum
	}
	for _, m := range x.carried {
		sum.RxBytes, sum.TxBytes = sum.RxBytes+m.RxBytes, sum.TxBytes+m.TxBytes
		sum.RxPackets, sum.TxPackets = sum.RxPackets+m.RxPackets, sum.TxPackets+m.TxPackets
	}
	return sum
}

// AddTo adds what was counted to t; nil adds nothing.
func (x *Tally) AddTo(t *Traffic) {
	if x == nil {
		return
	}
	for i, m := range x.carried {
		t.carried[i].rxBytes.Add(m.RxBytes)
		t.carried[i].txBytes.Add(m.TxBytes)
		t.carried[i].rxPackets.Add(m.RxPackets)
		t.carried[i].txPackets.Add(m.TxPackets)
	}
	for i, n := range x.drops {
		t.drops[i].Add(n)
	}
}

// Traffic is one that has counted the same.
func (x *Tally) Traffic() *Traffic {
	t := new(Traffic)
	x.AddTo(t)
	return t
}
