package discovery

import (
	"hash/maphash"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Limits of what a receiver does for strangers.
const (
	trialRate   = 1 << 19 // hashes a second, about a twentieth of a core
	trialBurst  = 1 << 18
	sourceRate  = 32 // packets a second that are tried of one source
	sourceBurst = 96
	answerRate  = 1 // answers a second to one source
	answerBurst = 4
	answersRate = 64 // answers a second to all
	answersMax  = 128
	buckets     = 256
)

// A gate limits work and answers, per source and in all. Sources share a fixed
// number of buckets by a hash that nobody else can compute: its size does not
// depend on what is received. Safe for concurrent use.
type gate struct {
	seed    maphash.Seed
	trials  *rate.Limiter
	answers *rate.Limiter
	source  [buckets]perSource
}

type perSource struct{ packets, answers *rate.Limiter }

func newGate() *gate {
	g := &gate{seed: maphash.MakeSeed(), trials: rate.NewLimiter(trialRate, trialBurst), answers: rate.NewLimiter(answersRate, answersMax)}
	for i := range g.source {
		g.source[i] = perSource{rate.NewLimiter(sourceRate, sourceBurst), rate.NewLimiter(answerRate, answerBurst)}
	}
	return g
}

func (g *gate) of(source netip.Addr) *perSource {
	return &g.source[maphash.Comparable(g.seed, source)%buckets]
}

// try reports whether a packet may be tried with so many keys.
func (g *gate) try(source netip.Addr, keys int, now time.Time) bool {
	return g.of(source).packets.AllowN(now, 1) && g.trials.AllowN(now, keys)
}

// answer reports whether a question may be answered.
func (g *gate) answer(source netip.Addr, now time.Time) bool {
	return g.of(source).answers.AllowN(now, 1) && g.answers.AllowN(now, 1)
}
