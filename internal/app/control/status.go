package control

// StatusVersion is the version of the Status document. It changes when a field
// is renamed, removed or gets another meaning, not when one is added.
const StatusVersion = 1

// Status is a node at one moment. No field is ever left out: what is unknown is
// "", 0 or empty.
type Status struct {
	Version   int       `json:"version"` // StatusVersion
	Program   string    `json:"program"` // Program() of the node
	Interface string    `json:"interface"`
	DID       string    `json:"did"`
	Addresses []string  `json:"addresses"` // of the interface, CIDR, the DID's own first
	Listen    string    `json:"listen"`    // HOST:PORT
	Peers     []Peer    `json:"peers"`     // in the config's order
	NAT       string    `json:"nat"`       // this node's, to UDP: "none", "endpoint_independent", "endpoint_dependent" or "unknown"
	Relaying  Relaying  `json:"relaying"`  // what this node does as a hub
	Networks  []Network `json:"networks"`  // in the config's order
	Host      Host      `json:"host"`
	Sandbox   Sandbox   `json:"fence"`

	Mapping PortMapping `json:"mapping"` // of the UDP port at routers
	Spray   bool        `json:"spray"`   // this node takes part in sprays
	Names   Names       `json:"names"`   // how the names of peers are known on this host

	Socket       string    `json:"socket"`        // control socket
	Config       string    `json:"config"`        // path of the config that is applied
	ConfigDigest string    `json:"config_digest"` // of its meaning
	Health       []Finding `json:"health"`        // what is wrong, with what to do

	Misrouted []Misrouted `json:"misrouted"` // addresses for which packets were dropped in the last minutes
	Filtered  []Filtered  `json:"filtered"`  // what peers with limits have sent in the last minutes and was dropped
	Faults    uint64      `json:"faults"`    // defects met while handling what strangers sent; a peer's are in its dropped
	Outdated  []string    `json:"outdated"`  // addresses from which nodes of version 0.1.0 have called within an hour
}

// Misrouted is an address for which packets were dropped, the newest first.
type Misrouted struct {
	Reason  string `json:"reason"` // "no_route", "bad_source" or "bad_destination"
	Peer    string `json:"peer"`   // DID of the peer that sent them; "" for this host
	Address string `json:"address"`
	Owner   string `json:"owner"`   // what people call the peer that has the address; OwnerHere, or "" for nobody
	Packets uint64 `json:"packets"` // since the first
	AgoMS   int64  `json:"ago_ms"`  // since the last
}

// Filtered is what the lines about a peer have not let pass, the newest first.
type Filtered struct {
	Reason  string `json:"reason"`  // as in Peer.Dropped
	Peer    string `json:"peer"`    // DID
	Address string `json:"address"` // that it was sent to
	Traffic string `json:"traffic"` // "tcp:22"; of a fragment its protocol
	Packets uint64 `json:"packets"` // since the first
	AgoMS   int64  `json:"ago_ms"`  // since the last
}

// OwnerHere is Misrouted.Owner of an address of this node, or behind it.
const OwnerHere = "this node"

// Peer is one peer's session at one moment.
type Peer struct {
	DID        string   `json:"did"`
	Name       string   `json:"name"`
	Addresses  []string `json:"addresses"`   // overlay addresses that are the peer's alone, IPv4 first
	AllowedIPs []string `json:"allowed_ips"` // prefixes routed to the peer and accepted from it
	State      string   `json:"state"`       // one of the eight of spec/behaviour.md 6.1
	Reason     string   `json:"reason"`      // of failed, or of the last failure
	Link       string   `json:"link"`        // "quic" or "utcp"; empty through a hub
	Carrier    string   `json:"carrier"`     // "direct", "datagram", ...: the names of link.Kinds
	Endpoint   string   `json:"endpoint"`    // in use, else the first configured
	Local      string   `json:"local"`       // this node's own address on the path in use
	SeenAs     string   `json:"seen_as"`     // where the peer sees this node, on the path in use
	MTU        int      `json:"mtu"`         // largest IP packet inside the tunnel to this peer, bytes
	Suite      string   `json:"suite"`       // "hybrid key agreement, record cipher"
	Epoch      uint64   `json:"epoch"`       // 0 before the first
	Rekeyed
	RTTMS float64 `json:"rtt_ms"` // of the path in use
	Path
	Traffic
	Standing
	Prefer string `json:"prefer"` // carrier that is preferred; "" for the best
	Waiting
	Dropped map[string]uint64 `json:"dropped"` // packets by reason; zeros left out
	Trouble Trouble           `json:"trouble"`
}

