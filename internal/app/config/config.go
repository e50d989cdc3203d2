package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/ifname"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Defaults of the keys at the top of the file.
const (
	DefaultPath      = Dir + "/" + DefaultInterface + ".toml"
	DefaultInterface = ifname.Default
	DefaultListen    = "[::]:4242"
	DefaultMTU       = wire.DefaultMTU
	MinMTU           = 1280 // bytes: what IPv6 asks of every link
	MaxMTU           = 9000 // bytes
)

const maxFile = 4 << 20 // bytes

// A Config is a checked config file.
type Config struct {
	Path      string
	Interface string
	Addresses []netip.Prefix   // besides the DID's own, host part and length
	Listen    netip.AddrPort   // UDP and TCP
	ReachedAt []netip.AddrPort // at which this node is reached from outside, beside what the host knows
	MTU       int              // inner, bytes
	Carriers  []*link.Kind     // that may be used; empty: all
	Discovery []Method         // by which peers are looked for on the LAN; empty: not at all
	Metrics   netip.AddrPort   // loopback address for Prometheus; the zero one: none
	Mark      Mark             // of the node's own packets
	Relay     relay.Mode       // for whom this node is a hub

	RelayRate, RelayTotal int64 // what it forwards of one peer, and of all together, bytes a second; 0: the default

	Session  Settings
	Routes   []netip.Prefix // behind this node, to which peers may send; masked
	Only     Limits         // what peers may send to this node at most
	Peers    []Peer         // in the file's order
	Networks []Network      // that this node is in
	settled  bool           // see Settle

	PortMapping bool // routers are asked to map the UDP port (ADR-037)
	Spray       bool // ports of NATs are sought by chance (ADR-046)
	DNS         DNS  // how names of peers are made known on the host (ADR-053)
}

// A Method is a method of LAN discovery.
type Method string

const (
	Multicast Method = "multicast" // IPv6, link-local
	Broadcast Method = "broadcast" // IPv4
)

// DNS says how the names of peers are made known on the host.
type DNS string

const (
	DNSAuto     DNS = "auto"     // by systemd-resolved if it is in use, else by /etc/hosts
	DNSResolved DNS = "resolved" // by systemd-resolved alone
	DNSHosts    DNS = "hosts"    // by /etc/hosts
	DNSOff      DNS = "off"
)

// A Peer is one [[peer]] block.
type Peer struct {
	DID        did.DID
	Name       string         // may be empty
	Endpoints  []string       // "host:port" in the order to try them
	AllowedIPs []netip.Prefix // masked; the last one is the DID's own address unless it is listed
	Assigned   netip.Prefix   // address of this node that the peer's invitation gave to it; zero: none
	Hub        bool           // it may be asked to help this node meet others, and to forward meanwhile
	Keep       bool           // its session never sleeps
	Invites    bool           // its invitations make peers of this node too: it is the hub of both
	Session    *Settings      // the file's [session] with this peer's own settings over it; shared, not changed
	Line       int            // of its [[peer]]

	at *places // nil after Settle
}

// Settings are those of the session with p; all zero, the defaults, for one that is not of a
// file.
func (p *Peer) Settings() Settings {
	if p.Session == nil {
		return Settings{}
	}
	return *p.Session
}

// places are where the values of a peer stand in the file.
type places struct {
	did, name position
	invites   position
	endpoints []position // of each of Endpoints
	prefixes  []position // of each of AllowedIPs
}

// KeyPath is where the key file of a config lies: beside it, .key for .toml.
func KeyPath(path string) string { return strings.TrimSuffix(path, ".toml") + ".key" }

// Load reads and checks the file at path. Every error is an *Error.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// LoadIdentity reads the key file of the config at path. Its errors are
// *KeyError.
func LoadIdentity(path string) (id *did.Identity, err error) {
	err = asOwner(path, func() error {
		id, err = did.LoadKeyFile(KeyPath(path))
		return err
	})
	if err != nil {
		return nil, &KeyError{Path: KeyPath(path), Err: err}
	}
	return id, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	return readAll(path, f)
}

func readAll(path string, f io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if len(data) > maxFile {
		return nil, &Error{File: path, Msg: fmt.Sprintf("is larger than %d MiB and surely no config file", maxFile>>20)}
	}
	return data, nil
}

// fileError is the sentence for what the system refused about path.
func fileError(path string, err error) *Error {
	msg := err.Error()
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		msg = pe.Err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		msg = fmt.Sprintf("no such file; l2tun init --config %s makes one", path)
	}
	return &Error{File: path, Msg: msg, cause: err}
}
