package node

import (
	"net/netip"
	"os"
	"strings"

	"github.com/libertaria-project/l2tun/did"
)

// quicKeys are the keys of stateless resets and address tokens: the same when the
// process starts again, so that peers notice that at once, and others after a boot
// or at another address or port. A key of the identity alone would let whoever gets
// a reset find the node again wherever it goes. Without a boot id they are zero,
// which is random.
func quicKeys(id *did.Identity, boot string, listen netip.AddrPort) (reset, token [32]byte) {
	if boot == "" {
		return reset, token
	}
	where := " " + boot + " " + listen.String()
	return id.Secret("l2tun quic stateless reset v2" + where), id.Secret("l2tun quic token v2" + where)
}

// bootID is Linux's random name of this boot; empty where there is none.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
