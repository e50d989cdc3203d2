package quicnet

import (
	"net"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// A node answers datagrams of every size without knowing who asks; a closed port
// is told from silence.
func TestProbeUDP(t *testing.T) {
	tr := startNode(t, loopback)
	if e := ProbeUDP(t.Context(), tr.LocalAddr(), EchoSizes()); !e.Answered || e.Largest != fullPacket || e.Refused {
		t.Errorf("a node: %+v", e)
	}
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := netaddr.PortOf(silent.LocalAddr())
	if e := ProbeUDP(t.Context(), at, []int{minEcho}); e != (Echo{}) {
		t.Errorf("silence: %+v", e)
	}
	silent.Close()
	if e := ProbeUDP(t.Context(), at, []int{minEcho}); e != (Echo{Refused: true}) {
		t.Errorf("a closed port: %+v", e)
	}
}
