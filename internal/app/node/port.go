package node

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// explainListen says what to change if somebody else has the port: often it is
// another node of this host, since both have the default.
func explainListen(err error, c *config.Config) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	protocol := "UDP or TCP"
	if op, ok := errors.AsType[*net.OpError](err); ok {
		protocol = map[bool]string{true: "TCP", false: "UDP"}[op.Net == "tcp" || op.Net == "tcp4" || op.Net == "tcp6"]
	}
	return fmt.Errorf("%s port %d is taken by another node or program of this host (%w): choose another with listen in %s", protocol, c.Listen.Port(), syscall.EADDRINUSE, c.Path)
}
