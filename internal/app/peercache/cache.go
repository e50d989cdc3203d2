package peercache

import (
	"cmp"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Rules are what the config says of peers. Safe for concurrent use; no call blocks.
type Rules interface {
	// Configured reports whether a node is a peer. Of others nothing is told, and Prune
	// drops what is known.
	Configured(peer did.DID) bool
	// Dialable reports whether this node may dial a peer at an address of the file.
	Dialable(peer did.DID, at netip.AddrPort) bool
}

// A Cache is what a node remembers of its peers. Open makes one.
type Cache struct {
	path    string
	log     *slog.Logger
	changed chan struct{} // one token: the file is not as the table
	end     chan struct{} // closed by Close
	ended   sync.WaitGroup
	close   sync.Once
	failed  string // why the file was not written last; of who writes

	mu    sync.Mutex
	rules Rules // nil before Configure: nobody is a peer yet
	peers map[did.DID]*known
	uses  uint64 // counts them, to find the peer that was used longest ago
	dirty bool   // changed since the last write
}

var _ connect.Memory = (*Cache)(nil)

// known is what is known of one peer.
type known struct {
	entry
	used uint64    // the peer's newest use
	at   time.Time // when the keys came, or the file was read
}

// Configure takes the rules that hold from now on. Who is no peer any more may be one
// again, if the config is rolled back: Prune forgets such.
func (c *Cache) Configure(r Rules) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules = r
}

// Prune forgets whom the rules do not know as a peer. Without rules it does nothing.
func (c *Cache) Prune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rules == nil {
		return
	}
	for peer := range c.peers {
		if !c.rules.Configured(peer) {
			delete(c.peers, peer)
			c.touch()
		}
	}
}

// Addresses implements connect.Memory.
func (c *Cache) Addresses(peer did.DID) (all []netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.peers[peer]; k != nil && c.rules != nil {
		for _, a := range k.addresses {
			if c.rules.Dialable(peer, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

// Reached implements connect.Memory.
func (c *Cache) Reached(peer did.DID, at netip.AddrPort) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.use(peer, storable(at))
	if k == nil || !storable(at) || len(k.addresses) > 0 && k.addresses[0] == at {
		return
	}
	rest := slices.DeleteFunc(k.addresses, func(a netip.AddrPort) bool { return a == at })
	rest = rest[:min(len(rest), maxAddresses-1)]
	k.addresses = slices.Insert(rest, 0, at)
	c.touch()
}

// Keys implements connect.Memory. What does not verify is forgotten.
func (c *Cache) Keys(peer did.DID, now time.Time) *handshake.PeerKeys {
	c.mu.Lock()
	k := c.peers[peer]
	if k == nil || k.keys == nil || c.rules == nil || !c.rules.Configured(peer) {
		c.mu.Unlock()
		return nil
	}
	text, old := k.keys, time.Since(k.at) >= connect.PrekeyLife
	c.mu.Unlock()
	if !old { // without the lock: signatures take a while
		if keys, err := handshake.ParsePeerKeys(peer, text, now); err == nil {
			return keys
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.peers[peer]; k != nil && len(k.keys) > 0 && &k.keys[0] == &text[0] {
		k.keys = nil
		c.touch()
	}
	return nil
}

// Fetched implements connect.Memory.
func (c *Cache) Fetched(peer did.DID, keys []byte) {
	if len(keys) != wire.KeysBodySize {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.use(peer, true); k != nil {
		k.keys, k.at = keys, time.Now()
		c.fewer()
		c.touch()
	}
}

// Slept ages the keys by a sleep of the machine while the monotonic clock stood.
func (c *Cache) Slept(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.peers {
		k.at = k.at.Add(-d)
	}
}

// Copied drops all keys: the machine was copied, and may have slept for long
// (spec/behaviour.md 6.9).
func (c *Cache) Copied() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.peers {
		if k.keys != nil {
			k.keys = nil
			c.touch()
		}
	}
}

// use is the place of a configured peer, which was used now; add makes one where there
// is none, in place of the peer that was used longest ago if there are too many. Nil:
// none. c.mu is held.
func (c *Cache) use(peer did.DID, add bool) *known {
	k := c.peers[peer]
	if k == nil && !add || c.rules == nil || !c.rules.Configured(peer) {
		return nil
	}
	if k == nil {
		if len(c.peers) >= maxPeers {
			delete(c.peers, c.oldest(func(*known) bool { return true }).peer)
		}
		k = &known{entry: entry{peer: peer}}
		c.peers[peer] = k
	}
	c.uses++
	k.used = c.uses
	return k
}

// fewer forgets the keys of the peer that was used longest ago, if there are too many.
// c.mu is held.
func (c *Cache) fewer() {
	n := 0
	for _, k := range c.peers {
		if k.keys != nil {
			n++
		}
	}
	if n > maxKeys {
		c.oldest(func(k *known) bool { return k.keys != nil }).keys = nil
	}
}

// oldest is the peer, of some, that was used longest ago; nil: of none. c.mu is held.
func (c *Cache) oldest(of func(*known) bool) (first *known) {
	for _, k := range c.peers {
		if of(k) && (first == nil || k.used < first.used) {
			first = k
		}
	}
	return first
}

// touch notes that the file is not as the table. c.mu is held.
func (c *Cache) touch() {
	c.dirty = true
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// text is the file as it should be; false if it is. Sessions wait for the lock meanwhile
// no longer than the entries take to copy.
func (c *Cache) text() (text []byte, dirty bool) {
	entries, dirty := c.changes()
	if !dirty {
		return nil, false
	}
	return encode(entries), true
}

// changes are the entries, the newest first, if they have changed since the last call.
func (c *Cache) changes() (entries []entry, dirty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil, false
	}
	c.dirty = false
	all := slices.SortedFunc(maps.Values(c.peers), func(a, b *known) int { return cmp.Compare(b.used, a.used) })
	entries = make([]entry, len(all))
	for i, k := range all {
		entries[i] = k.entry
		entries[i].addresses = slices.Clone(k.addresses) // Reached moves them in their place
	}
	return entries, true
}

// fill takes what the file said.
func (c *Cache) fill(entries []entry, now time.Time) {
	for _, e := range slices.Backward(entries) {
		c.uses++
		c.peers[e.peer] = &known{entry: e, used: c.uses, at: now}
	}
}
