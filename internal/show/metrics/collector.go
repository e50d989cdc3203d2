package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// A Peer is what is known of one peer at one moment.
type Peer struct {
	Name    string // label: name or short DID, unique
	Status  session.Status
	Counts  session.Counts
	Carried map[string]link.Moved // by carrier
}

// A Snapshot is a node at one moment.
type Snapshot struct {
	Version   string
	Interface string
	Peers     []Peer
	Stray     map[string]uint64 // packets of no peer, by reason
	Transport transport.Stats
	Relay     *hub.Status // what it does for peers that meet through it; nil: nothing
	Networks  []Network
}

// A Network is one that the node is in.
type Network struct {
	Name     string // label: what it is called here, unique
	Role     string // of this node
	Serial   uint64 // of the head that is held; 0: none yet
	Members  int
	Findings map[string]int // how many there are, by code
}

// A Collector turns snapshots into metrics. It implements prometheus.Collector.
type Collector struct{ snapshot func() Snapshot }

// NewCollector returns a collector over snapshot, which is called for each
// scrape from any goroutine.
func NewCollector(snapshot func() Snapshot) *Collector { return &Collector{snapshot} }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions() {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.snapshot()
	o := output{ch, descriptions()}
	o.gauge("l2tun_build_info", 1, s.Version, runtime.Version())
	o.gauge("l2tun_peers", float64(len(s.Peers)))
	for i := range s.Peers {
		o.peer(&s.Peers[i])
	}
	if s.Relay != nil {
		o.relay(s.Relay)
	}
	for i := range s.Networks {
		o.network(&s.Networks[i])
	}
	for _, reason := range strayReasons() {
		o.counter("l2tun_stray_packets_total", s.Stray[reason], reason)
	}
	for _, e := range events(s.Transport) {
		o.counter("l2tun_transport_events_total", e.n, e.name)
	}
}

// strayReasons are the drops that belong to no peer.
func strayReasons() []string {
	return []string{link.DropNoRoute.String(), link.DropUnknown.String(), link.DropFault.String()}
}

// output sends metrics by name.
type output struct {
	ch   chan<- prometheus.Metric
	desc map[string]*prometheus.Desc
}

func (o output) gauge(name string, v float64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(o.desc[name], prometheus.GaugeValue, v, labels...)
}

func (o output) counter(name string, v uint64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(o.desc[name], prometheus.CounterValue, float64(v), labels...)
}

func (o output) peer(p *Peer) {
	for _, state := range session.States() {
		in := 0.0
		if p.Status.State.String() == state {
			in = 1
		}
		o.gauge("l2tun_session_state", in, p.Name, state)
		o.counter("l2tun_session_transitions_total", p.Counts.Entered[state], p.Name, state)
	}
	for result, n := range p.Counts.Handshakes {
		o.counter("l2tun_handshakes_total", n, p.Name, result)
	}
	o.counter("l2tun_rotations_total", p.Counts.Rotations, p.Name)
	o.counter("l2tun_rotation_resends_total", p.Counts.Resends, p.Name)
	o.traffic(p)
	o.path(p)
}

func (o output) traffic(p *Peer) {
	for carrier, m := range p.Carried {
		o.counter("l2tun_received_bytes_total", m.RxBytes, p.Name, carrier)
		o.counter("l2tun_sent_bytes_total", m.TxBytes, p.Name, carrier)
		o.counter("l2tun_received_packets_total", m.RxPackets, p.Name, carrier)
		o.counter("l2tun_sent_packets_total", m.TxPackets, p.Name, carrier)
	}
	for _, reason := range link.DropReasons() {
		o.counter("l2tun_dropped_packets_total", p.Status.Dropped[reason], p.Name, reason)
	}
	o.gauge("l2tun_queued_packets", float64(p.Status.Queued), p.Name)
	o.gauge("l2tun_waiting_messages", float64(p.Status.Messages), p.Name)
	o.gauge("l2tun_waiting_message_bytes", float64(p.Status.MessageBytes), p.Name)
}

// path shows what there is only while there are keys or a path: a round trip of
// 0 would be a lie.
func (o output) path(p *Peer) {
	st := &p.Status
	if st.Carrier != "" {
		o.gauge("l2tun_path_info", 1, p.Name, st.Link, st.Carrier)
		o.gauge("l2tun_path_record_bytes", float64(st.Room), p.Name)
		if st.RTT > 0 {
			o.gauge("l2tun_rtt_seconds", st.RTT.Seconds(), p.Name)
		}
	}
	if st.Epoch != 0 {
		o.gauge("l2tun_epoch_age_seconds", st.EpochAge.Seconds(), p.Name)
	}
	if st.HandshakeAge > 0 {
		o.gauge("l2tun_handshake_age_seconds", st.HandshakeAge.Seconds(), p.Name)
	}
}

// network shows how many members a network has and not who: they are not for everybody who
// may scrape. A code is shown while it is found.
func (o output) network(n *Network) {
	o.gauge("l2tun_network_info", 1, n.Name, n.Role)
	o.gauge("l2tun_network_members", float64(n.Members), n.Name)
	o.gauge("l2tun_network_serial", float64(n.Serial), n.Name)
	for code, found := range n.Findings {
		o.gauge("l2tun_network_findings", float64(found), n.Name, code)
	}
}

// relay shows what a hub forwards, without a label for peers: who meets whom is not
// for everybody who may scrape.
func (o output) relay(s *hub.Status) {
	o.gauge("l2tun_relay_circuits", float64(s.Circuits))
	o.gauge("l2tun_relay_homes", float64(s.Homes))
	o.counter("l2tun_relay_meetings_total", s.Counts.Meetings)
	o.counter("l2tun_relay_refusals_total", s.Counts.Absent, "absent")
	o.counter("l2tun_relay_refusals_total", s.Counts.Limited, "limit")
	o.counter("l2tun_relay_received_bytes_total", s.Received.Bytes)
	o.counter("l2tun_relay_sent_bytes_total", s.Sent.Bytes)
	o.counter("l2tun_relay_received_datagrams_total", s.Received.Datagrams)
	o.counter("l2tun_relay_sent_datagrams_total", s.Sent.Datagrams)
	for _, reason := range hub.DropReasons() {
		o.counter("l2tun_relay_dropped_datagrams_total", s.Dropped[reason].Datagrams, reason)
	}
	o.counter("l2tun_relay_ignored_frames_total", s.Ignored)
}
