package ping

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A path counts what is sent on it.
type path struct{ sent int }

func (p *path) Kind() *link.Kind       { return link.KindDirect }
func (p *path) Local() netip.AddrPort  { return netip.MustParseAddrPort("192.0.2.1:1") }
func (p *path) Remote() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.2:2") }
func (p *path) Room() int              { return 1400 }
func (p *path) RTT() time.Duration     { return 0 }
func (p *path) Send(b *wire.Batch) (int, error) {
	p.sent += len(b.Slices())
	return len(b.Slices()), nil
}

func epoch(t *testing.T) *record.Epoch {
	t.Helper()
	e, err := record.New(record.Keys{Number: 7, Cipher: wire.ChaCha20Poly1305, Send: [32]byte{1}, Recv: [32]byte{2},
		SendID: wire.MakeRecordID([wire.RecordIDSize]byte{1}), RecvID: wire.MakeRecordID([wire.RecordIDSize]byte{2})})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The echo of a ping answers it once, by its own path, with how it travelled.
// SPEC R-6.10-4.
func TestEchoAnswersItsPingOnce(t *testing.T) {
	var x Waiting
	by, other, p, now := new(path), new(path), New(), time.Now()
	if err := x.Send(p, epoch(t), by, 5, now); err != nil || by.sent != 1 || !x.Any() {
		t.Fatalf("%v, %d records", err, by.sent)
	}
	if x.Echo(other, 5, now) || x.Echo(by, 6, now) || len(p.Answer) > 0 {
		t.Error("answered by another path, or another nonce")
	}
	if !x.Echo(by, 5, now.Add(time.Second)) || x.Any() {
		t.Error("not answered by its own path")
	}
	want := Pong{Link: "quic", Carrier: "direct", Local: by.Local(), Remote: by.Remote(), Epoch: 7, RTT: time.Second}
	if got := <-p.Answer; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if x.Echo(by, 5, now) {
		t.Error("answered twice")
	}
}

// A ping that is forgotten takes no echo; of too many the oldest is forgotten.
func TestForgottenPingTakesNoEcho(t *testing.T) {
	var x Waiting
	e, by, now := epoch(t), new(path), time.Now()
	first, second := New(), New()
	for i, p := range []*Ping{first, second} {
		if err := x.Send(p, e, by, uint64(i), now); err != nil {
			t.Fatal(err)
		}
	}
	x.Forget(second)
	if x.Echo(by, 1, now) || !x.Any() {
		t.Error("a forgotten ping is answered, or another one is forgotten")
	}
	for i := range maxWaiting {
		if err := x.Send(New(), e, by, uint64(2+i), now); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.pings) != maxWaiting || x.Echo(by, 0, now) || !x.Echo(by, 2, now) {
		t.Errorf("%d wait", len(x.pings))
	}
}