// Rekeyed says how old a peer's keys are.
type Rekeyed struct {
	Handshakes     uint64 `json:"handshakes"`       // full ones since start
	HandshakeAgeMS int64  `json:"handshake_age_ms"` // since the last full one
	EpochAgeMS     int64  `json:"epoch_age_ms"`     // since the keys in use came into use
}

// Standing is what the peer is to this node.
type Standing struct {
	Network string `json:"network"` // by which it is a peer; "": by the config
	Hub     bool   `json:"hub"`     // this node asks it to help meet others
	Limited bool   `json:"limited"` // it may send to this node only what some line lets pass, see Why
}

// Path is more of the path in use.
type Path struct {
	Through      string `json:"through"`        // DID of the hub that forwards on carrier "circuit"; "" on every other
	ThroughName  string `json:"through_name"`   // what that hub is called here; may be empty
	WhyNotDirect string `json:"why_not_direct"` // a word (docs/node.md 8.1); "" on a direct path
	Inbound      bool   `json:"inbound"`        // the endpoint is the end of a uTCP connection that the peer dialled: nobody listens there
	Room         int    `json:"room"`           // largest record, bytes
}

// Waiting is what this node has for a peer and keeps.
type Waiting struct {
	Queued       uint64 `json:"queued"`                // packets that wait for a path
	Messages     uint64 `json:"messages_waiting"`      // for the peer's acknowledgement
	MessageBytes uint64 `json:"message_bytes_waiting"` // of these messages
}

// Traffic counts IP packets inside the tunnel and their bytes.
type Traffic struct {
	RxBytes   uint64  `json:"rx_bytes"`
	TxBytes   uint64  `json:"tx_bytes"`
	RxPackets uint64  `json:"rx_packets"`
	TxPackets uint64  `json:"tx_packets"`
	RxRate    float64 `json:"rx_rate"` // bytes a second, over the last few
	TxRate    float64 `json:"tx_rate"`
}

// Trouble is what the node knows to be wrong with a peer's session beyond its
// state and reason.
type Trouble struct {
	Obstacles  []Obstacle `json:"obstacles"`  // what kept this host from trying endpoints when it last tried
	Duplicates []string   `json:"duplicates"` // addresses of hosts that take turns with the peer's key; [] while there is one
	Displaced  bool       `json:"displaced"`  // the peer loses this node's session again and again: another host may use this node's key
}

// An Obstacle is an endpoint of a peer that this host could not even try.
type Obstacle struct {
	Kind     string `json:"kind"` // "unresolvable", "no_route" or "own_address"
	Endpoint string `json:"endpoint"`
}

// fill makes what is empty [] and {} in JSON, never null.
func (s *Status) fill() {
	s.Host.fill()
	s.Sandbox.fill()
	s.Mapping.fill()
	s.Names.fill()
	if s.Addresses == nil {
		s.Addresses = []string{}
	}
	if s.Peers == nil {
		s.Peers = []Peer{}
	}
	s.Networks = append([]Network{}, s.Networks...)
	for i := range s.Networks {
		if s.Networks[i].Findings == nil {
			s.Networks[i].Findings = []NetworkFinding{}
		}
	}
	if s.Misrouted == nil {
		s.Misrouted = []Misrouted{}
	}
	if s.Filtered == nil {
		s.Filtered = []Filtered{}
	}
	if s.Outdated == nil {
		s.Outdated = []string{}
	}
	s.Health = append([]Finding{}, s.Health...)
	for i := range s.Health {
		s.Health[i].fill()
	}
	for i := range s.Peers {
		if s.Peers[i].Addresses == nil {
			s.Peers[i].Addresses = []string{}
		}
		if s.Peers[i].AllowedIPs == nil {
			s.Peers[i].AllowedIPs = []string{}
		}
		if s.Peers[i].Dropped == nil {
			s.Peers[i].Dropped = map[string]uint64{}
		}
		s.Peers[i].Trouble.fill()
	}
}

func (t *Trouble) fill() {
	if t.Obstacles == nil {
		t.Obstacles = []Obstacle{}
	}
	if t.Duplicates == nil {
		t.Duplicates = []string{}
	}
}
