package paths

import "time"

const (
	// quietGap is how long packets that came steadily may cease before the peer is
	// asked for a heartbeat, and the time between two looks at whether they do.
	quietGap = 250 * time.Millisecond
	// quietLooks are the looks in a row at which packets had come that make them steady:
	// who sends one now and then is not asked each time.
	quietLooks = 4
)

// inflow watches for packets of the peer that came steadily and cease. When the NATs of
// both ends have forgotten, the end that only receives has to send: nothing else opens
// its NAT again, neither for the peer nor for the hub, and it sees nothing but silence.
// At the end of an ordinary flow that costs one heartbeat.
type inflow struct {
	lookAt  time.Time // when packets are watched for again; zero: they are
	quietAt time.Time // when they have ceased; zero: none came lately
	steady  int       // looks in a row at which they had come
}

// came notes the first packet since they are watched for.
func (x *inflow) came(now time.Time) {
	x.steady++
	x.lookAt, x.quietAt = now.Add(quietGap), time.Time{}
}

// wants reports whether the next packet is news.
func (x *inflow) wants() bool { return x.lookAt.IsZero() }

// look watches again, and reports whether a steady flow has ceased.
func (x *inflow) look(now time.Time) (ceased bool) {
	if due(x.lookAt, now) {
		x.lookAt, x.quietAt = time.Time{}, now.Add(quietGap)
	}
	if !due(x.quietAt, now) {
		return false
	}
	ceased = x.steady >= quietLooks
	x.quietAt, x.steady = time.Time{}, 0
	return ceased
}

func (x *inflow) deadline() time.Time { return earliest(x.lookAt, x.quietAt) }
