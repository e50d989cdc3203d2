package control

// Host is what the node knows of the host's network as far as it concerns the
// interface.
type Host struct {
	Repaired     uint64   `json:"put_back"`        // addresses, routes and settings that were restored after others had removed or changed them
	Repairs      uint64   `json:"put_back_times"`  // how often there was something to restore
	RepairAgeMS  int64    `json:"put_back_age_ms"` // since the last time; 0 if there was none
	LastRepaired []string `json:"last_put_back"`   // of the last time, at most five
	Missing      []string `json:"missing"`         // what is not in place, each with the reason
	Taken        []Taken  `json:"taken"`           // prefixes whose packets go elsewhere
	NoIPv6       bool     `json:"no_ipv6"`         // IPv6 is switched off
}

// Taken is a peer's prefix to which the kernel prefers another route.
type Taken struct {
	Prefix string `json:"prefix"`
	By     string `json:"by"` // that route's interface
}

func (h *Host) fill() {
	if h.LastRepaired == nil {
		h.LastRepaired = []string{}
	}
	if h.Missing == nil {
		h.Missing = []string{}
	}
	if h.Taken == nil {
		h.Taken = []Taken{}
	}
}
