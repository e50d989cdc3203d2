package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
)

// An InitSpec says what Init writes. Empty strings mean the defaults.
type InitSpec struct {
	Path      string
	Interface string   // empty: the file's name
	Addresses []string // CIDR, besides the DID's own address
	Listen    string   // HOST:PORT
}

// Init writes a commented config and beside it a new key file, both readable by
// their owner only, and makes their directory (0700) if it is missing. It
// overwrites nothing and leaves nothing half-done. Errors are *Error, *KeyError
// or *ExistsError.
func Init(s InitSpec) (id *did.Identity, err error) {
	err = asOwner(s.Path, func() error {
		id, err = s.init()
		return err
	})
	return id, err
}

func (s *InitSpec) init() (*did.Identity, error) {
	text, err := s.render()
	if err != nil {
		return nil, err
	}
	if err := refuseExisting(s.Path, KeyPath(s.Path)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return nil, fileError(s.Path, err)
	}
	return s.write(text)
}

func (s InitSpec) write(text []byte) (*did.Identity, error) {
	id, err := did.GenerateKeyFile(KeyPath(s.Path))
	if errors.Is(err, fs.ErrExist) {
		return nil, &ExistsError{[]string{KeyPath(s.Path)}}
	}
	if err != nil {
		return nil, &KeyError{Path: KeyPath(s.Path), Err: err}
	}
	if err := writeNew(s.Path, text); err != nil {
		os.Remove(KeyPath(s.Path)) // made a moment ago and of no use alone
		if errors.Is(err, fs.ErrExist) {
			return nil, &ExistsError{[]string{s.Path}}
		}
		return nil, fileError(s.Path, err)
	}
	return id, nil
}

// refuseExisting does not follow links: one that leads nowhere is there too.
func refuseExisting(paths ...string) error {
	var there []string
	for _, p := range paths {
		if _, err := os.Lstat(p); err == nil {
			there = append(there, p)
		}
	}
	if there == nil {
		return nil
	}
	return &ExistsError{there}
}

const template = `# A node of an l2tun network. Its key is in a file beside this one; whoever has
# that file is this node. "l2tun id" prints the DID and the overlay address that
# belong to the key.

# The network interface to make; without this line it has this file's name.
%s

# Addresses of this node besides the one that its DID gives, with prefix
# length: "10.9.0.1/24".
addresses = [%s]

# Where to listen, UDP and TCP.
listen = %s

# The largest packet inside the tunnel, in bytes.
# mtu = %d

# How packets may travel. Without this line all ways may be taken:
%s# carriers = [%s]

# Where this node is reached from outside, if the host itself does not know: a port that
# a router was told by hand to pass on. Peers with whom it meets are told, and it asks no
# hub to keep it reachable. Addresses, no names.
# endpoints = ["203.0.113.7:4242"]

# How to look for peers on the LAN, so that they need no endpoints: multicast
# (IPv6) and broadcast (IPv4). Only a peer can tell who asks, and what is found
# counts only once the handshake has proven it. Without this line both; with []
# neither, and no socket is opened for it.
# discovery = ["multicast", "broadcast"]

# Where Prometheus may ask for metrics, on a loopback address: /metrics. Without
# this line only the control socket answers ("l2tun metrics").
# metrics = "127.0.0.1:9586"

# The mark of this node's own packets, value and mask, for rules of routing and of
# packet filters; "0" for none.
# mark = "0x6c/0xff"

# Whether peers of this node may meet through it, and send through it while they
# cannot reach each other: "off", or "peers"; what is forwarded for one of them
# and for all together.
# relay = "peers"
# relay_rate = %s
# relay_total = %s

# Whether the router of this network is asked to pass packets from the Internet on
# to this node, by PCP, NAT-PMP and UPnP: a home is reachable then without anybody's
# help. Without this line nothing is asked.
# port_mapping = true

# Whether ports are sought by chance where this node or a peer is behind a NAT that
# gives each remote another port, the other NAT keeps strangers out, and both nodes
# have this line: 2,048 small packets in two seconds, once a peer in ten minutes. Their
# entries fill small routers for half a minute.
# spray = true

# How the names of peers, NAME.l2, are made known to other programs of this host while
# the node runs: "auto" is by systemd-resolved where it is in use, else by a block of
# lines in /etc/hosts; "resolved" and "hosts" are one of them, "off" is not at all.
# dns = "auto"

# Times of the sessions with all peers. Each can be set for one peer as well.
# [session]
# rekey_after = %s    # new keys at least this often
# heartbeat = %s     # sent after this long without traffic
# ttl = %s           # then the peers prove who they are anew

# A network behind this node that peers may reach through it. Without a block a
# packet of a peer may go to this node's own addresses and to other peers only.
# [[route]]
# prefix = "192.168.50.0/24"

# What a peer may send to this node at most, where that is not everything; answers to
# what this node has sent, and pings, always pass. Blocks about one peer add up, and
# are taken out with it.
# [[only]]
# peer = "office"              # a peer's name, or a DID
# allow = ["tcp:22", "udp:6000-6010", "icmp"]     # also "tcp:*", "proto:47" for GRE, "*"
# to = "self"                  # this node's own addresses; or a network behind it
# A network that this node is in: "l2tun network create" and "l2tun join" append them.
# Routes of members are taken only inside of accept_routes; without it none is.
# [[network]]
# id = "5f1c1d3c0a4b7be2f7d3a8c1e6905f4b7a2d9c8e1b0f3a6d5c4e7f8091a2b3c4"
# name = "home"
# contacts = ["did:morpheus:z…@office.example:4242"]
# accept_routes = ["192.168.0.0/16"]

# One block for each peer; "l2tun peer add" appends them.
# [[peer]]
# did = "did:morpheus:z…"                # "l2tun id" on the peer
# name = "office"
# endpoints = ["office.example:4242"]    # where it listens, if it can be reached
# hub = true                             # it helps to meet peers that have no endpoints
# invites = true                         # at a hub: whom it invites becomes a peer here too
# keep = true                            # its session never sleeps (session.idle_after)
# allowed_ips = ["10.9.0.2/32"]          # what it may send and gets; its own DID's address always
`

// render fills the template and checks the result, so that Init never writes
// what Load would refuse.
func (s *InitSpec) render() ([]byte, error) {
	if s.Listen == "" {
		s.Listen = DefaultListen
	}
	text := fmt.Appendf(nil, template, s.interfaceLine(), quoteAll(s.Addresses), quote(s.Listen), DefaultMTU, carrierLines(), quoteAll(link.Names()),
		quote(Rate(DefaultRelayRate)), quote(Rate(DefaultRelayTotal)), usual("rekey_after"), usual("heartbeat"), usual("ttl"))
	_, err := Parse(s.Path, text)
	return text, withoutPlace(err)
}

// interfaceLine is a comment where the file's name says it all, so that a copy of
// the file under another name makes another interface.
func (s *InitSpec) interfaceLine() string {
	if s.Interface == "" || s.Interface == Named(s.Path) {
		return "# interface = " + quote(Named(s.Path))
	}
	return "interface = " + quote(s.Interface)
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ", ")
}

// carrierLines say what each carrier is.
func carrierLines() string {
	var b strings.Builder
	for _, k := range link.Choices() {
		fmt.Fprintf(&b, "#   %-8s  %s\n", k.Name, k.About)
	}
	return b.String()
}
