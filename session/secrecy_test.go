package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/transport"
)

// A listener passes on everything between a client and a target, by TCP or UDP,
// and keeps a copy of both directions.
type listener struct {
	addr string

	mu   sync.Mutex
	seen [2][]byte
}

func (l *listener) keep(direction int, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[direction] = append(l.seen[direction], b...)
}

// pass copies one direction until its source ends.
func (l *listener) pass(direction int, read func([]byte) (int, error), write func([]byte) (int, error)) {
	for b := make([]byte, 4096); ; {
		n, err := read(b)
		if err != nil {
			return
		}
		l.keep(direction, b[:n])
		write(b[:n])
	}
}

func listenTCP(t *testing.T, target string) *listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{addr: ln.Addr().String()}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			t.Cleanup(func() { in.Close(); out.Close() })
			go l.pass(0, in.Read, out.Write)
			go l.pass(1, out.Read, in.Write)
		}
	}()
	return l
}

func listenUDP(t *testing.T, target string) *listener {
	in, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("udp", target)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{addr: in.LocalAddr().String()}
	t.Cleanup(func() { in.Close(); out.Close() })
	var mu sync.Mutex
	var client netip.AddrPort
	go l.pass(0, func(b []byte) (int, error) {
		n, from, err := in.ReadFromUDPAddrPort(b)
		mu.Lock()
		defer mu.Unlock()
		client = from
		return n, err
	}, out.Write)
	go l.pass(1, out.Read, func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return in.WriteToUDPAddrPort(b, client)
	})
	return l
}

// secrecyNode is a node on loopback.
func secrecyNode(t *testing.T, n int, where *did.Static, c *link.Kind) (*session.Manager, *did.Identity, string) {
	t.Helper()
	id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(7000+n)))
	if err != nil {
		t.Fatal(err)
	}
	network, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.New(session.Config{Identity: id, Network: network, Resolver: where, Carriers: []*link.Kind{c}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(); network.Close() })
	return m, id, network.LocalAddr().String()
}

// identifying are byte strings that identify a node, by what they are.
func identifying(of *did.Identity) map[string][]byte {
	digest, set := of.DID().Digest(), of.KeySet()
	s := map[string][]byte{"digest": digest[:16], "end of the digest": digest[16:], "S": set.S[:16], "X": set.D[:16], "Q": set.Q[:16],
		"DID": []byte(of.DID().String()[len("did:morpheus:z"):][:16])}
	for i := 0; i+16 <= len(set.K); i += 16 {
		s[fmt.Sprintf("K from byte %d", i)] = set.K[i : i+16]
	}
	return s
}

// SPEC 5.1 "KEYS_REQ and KEYS": a first contact, recorded whole in both directions, shows neither end's
// identity on either link.
func TestAListenerLearnsNoIdentity(t *testing.T) {
	for _, c := range []struct {
		carrier *link.Kind
		between func(*testing.T, string) *listener
	}{{link.KindUTCP, listenTCP}, {link.KindDatagram, listenUDP}} {
		t.Run(c.carrier.String(), func(t *testing.T) {
			where := new(did.Static)
			a, idA, _ := secrecyNode(t, 1, where, c.carrier)
			b, idB, addr := secrecyNode(t, 2, where, c.carrier)
			l := c.between(t, addr)
			where.Set(idB.DID(), l.addr)
			for m, peer := range map[*session.Manager]did.DID{a: idB.DID(), b: idA.DID()} {
				if _, err := m.Add(session.Peer{DID: peer}); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, err := a.Establish(ctx, idB.DID()); err != nil {
				t.Fatal(err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.seen[0]) < wire.M1Size || len(l.seen[1]) < wire.KeysSize+wire.M2Size {
				t.Fatalf("only %d and %d bytes passed: this test sees nothing", len(l.seen[0]), len(l.seen[1]))
			}
			searched := 0
			for who, id := range map[string]*did.Identity{"initiator": idA, "responder": idB} {
				for what, s := range identifying(id) {
					searched++
					if bytes.Contains(l.seen[0], s) || bytes.Contains(l.seen[1], s) {
						t.Errorf("%s of the %s passes in the clear", what, who)
					}
				}
			}
			faults.Report(t, "S6", true, "first contact by %v: %d and %d bytes, none of %d byte strings of digest, DID, S, X, K, Q of either end in them",
				c.carrier, len(l.seen[0]), len(l.seen[1]), searched)
		})
	}
}
