package session_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// node is what a program needs: an identity, a socket and a manager. It takes no
// root and no TUN device.
func node(seed byte, where *did.Static) (*session.Manager, *transport.Transport, did.DID, error) {
	id, err := did.NewIdentity(bytes.Repeat([]byte{seed}, did.SeedSize)) // a real one: did.LoadKeyFile
	if err != nil {
		return nil, nil, did.DID{}, err
	}
	net, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		return nil, nil, did.DID{}, err
	}
	m, err := session.New(session.Config{Identity: id, Network: net, Resolver: where})
	return m, net, id.DID(), err
}

// Two programs establish a session and exchange a message: exactly once, in
// order, across rotation, outages and changes of path.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	where := new(did.Static)
	alice, aliceNet, aliceDID, err := node(1, where)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer aliceNet.Close()
	defer alice.Close()
	bob, bobNet, bobDID, err := node(2, where)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bobNet.Close()
	defer bob.Close()

	where.Set(bobDID, bobNet.LocalAddr().String())
	fromAlice, _ := bob.Add(session.Peer{DID: aliceDID})

	toBob, err := alice.Establish(ctx, bobDID, session.WithHeartbeat(15*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	go toBob.Send(ctx, []byte("hello"))
	msg, err := fromAlice.Receive(ctx)
	fmt.Printf("%s, %v, epoch %d\n", msg, err, toBob.Status().Epoch)
	// Output: hello, <nil>, epoch 1
}

// A rotation replaces the keys while the session is used.
func ExampleSession_Rotate() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	where := new(did.Static)
	alice, aliceNet, aliceDID, err := node(3, where)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer aliceNet.Close()
	defer alice.Close()
	bob, bobNet, bobDID, err := node(4, where)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bobNet.Close()
	defer bob.Close()
	where.Set(bobDID, bobNet.LocalAddr().String())
	bob.Add(session.Peer{DID: aliceDID})

	s, err := alice.Establish(ctx, bobDID)
	if err == nil {
		err = s.Rotate(ctx)
	}
	fmt.Println(err)
	// Output: <nil>
}

// A program that wants packets and messages by TCP only, say for a network that
// has no UDP, names the carrier.
func ExampleConfig_carriers() {
	c := session.Config{Carriers: []session.Carrier{session.UTCP}}
	best, err := session.ParseCarrier("direct")
	fmt.Println(c.Carriers[0], best == session.Direct, err)
	// Output: utcp true <nil>
}
