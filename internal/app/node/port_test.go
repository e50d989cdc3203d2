package node

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/transport"
)

// A port that somebody has is named with the key to change; a second node on one
// host has the same default.
func TestTakenPortIsExplained(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for protocol, at := range map[string]net.Addr{"UDP": udp.LocalAddr(), "TCP": tcp.Addr()} {
		c := &config.Config{Path: "/etc/l2tun/office.toml", Listen: netip.MustParseAddrPort(at.String())}
		_, err := transport.Listen(transport.Config{Listen: c.Listen})
		if got := explainListen(err, c); err == nil || !strings.HasPrefix(got.Error(), protocol+" port ") || !strings.HasSuffix(got.Error(), "(address already in use): choose another with listen in /etc/l2tun/office.toml") {
			t.Errorf("%s: %v", protocol, got)
		}
	}
	other := errors.New("other")
	if explainListen(other, &config.Config{}) != other {
		t.Error("another error is explained")
	}
}
