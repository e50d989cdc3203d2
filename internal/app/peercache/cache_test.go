package peercache

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// except has everybody configured but some, and forbids an address.
type except struct {
	removed []did.DID
	never   netip.AddrPort
}

func (e except) Configured(peer did.DID) bool              { return !slices.Contains(e.removed, peer) }
func (e except) Dialable(_ did.DID, a netip.AddrPort) bool { return a != e.never }

// opened is the cache of a file, and what it logs.
func opened(t *testing.T, path string) (*Cache, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	c := Open(path, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(c.Close)
	c.Configure(except{})
	return c, log
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "n.peers") }

// fetched is what a peer has sent as its keys in a handshake.
func fetched(t *testing.T) (peer did.DID, keys []byte) {
	t.Helper()
	ids := make([]*did.Identity, 2)
	for i := range ids {
		seed := bytes.Repeat([]byte{byte(i + 1)}, did.SeedSize)
		var err error
		if ids[i], err = did.NewIdentity(seed); err != nil {
			t.Fatal(err)
		}
	}
	params := wire.Params{RecordID: wire.MakeRecordID([7]byte{1, 2, 3}), MTU: 1420, Epoch: 1, Incarnation: 11}
	i, err := handshake.NewInitiator(handshake.Config{Identity: ids[0]}, ids[1].DID(), nil, params)
	if err != nil {
		t.Fatal(err)
	}
	p, err := handshake.NewPrekey(ids[1], time.Time{}, time.Time{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := i.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, _, err := handshake.NewResponder(handshake.Config{Identity: ids[1]}, one{p}).Read(nil, ask)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Read(nil, answer); err != nil {
		t.Fatal(err)
	}
	return ids[1].DID(), i.Fetched()
}

type one struct{ p *handshake.Prekey }

func (o one) Current() *handshake.Prekey    { return o.p }
func (o one) ByID(uint32) *handshake.Prekey { return o.p }

func TestWhatIsKnownOutlivesTheNode(t *testing.T) {
	path := file(t)
	c, _ := opened(t, path)
	peer, keys := fetched(t)
	c.Reached(peer, at("192.0.2.1:4242"))
	c.Reached(peer, at("[::ffff:192.0.2.2]:4242"))
	c.Reached(peer, at("[fe80::1%eth0]:4242"))
	c.Fetched(peer, keys)
	c.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	again, log := opened(t, path)
	if got, want := again.Addresses(peer), []netip.AddrPort{at("192.0.2.2:4242"), at("192.0.2.1:4242")}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if k := again.Keys(peer, time.Time{}); k == nil || k.KeySet.DID() != peer || k.Prekey == nil {
		t.Error("keys:", k)
	}
	if log.Len() > 0 {
		t.Error(log)
	}
}

// A table that nothing has changed is not written, and a file that is not there is no
// reason for a word.
func TestNothingKnownMakesNoFile(t *testing.T) {
	path := file(t)
	c, log := opened(t, path)
	c.Close()
	c.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || log.Len() > 0 {
		t.Error(err, log)
	}
}

// Whatever is wrong with the file: one warning, and the node goes on and replaces it.
func TestFileThatCannotBeUsedIsIgnored(t *testing.T) {
	good := encode(some())
	foreign, cut, damaged := []byte("[[peer]]\n"), good[:len(good)/2], bytes.Clone(good)
	damaged[100]++
	other := bytes.Clone(good)
	other[len(magic)] = 9
	for name, put := range map[string]func(path string) error{
		"empty":           func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"foreign":         func(p string) error { return os.WriteFile(p, foreign, 0o600) },
		"cut short":       func(p string) error { return os.WriteFile(p, cut, 0o600) },
		"damaged":         func(p string) error { return os.WriteFile(p, damaged, 0o600) },
		"another version": func(p string) error { return os.WriteFile(p, other, 0o600) },
		"huge": func(p string) error {
			return os.WriteFile(p, append(bytes.Clone(good), make([]byte, maxSize)...), 0o600)
		},
		"a link": func(p string) error { return os.Symlink("/etc/hostname", p) },
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			c, log := opened(t, path)
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "level=WARN") {
				t.Errorf("%d lines: %s", n, log)
			}
			if got := c.Addresses(who(1)); got != nil {
				t.Error(got)
			}
			c.Reached(who(1), at("192.0.2.9:1"))
			c.Close()
			again, log := opened(t, path)
			if got := again.Addresses(who(1)); len(got) != 1 || log.Len() > 0 {
				t.Error(got, log)
			}
		})
	}
}

