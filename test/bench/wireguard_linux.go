package bench

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

const (
	wireguardPort    = 51820
	wireguardSockets = "/var/run/wireguard" // wireguard-go has no option for it
)

// startWireGuard runs wireguard-go on both hosts and configures it through its
// socket, as wg does.
func (b *bench) startWireGuard(ctx context.Context, t *tunnel, c contender, w way) error {
	keyA, errA := ecdh.X25519().GenerateKey(rand.Reader)
	keyB, errB := ecdh.X25519().GenerateKey(rand.Reader)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	nameA, nameB := fmt.Sprintf("wgb%da", os.Getpid()), fmt.Sprintf("wgb%db", os.Getpid()) // their sockets share a folder with others
	t.cleanup = func() {
		os.Remove(wireguardSocket(nameA)) // gone already after a good end
		os.Remove(wireguardSocket(nameB))
		os.Remove(wireguardSockets) // only if it is empty
	}
	if err := b.oneWireGuard(ctx, t, c, w.a, nameA, insideA, keyA, keyB.PublicKey(), insideB, w.ipB); err != nil {
		return err
	}
	return b.oneWireGuard(ctx, t, c, w.b, nameB, insideB, keyB, keyA.PublicKey(), insideA, netip.Addr{})
}

// oneWireGuard brings one end up. An invalid endpoint is none.
func (b *bench) oneWireGuard(ctx context.Context, t *tunnel, c contender, h *lab.Host, name, inside string,
	key *ecdh.PrivateKey, peer *ecdh.PublicKey, peerInside string, endpoint netip.Addr) error {
	if err := b.run(t, c, h, []string{"LOG_LEVEL=error"}, "wireguard", "-f", name); err != nil {
		return err
	}
	config := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=%d\npublic_key=%s\nallowed_ip=%s/32\n",
		hex.EncodeToString(key.Bytes()), wireguardPort, hex.EncodeToString(peer.Bytes()), peerInside)
	if endpoint.IsValid() {
		config += fmt.Sprintf("endpoint=%s\n", netip.AddrPortFrom(endpoint, wireguardPort))
	}
	if err := tellWireGuard(ctx, wireguardSocket(name), config+"\n"); err != nil {
		return fmt.Errorf("configure wireguard-go: %w", err)
	}
	return errors.Join(h.SetMTU(name, innerMTU), h.AddAddr(name, netip.MustParsePrefix(inside+"/24")), h.SetLink(name, true))
}

func wireguardSocket(name string) string { return filepath.Join(wireguardSockets, name+".sock") }

// tellWireGuard says one operation, once the daemon listens.
func tellWireGuard(ctx context.Context, socket, operation string) error {
	conn, err := net.Dial("unix", socket)
	for ; err != nil; conn, err = net.Dial("unix", socket) {
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte(operation)); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "errno=0" {
		return fmt.Errorf("it answers %s", answer)
	}
	return nil
}
