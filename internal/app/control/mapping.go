package control

// PortMapping is what routers have been asked for (port_mapping, docs/node.md 8.6).
type PortMapping struct {
	Enabled bool           `json:"enabled"` // by the config
	Routers []RouterStatus `json:"routers"` // of the default routes, at most one a family
}

// RouterStatus is what is known of one router, as it says itself.
type RouterStatus struct {
	Router    string `json:"router"`     // its address
	Local     string `json:"local"`      // this host's address towards it
	State     string `json:"state"`      // "asking", "held", "silent" (until the next try), "deleting"
	Protocol  string `json:"protocol"`   // "pcp", "nat-pmp" or "upnp"; "" unless held
	External  string `json:"external"`   // HOST:PORT where packets for this node arrive; "" unless held
	ExpiresMS int64  `json:"expires_ms"` // until the lease ends; 0 unless held
	Seen      bool   `json:"seen"`       // a peer sees this node at that address: it is told to others
	Reason    string `json:"reason"`     // why there is none, or why the last renewal failed: "no_answer", "refused", "conflict", "short_lease", "low_port", "private"; "" if nothing is wrong
}

// Held are the routers that pass packets on to this node, as they say.
func (m *PortMapping) Held() (all []RouterStatus) {
	for _, r := range m.Routers {
		if r.External != "" {
			all = append(all, r)
		}
	}
	return all
}

func (m *PortMapping) fill() {
	if m.Routers == nil {
		m.Routers = []RouterStatus{}
	}
}
