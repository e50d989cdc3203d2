// Command example is a program of somebody else's: two nodes in one process, on
// loopback, without a TUN device and without root, and a message from one to the
// other. It uses the public packages only; a test builds it as a module outside
// of this tree.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// A node is an identity, a socket, and the sessions over it.
type node struct {
	id       *did.Identity
	net      *transport.Transport
	sessions *session.Manager
}

func newNode(where did.Resolver) (*node, error) {
	seed := make([]byte, did.SeedSize)
	rand.Read(seed)
	id, err := did.NewIdentity(seed) // a program that runs twice keeps it: did.LoadKeyFile
	if err != nil {
		return nil, err
	}
	net, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		return nil, err
	}
	var network session.Network = net
	sessions, err := session.New(session.Config{Identity: id, Network: network, Resolver: where})
	if err != nil {
		net.Close()
		return nil, err
	}
	return &node{id: id, net: net, sessions: sessions}, nil
}

func (n *node) close() {
	n.sessions.Close()
	n.net.Close()
}

func main() {
	if err := chat(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func chat() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	where := new(did.Static)
	alice, err := newNode(where)
	if err != nil {
		return err
	}
	defer alice.close()
	bob, err := newNode(where)
	if err != nil {
		return err
	}
	defer bob.close()

	where.Set(bob.id.DID(), bob.net.LocalAddr().String())
	fromAlice, err := bob.sessions.Add(session.Peer{DID: alice.id.DID()})
	if err != nil {
		return err
	}
	toBob, err := alice.sessions.Establish(ctx, bob.id.DID())
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- toBob.Send(ctx, []byte("hello")) }()
	message, err := fromAlice.Receive(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("bob received: %s, from %s by %s\n", message, fromAlice.DID(), fromAlice.Status().Carrier)
	return <-sent
}
