package control

import "net/http"

// Relaying is what a node does as a hub for its peers.
type Relaying struct {
	Mode     string `json:"mode"` // of the config: "off", "peers" or "network"
	Circuits int    `json:"circuits"`
	RxBytes  uint64 `json:"rx_bytes"` // of datagrams that came to be forwarded
	TxBytes  uint64 `json:"tx_bytes"` // of those that were forwarded
	Dropped  uint64 `json:"dropped"`  // datagrams
}

// Netcheck is what a node knows of how others can reach it.
type Netcheck struct {
	Stamp
	NAT        string      `json:"nat"`        // as Status.NAT
	Witnesses  []Witness   `json:"witnesses"`  // by which NAT is known
	IPv6       string      `json:"ipv6"`       // IPv6Works, IPv6Untested or IPv6None
	Candidates []Candidate `json:"candidates"` // where this node may be reached
	Mapping    PortMapping `json:"mapping"`    // what routers have been asked for
	Spray      bool        `json:"spray"`      // this node takes part in sprays
	Hubs       []HubState  `json:"hubs"`       // in the config's order
	Relay      string      `json:"relay"`      // for whom this node is a hub itself
	Expect     string      `json:"expect"`     // what follows from it, one sentence
}

// Values of Netcheck.IPv6.
const (
	IPv6Works    = "works"    // a peer sees this node at an IPv6 address
	IPv6Untested = "untested" // the host has a global address, by which no session goes at present
	IPv6None     = "none"     // the host has none
)

// A Witness is a peer that says where it sees this node.
type Witness struct {
	DID    string `json:"did"`
	Name   string `json:"name"`
	Remote string `json:"remote"` // of the peer
	Local  string `json:"local"`  // this node's own address on that path
	SeenAs string `json:"seen_as"`
}

// A Candidate is an address at which this node may be reached; it proves nothing.
type Candidate struct {
	Endpoint string `json:"endpoint"` // HOST:PORT
	Kind     string `json:"kind"`     // "own", "seen", "mapped" or "configured"
}

// A HubState is a peer that helps this node to meet others.
type HubState struct {
	DID   string  `json:"did"`
	Name  string  `json:"name"`
	Up    bool    `json:"up"`     // it can be asked
	RTTMS float64 `json:"rtt_ms"` // 0: unknown
	Seen  string  `json:"seen_as"`
}

func (n *Netcheck) fill() {
	n.Stamp = NewStamp()
	n.Mapping.fill()
	if n.Witnesses == nil {
		n.Witnesses = []Witness{}
	}
	if n.Candidates == nil {
		n.Candidates = []Candidate{}
	}
	if n.Hubs == nil {
		n.Hubs = []HubState{}
	}
}

func netcheckHandler(o Observer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := o.Netcheck(r.Context())
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		n.fill()
		reply(w, http.StatusOK, &n)
	}
}