// A folder that is gone, or one in the file's place: warned of once, however often it
// fails, and the table serves the node all the same.
func TestFileThatCannotBeWrittenIsSaidOnce(t *testing.T) {
	neverWritten(t, filepath.Join(t.TempDir(), "gone", "n.peers"), 1)
	folder := filepath.Join(t.TempDir(), "n.peers")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	neverWritten(t, folder, 2) // that it cannot be read is the other
}

func neverWritten(t *testing.T, path string, lines int) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		c, log := opened(t, path)
		for i := range 5 {
			c.Reached(who(1), at(fmt.Sprintf("192.0.2.1:%d", i+1)))
			time.Sleep(2 * saveAfter)
		}
		c.Close()
		if n := strings.Count(log.String(), "\n"); n != lines {
			t.Errorf("%d lines: %s", n, log)
		}
		if len(c.Addresses(who(1))) != maxAddresses {
			t.Error(c.Addresses(who(1)))
		}
	})
}

// However much changes, the file is written once in saveAfter, and never if nothing has.
func TestFileIsWrittenRarely(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		path := file(t)
		c, _ := opened(t, path)
		written := 0
		var last os.FileInfo
		for i := range 600 {
			c.Reached(who(1), at(fmt.Sprintf("192.0.2.1:%d", i+1)))
			time.Sleep(time.Second)
			synctest.Wait()
			if info, err := os.Stat(path); err == nil && (last == nil || !os.SameFile(last, info)) {
				written, last = written+1, info
			}
		}
		if written < 9 || written > 10 {
			t.Errorf("written %d times in ten minutes", written)
		}
		time.Sleep(2 * saveAfter)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		c.Reached(who(1), c.Addresses(who(1))[0])
		time.Sleep(time.Hour)
		if now, err := os.Stat(path); err != nil || !os.SameFile(info, now) {
			t.Error("written without a change", err)
		}
		c.Close()
	})
}

func TestRemovedPeersAreForgotten(t *testing.T) {
	path := file(t)
	c, _ := opened(t, path)
	c.Reached(who(1), at("192.0.2.1:1"))
	c.Reached(who(2), at("192.0.2.2:1"))
	c.Configure(except{removed: []did.DID{who(1)}})
	c.Prune()
	c.Reached(who(1), at("192.0.2.1:1")) // its session ends a moment later
	c.Close()
	entries, err := read(path)
	if err != nil || len(entries) != 1 || entries[0].peer != who(2) {
		t.Error(entries, err)
	}
}

// A config that is rolled back finds what was known of the peers that it has again, of
// whom nothing was told, and nothing learnt, while they were none.
func TestRolledBackPeersAreRemembered(t *testing.T) {
	path := file(t)
	c, _ := opened(t, path)
	peer, keys := fetched(t)
	c.Reached(peer, at("192.0.2.1:1"))
	c.Fetched(peer, keys)
	c.Configure(except{removed: []did.DID{peer}})
	c.Reached(peer, at("192.0.2.2:2"))
	if c.Keys(peer, time.Now()) != nil {
		t.Error("keys of a node that is no peer")
	}
	c.Configure(except{})
	c.Prune()
	if got := c.Addresses(peer); !slices.Equal(got, []netip.AddrPort{at("192.0.2.1:1")}) || c.Keys(peer, time.Now()) == nil {
		t.Error(got, c.Keys(peer, time.Now()))
	}
}

