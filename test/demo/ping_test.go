package main

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/libertaria-project/l2tun/test/lab"
)

func packet(t *testing.T, typ icmp.Type, id, seq int) []byte {
	t.Helper()
	b, err := (&icmp.Message{Type: typ, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte("x")}}).Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOnlyTheAnswerToOurEchoCounts(t *testing.T) {
	four := &echoer{id: 7, answer: ipv4.ICMPTypeEchoReply, protocol: 1}
	six := &echoer{id: 7, answer: ipv6.ICMPTypeEchoReply, protocol: 58}
	for _, c := range []struct {
		name   string
		e      *echoer
		packet []byte
		want   bool
	}{
		{"IPv4", four, packet(t, ipv4.ICMPTypeEchoReply, 7, 3), true},
		{"IPv6", six, packet(t, ipv6.ICMPTypeEchoReply, 7, 3), true},
		{"a request, such as our own on loopback", four, packet(t, ipv4.ICMPTypeEcho, 7, 3), false},
		{"another program's", four, packet(t, ipv4.ICMPTypeEchoReply, 8, 3), false},
		{"an earlier one", six, packet(t, ipv6.ICMPTypeEchoReply, 7, 2), false},
		{"rubbish", four, []byte{0}, false},
		{"nothing", six, nil, false},
	} {
		if got := c.e.answers(c.packet, 3); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestEchoesAreSummedUp(t *testing.T) {
	e := &echoer{sent: 3, times: []time.Duration{2 * time.Millisecond, 500 * time.Microsecond}}
	if got, want := e.String(), "2 of 3 answered, min/avg/max 0.500/1.250/2.000 ms"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&echoer{sent: 3}).String(), "0 of 3 answered"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPingOverACable(t *testing.T) {
	n := lab.Use(t, lab.Shape{})
	for _, to := range []netip.Addr{n.B.IP4, n.B.IP6} {
		e, err := newEchoer(n.A, to)
		if err != nil {
			t.Fatal(err)
		}
		defer e.conn.Close()
		var seqs []int
		if err := e.run(t.Context(), 2, func(seq int, _ time.Duration) { seqs = append(seqs, seq) }); err != nil {
			t.Error(err)
		}
		if len(seqs) != 2 || len(e.times) != 2 || e.sent != 2 {
			t.Errorf("%s: %v, %s", to, seqs, e)
		}
	}
}

func TestPingFailsWithoutAnswer(t *testing.T) {
	n := lab.Use(t, lab.Shape{}, "nft")
	if err := n.B.DropAll(); err != nil {
		t.Fatal(err)
	}
	e, err := newEchoer(n.A, n.B.IP4)
	if err != nil {
		t.Fatal(err)
	}
	defer e.conn.Close()
	err = e.run(t.Context(), 1, func(int, time.Duration) { t.Error("answered") })
	if want := "ping " + n.B.IP4.String() + ": no answer to any of 1 echoes through the tunnel"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
