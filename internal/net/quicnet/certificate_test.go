package quicnet

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

func TestCertificatesLinkNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var c certificates
		der := func() []byte {
			cert, err := c.current(nil)
			if err != nil {
				t.Fatal(err)
			}
			return cert.Certificate[0]
		}
		first := der()
		if !bytes.Equal(first, der()) {
			t.Error("a flood of handshakes pays for a key each")
		}
		time.Sleep(certificateLife)
		later := der()
		if bytes.Equal(first, later) {
			t.Error("a certificate is recognised later")
		}
		faults.Report(t, "S21", !bytes.Equal(first, later), "another certificate after %v", certificateLife)
	})
}

// TestOnlyTheHybridIsSpoken: SPEC 3.4. Whoever is on the way cannot have the
// classical key agreement chosen, at neither end.
// SPEC R-3.4-1.
func TestOnlyTheHybridIsSpoken(t *testing.T) {
	b := startNode(t, loopback)
	records.Accepting(t, b, 64)
	dial := func(curves ...tls.CurveID) error {
		conf, err := tlsConfig()
		if err != nil {
			t.Fatal(err)
		}
		conf.CurvePreferences = curves
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		qc, err := quic.DialAddr(ctx, b.LocalAddr().String(), conf, &quic.Config{EnableDatagrams: true, InitialPacketSize: smallPacket})
		if err == nil {
			qc.CloseWithError(0, "")
		}
		return err
	}
	if err := dial(tls.X25519MLKEM768); err != nil {
		t.Error("the hybrid:", err)
	}
	if err := dial(tls.X25519, tls.CurveP256); err == nil {
		t.Error("a classical client is served")
	}
	conf, err := tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	conf.CurvePreferences = []tls.CurveID{tls.X25519}
	ln, err := quic.ListenAddr("127.0.0.1:0", conf, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if c, err := startNode(t, loopback).Dial(ctx, netaddr.PortOf(ln.Addr().(*net.UDPAddr))); err == nil {
		c.Close("")
		t.Error("a classical server is dialled")
	}
}
