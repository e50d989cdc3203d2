package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// Rules go into one table that Allow removes. They hit what arrives at the
// host and what passes through it, not what it sends: a dropped send would be
// an error to the sender, which a broken network never gives.
const filterTable = `table inet lab {
	chain input { type filter hook input priority 0; }
	chain forward { type filter hook forward priority 0; }
}
`

// Nft runs a script for nftables in the host.
func (h *Host) Nft(script string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := h.Command(ctx, "nft", "-f", "-")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: host %s: nft: %w: %s", h.Name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Rule adds a statement for packets that arrive or pass, such as
// "udp dport 7777 drop".
func (h *Host) Rule(statement string) error {
	return h.Nft(filterTable + "add rule inet lab input " + statement + "\nadd rule inet lab forward " + statement)
}

// Allow removes every rule; NAT stays.
func (h *Host) Allow() error { return h.Nft("table inet lab {}\ndelete table inet lab") }

// DropAll makes the host a black hole.
func (h *Host) DropAll() error { return h.Rule("drop") }

// DropUDP drops UDP without a word.
func (h *Host) DropUDP() error { return h.Rule("meta l4proto udp drop") }

// DropTCP drops TCP without a word.
func (h *Host) DropTCP() error { return h.Rule("meta l4proto tcp drop") }

// RejectUDP answers UDP with ICMP port unreachable.
func (h *Host) RejectUDP() error {
	return h.Rule("meta l4proto udp reject with icmpx type port-unreachable")
}

// DropLargerThan drops IP packets of more than n bytes, header included, and
// says nothing: a path MTU that can only be found by probing.
func (h *Host) DropLargerThan(n int) error {
	return errors.Join(h.singleFrames(), h.Rule(fmt.Sprintf("meta length > %d drop", n)))
}

// Loss drops packets at random with probability p, in steps of 1/10000.
func (h *Host) Loss(p float64) error {
	return errors.Join(h.singleFrames(), h.Rule(fmt.Sprintf("numgen random mod 10000 < %d drop", int(p*10000))))
}

// singleFrames makes the neighbours send frame by frame. A veth pair otherwise
// hands a whole GSO packet over, and a rule would judge 45 datagrams as one.
func (h *Host) singleFrames() error {
	var errs []error
	for _, e := range h.ends {
		far := e.far
		errs = append(errs, far.Host.onLink(far.Dev, "segment on", func(l netlink.Link) error {
			return far.Host.nl.LinkSetGSOMaxSegs(l, 1)
		}))
	}
	return errors.Join(errs...)
}

// NAT hides everything behind the address of dev, and lets nothing in there
// that was not asked for from inside. A second call replaces the first.
func (h *Host) NAT(dev string) error {
	return h.Nft(fmt.Sprintf(`table inet labnat {}
delete table inet labnat
table inet labnat {
	chain post { type nat hook postrouting priority 100; oifname %q masquerade; }
	chain forward { type filter hook forward priority 10; iifname %q ct state new,invalid drop; }
}`, dev, dev))
}