// Nobody is dialled before it is known who is a peer, nor where the rules forbid it.
func TestRulesJudgeAddresses(t *testing.T) {
	path := file(t)
	c, _ := opened(t, path)
	c.Reached(who(1), at("192.0.2.1:1"))
	c.Reached(who(1), at("192.0.2.2:1"))
	c.Close()
	c = Open(path, nil)
	defer c.Close()
	if got := c.Addresses(who(1)); got != nil {
		t.Error("before Configure:", got)
	}
	c.Configure(except{never: at("192.0.2.2:1")})
	if got := c.Addresses(who(1)); !slices.Equal(got, []netip.AddrPort{at("192.0.2.1:1")}) {
		t.Error(got)
	}
}

// The peers that were used longest ago make room, for addresses and for keys.
func TestTablesAreBounded(t *testing.T) {
	path := file(t)
	c, _ := opened(t, path)
	keys := make([]byte, wire.KeysBodySize)
	for i := range maxPeers + 10 {
		c.Fetched(who(i+1), keys)
		c.Reached(who(1), at("192.0.2.1:1"))
	}
	c.Close()
	entries, err := read(path)
	if err != nil || len(entries) != maxPeers || entries[0].peer != who(1) || entries[1].peer != who(maxPeers+10) {
		t.Fatal(len(entries), err)
	}
	kept := 0
	for _, e := range entries {
		if e.keys != nil {
			kept++
		}
	}
	if kept != maxKeys || entries[0].keys == nil || entries[maxPeers-1].keys != nil {
		t.Errorf("%d keys", kept)
	}
}

// Keys that somebody has changed in the file, or has put under another peer's DID, are
// not used and not kept.
func TestForgedKeysAreForgotten(t *testing.T) {
	peer, keys := fetched(t)
	for _, n := range []int{0, 100, 1300, len(keys) - 1} {
		c, _ := opened(t, file(t))
		forged := bytes.Clone(keys)
		forged[n] ^= 1
		c.Fetched(peer, forged)
		if k := c.Keys(peer, time.Time{}); k != nil {
			t.Errorf("byte %d may change", n)
		}
		if c.peers[peer].keys != nil {
			t.Errorf("byte %d: kept", n)
		}
	}
	c, _ := opened(t, file(t))
	c.Fetched(who(1), keys)
	if k := c.Keys(who(1), time.Time{}); k != nil {
		t.Error("another peer's")
	}
}

// A peer's keys count for as long as a session would keep them, asleep or awake, and not
// beyond a copy of the machine.
func TestKeysGrowOld(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		peer, keys := fetched(t)
		c, _ := opened(t, file(t))
		defer c.Close()
		have := func(want bool, when string) {
			t.Helper()
			if got := c.Keys(peer, time.Time{}) != nil; got != want {
				t.Errorf("%s: %v", when, got)
			}
		}
		c.Fetched(peer, keys)
		time.Sleep(connect.PrekeyLife - time.Second)
		have(true, "a second before the end")
		time.Sleep(time.Second)
		have(false, "at the end")
		c.Fetched(peer, keys)
		c.Slept(connect.PrekeyLife)
		have(false, "after a sleep")
		c.Fetched(peer, keys)
		c.Reached(peer, at("192.0.2.1:1"))
		c.Copied()
		have(false, "after a copy")
		if len(c.Addresses(peer)) != 1 {
			t.Error("a copy forgets addresses")
		}
	})
}

// The file has no field that a secret could be in: it is what it was told, and public.
func TestFileHoldsWhatWasToldAndNoMore(t *testing.T) {
	path := file(t)
	peer, keys := fetched(t)
	c, _ := opened(t, path)
	c.Reached(peer, at("192.0.2.1:4242"))
	c.Fetched(peer, keys)
	c.Close()
	entries, err := read(path)
	want := []entry{{peer: peer, addresses: []netip.AddrPort{at("192.0.2.1:4242")}, keys: keys}}
	if err != nil || !reflect.DeepEqual(entries, want) {
		t.Errorf("%v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != int64(headSize+wire.DigestSize+1+addressSize+1+wire.KeysBodySize+32) {
		t.Error(info, err)
	}
}
