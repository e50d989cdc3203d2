package keys

import (
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/rotation"
)

// Kept is what stays of a session's keys when it has no epoch: by it the session is
// resumed.
type Kept struct {
	peer    *did.KeySet      // nil before the first proof
	out, in handshake.Resume // what we may start with, what the peer may
	before  handshake.Resume // what the peer may start with until it has shown that it has in; else zero
	full    uint64           // full handshakes that were proven
	fullAt  time.Time        // when the last one was that came into use
}

// Peer is the peer's proven key set; nil before the first proof.
func (k *Kept) Peer() *did.KeySet { return k.peer }

// Full is how many full handshakes were proven, and when the last one came into use.
func (k *Kept) Full() (count uint64, last time.Time) { return k.full, k.fullAt }

// Find is Secrets.Find for a session whose lifetime is ttl.
func (k *Kept) Find(id handshake.ResumeID, ttl time.Duration, now time.Time) (peer *did.KeySet, secret handshake.Key, ok bool) {
	if k.peer == nil || !k.young(ttl, now) {
		return nil, secret, false
	}
	for _, in := range []*handshake.Resume{&k.in, &k.before} {
		if in.ID == id && !in.Secret.IsZero() {
			return k.peer, in.Secret, true
		}
	}
	return nil, secret, false
}

// young reports whether the last full handshake is young enough for the session's
// lifetime and for short mode (SPEC 5.2). A stored session whose handshake was in
// another process is young: the peer, which has the secret too, knows better and
// says so.
func (k *Kept) young(ttl time.Duration, now time.Time) bool {
	return k.fullAt.IsZero() || now.Sub(k.fullAt) < min(ttl, rotation.ShortLimit)
}

// Age makes the last full handshake d older: the machine slept while the monotonic clock stood.
func (k *Kept) Age(d time.Duration) {
	if !k.fullAt.IsZero() {
		k.fullAt = k.fullAt.Add(-d)
	}
}

// Answered are the ids of the resumptions that the peer may start.
func (k *Kept) Answered() (ids []handshake.ResumeID) {
	for _, in := range []*handshake.Resume{&k.in, &k.before} {
		if !in.Secret.IsZero() {
			ids = append(ids, in.ID)
		}
	}
	return ids
}

// Erase makes the next handshake a full one. The counts stay.
func (k *Kept) Erase() {
	for _, r := range []*handshake.Resume{&k.out, &k.in, &k.before} {
		clear(r.Secret[:])
		*r = handshake.Resume{}
	}
}
