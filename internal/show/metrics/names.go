package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/libertaria-project/l2tun/transport"
)

// Names are the names of all metrics of a node but those of Go and the process.
func Names() []string {
	var names []string
	for _, d := range table() {
		names = append(names, d.name)
	}
	return names
}

// A description is one metric's name, help and labels.
type description struct {
	name, help string
	labels     []string
}

func table() []description {
	return []description{
		{"l2tun_build_info", "Version of the node; always 1.", []string{"version", "go"}},
		{"l2tun_peers", "Peers of the config in use.", nil},
		{"l2tun_session_state", "1 for the state that the session is in, 0 for the seven others.", []string{"peer", "state"}},
		{"l2tun_session_transitions_total", "Changes of state, by the state that they led to.", []string{"peer", "to"}},
		{"l2tun_handshakes_total", "Full and resumed handshakes by result; a failure has its reason.", []string{"peer", "result"}},
		{"l2tun_rotations_total", "Times the keys in use were replaced.", []string{"peer"}},
		{"l2tun_rotation_resends_total", "Rotation messages sent again, because nothing answered them.", []string{"peer"}},
		{"l2tun_received_bytes_total", "Bytes of IP packets that came out of the tunnel, by carrier.", []string{"peer", "carrier"}},
		{"l2tun_sent_bytes_total", "Bytes of IP packets that went into the tunnel, by carrier.", []string{"peer", "carrier"}},
		{"l2tun_received_packets_total", "IP packets that came out of the tunnel, by carrier.", []string{"peer", "carrier"}},
		{"l2tun_sent_packets_total", "IP packets that went into the tunnel, by carrier.", []string{"peer", "carrier"}},
		{"l2tun_dropped_packets_total", "Packets and records dropped, by reason.", []string{"peer", "reason"}},
		{"l2tun_stray_packets_total", "Packets and records dropped that belong to no peer, by reason.", []string{"reason"}},
		{"l2tun_queued_packets", "Packets that wait for a path.", []string{"peer"}},
		{"l2tun_waiting_messages", "Messages that wait for the peer's acknowledgement.", []string{"peer"}},
		{"l2tun_waiting_message_bytes", "Bytes of the messages that wait for the peer's acknowledgement.", []string{"peer"}},
		{"l2tun_path_info", "Link and carrier in use; 1 while there is a path.", []string{"peer", "link", "carrier"}},
		{"l2tun_path_record_bytes", "Largest record that the path in use takes.", []string{"peer"}},
		{"l2tun_rtt_seconds", "Round trip time of the path in use.", []string{"peer"}},
		{"l2tun_epoch_age_seconds", "Time since the keys in use came into use.", []string{"peer"}},
		{"l2tun_handshake_age_seconds", "Time since the last full handshake.", []string{"peer"}},
		{"l2tun_relay_circuits", "Circuits between peers that this node forwards.", nil},
		{"l2tun_relay_homes", "Peers that are at home at this node.", nil},
		{"l2tun_relay_meetings_total", "Meetings of peers that this node has passed on.", nil},
		{"l2tun_relay_refusals_total", "Meetings of peers that were refused or ended, by reason.", []string{"reason"}},
		{"l2tun_relay_received_bytes_total", "Bytes of circuit datagrams that came from peers for each other.", nil},
		{"l2tun_relay_sent_bytes_total", "Bytes of circuit datagrams that were forwarded.", nil},
		{"l2tun_relay_received_datagrams_total", "Circuit datagrams that came from peers for each other.", nil},
		{"l2tun_relay_sent_datagrams_total", "Circuit datagrams that were forwarded.", nil},
		{"l2tun_relay_dropped_datagrams_total", "Circuit datagrams that were not forwarded, by reason.", []string{"reason"}},
		{"l2tun_relay_ignored_frames_total", "Frames of meetings beyond those that may wait.", nil},
		{"l2tun_network_info", "Role of this node in a network; always 1.", []string{"network", "role"}},
		{"l2tun_network_members", "Members of a network.", []string{"network"}},
		{"l2tun_network_serial", "Serial of the head of a network that is held; 0 before there is one.", []string{"network"}},
		{"l2tun_network_findings", "What is to be looked at in a network, by code.", []string{"network", "code"}},
		{"l2tun_transport_events_total", "What happened at the node's sockets: datagrams, records, errors.", []string{"event"}},
	}
}

func descriptions() map[string]*prometheus.Desc {
	all := make(map[string]*prometheus.Desc)
	for _, d := range table() {
		all[d.name] = prometheus.NewDesc(d.name, d.help, d.labels, nil)
	}
	return all
}

type event struct {
	name string
	n    uint64
}

// events are the transport's counters by name.
func events(s transport.Stats) []event {
	return []event{
		{"received", s.Received}, {"unknown_record", s.UnknownRecords}, {"unknown_connection", s.UnknownConns}, {"no_path", s.NoPath}, {"malformed", s.Malformed},
		{"read_error", s.ReadErrors}, {"quic_overflow", s.QUICOverflow}, {"quic_send_error", s.SendErrors}, {"quic_retry", s.Retries},
		{"quic_turned_away", s.TurnedAway}, {"quic_refused", s.QUICRefused}, {"quic_unproven", s.Unproven},
		{"datagram_full", s.DatagramFull}, {"datagram_old", s.DatagramOld}, {"datagram_too_big", s.DatagramTooBig}, {"datagram_bad", s.DatagramBad},
		{"direct_full", s.DirectFull}, {"direct_too_big", s.DirectTooBig}, {"direct_lost", s.DirectLost}, {"icmp_error", s.ICMPErrors},
		{"opener", s.Opening.Openers}, {"knock", s.Opening.Knocks}, {"opener_refused", s.Opening.Refused},
		{"utcp_full", s.UTCPFull}, {"utcp_old", s.UTCPOld}, {"utcp_refused", s.UTCPRefused}, {"fault", s.Faults},
	}
}
