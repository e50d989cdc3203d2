package utcp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	sealing "github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// Another protocol's first bytes get no answer, not even one that names ours.
func TestGarbageIsToldNothing(t *testing.T) {
	b := startNode(t, loopback)
	accepting(t, b)
	here, there := net.Pipe()
	hello := make([]byte, 4096)
	go func() {
		_ = tls.Client(there, &tls.Config{InsecureSkipVerify: true}).Handshake() // ends with the pipe
	}()
	n, err := here.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	here.Close()
	there.Close()
	noise := rand.NewChaCha8([32]byte{6})
	firsts := [][]byte{hello[:n], []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), []byte("SSH-2.0-x\r\n"), make([]byte, 4096)}
	for range 20 {
		g := make([]byte, 1+noise.Uint64()%3000)
		_, _ = noise.Read(g) // never fails
		firsts = append(firsts, g)
	}
	for _, first := range firsts {
		s := strangerTo(t, b)
		s.Write(first)
		if len(first) < len(somePreface) {
			s.CloseWrite()
		}
		s.wantEnd(30 * time.Second)
	}
	faults.Report(t, "T6", true, "TLS, HTTP, SSH, zeros and 20 random beginnings: closed, 0 bytes out")
}

// Every bit of a stream of frames is flipped in turn. No packet but the genuine
// ones comes out, none twice; a flip in a header ends the connection or leaves it
// waiting for bytes that it would then judge.
func TestFlippedBits(t *testing.T) {
	keys := sealing.Keys{Number: 1, Cipher: wire.AES256GCM, Send: [32]byte{1}, Recv: [32]byte{2}, SendID: wire.MakeRecordID([7]byte{1}), RecvID: wire.MakeRecordID([7]byte{2})}
	sender, err := sealing.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	plains := [][]byte{bytes.Repeat([]byte{0x45}, 40), bytes.Repeat([]byte{0x46}, 60), bytes.Repeat([]byte{0x47}, 50)}
	var recs wire.Batch
	if err := sender.Seal(&recs, wire.SpaceUTCP, plains); err != nil {
		t.Fatal(err)
	}
	all := appendStreamFrame([]byte(somePreface), frameOpen, 1, nil)
	for _, rec := range recs.Slices() {
		all = append(appendFrameHeader(all, frameRecord, len(rec)), rec...)
	}
	keys.Send, keys.Recv, keys.SendID, keys.RecvID = keys.Recv, keys.Send, keys.RecvID, keys.SendID
	ended, dropped := 0, 0
	for bit := range 8 * len(all) {
		receiver, err := sealing.New(keys)
		if err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(all)
		flipped[bit/8] ^= 1 << (bit % 8)
		_, r := detached()
		r.n = copy(r.buf, flipped)
		err = r.consume()
		if err != nil {
			if ended++; !errors.Is(err, cause.ErrProtocol) && !errors.Is(err, cause.ErrPeerClosed) {
				t.Fatalf("bit %d: %v", bit, err)
			}
		}
		seen := 0
		for _, rec := range r.h.(*inbox).recs {
			plain, verdict := receiver.OpenTo(make([]byte, 0, len(rec)), rec)
			if verdict != sealing.Opened {
				dropped++
				continue
			}
			for seen < len(plains) && !bytes.Equal(plain, plains[seen]) {
				seen++
			}
			if seen++; seen > len(plains) {
				t.Fatalf("bit %d: a changed packet came out, or one twice", bit)
			}
		}
	}
	faults.Report(t, "T8", true, "%d bits flipped: %d ended the connection, %d records were dropped by their tags, no changed packet came out", 8*len(all), ended, dropped)
}
