package bench

// A metric is one figure that a row yields.
type metric struct {
	id, row     string
	title, unit string
	digits      int  // behind the point
	less        bool // the smaller the better
	absolute    bool // no ratio is of interest
}

// metrics are all figures, in the order of the report.
func metrics() []metric {
	return []metric{
		{id: "tcp-up", row: "tcp-up", title: "TCP, one stream, A to B", unit: "Gbit/s", digits: 2},
		{id: "tcp-up cpu", row: "tcp-up", title: "– CPU of both daemons", unit: "s/GB", digits: 2, less: true},
		{id: "tcp-down", row: "tcp-down", title: "TCP, one stream, B to A", unit: "Gbit/s", digits: 2},
		{id: "tcp-down cpu", row: "tcp-down", title: "– CPU of both daemons", unit: "s/GB", digits: 2, less: true},
		{id: "tcp4", row: "tcp4", title: "TCP, four streams, A to B", unit: "Gbit/s", digits: 2},
		{id: "tcp4 cpu", row: "tcp4", title: "– CPU of both daemons", unit: "s/GB", digits: 2, less: true},
		{id: "udp1300", row: "udp1300", title: "UDP, 1300 bytes, received", unit: "kpkt/s", digits: 0},
		{id: "udp1300 loss", row: "udp1300", title: "– lost", unit: "%", digits: 1, less: true, absolute: true},
		{id: "udp1300 cpu", row: "udp1300", title: "– CPU of both daemons", unit: "µs/pkt", digits: 2, less: true},
		{id: "udp64", row: "udp64", title: "UDP, 64 bytes, received", unit: "kpkt/s", digits: 0},
		{id: "udp64 loss", row: "udp64", title: "– lost", unit: "%", digits: 1, less: true, absolute: true},
		{id: "udp64 cpu", row: "udp64", title: "– CPU of both daemons", unit: "µs/pkt", digits: 2, less: true},
		{id: "ping", row: "ping", title: "Ping, idle, median", unit: "µs", digits: 0, less: true},
		{id: "ping p99", row: "ping", title: "– 99th percentile", unit: "µs", digits: 0, less: true},
		{id: "ping-load", row: "ping-load", title: "Ping beside a TCP stream, median", unit: "µs", digits: 0, less: true},
		{id: "ping-load p99", row: "ping-load", title: "– 99th percentile", unit: "µs", digits: 0, less: true},
		{id: "loss", row: "loss", title: "TCP, 20 ms and 1 % loss each way, A to B", unit: "Mbit/s", digits: 1},
		{id: "rotating", row: "rotating", title: "TCP with a rotation a second, of that without", unit: "%", digits: 1, absolute: true},
		{id: "lost-peer", row: "lost-peer", title: "TCP beside a peer that has vanished under load, of that before", unit: "%", digits: 1, absolute: true},
		{id: "rss", row: rowAlways, title: "Memory of the larger daemon, peak of all", unit: "MiB", digits: 1, less: true, absolute: true},
		{id: "idle", row: "idle", title: "Idle: wake-ups of the busier daemon", unit: "1/s", digits: 2, less: true, absolute: true},
		{id: "idle switches", row: "idle", title: "– its threads' own switches", unit: "1/s", digits: 1, less: true, absolute: true},
	}
}

// rowAlways marks what every visit yields, whatever its rows.
const rowAlways = ""

// rowNames are the rows that can be asked for, in the order of a visit: quiet
// ones first.
func rowNames() []string {
	return []string{"idle", "ping", "tcp-up", "tcp-down", "tcp4", "udp1300", "udp64", "ping-load", "rotating", "lost-peer", "loss"}
}

// variantRows are the rows of a contender with its own GOMAXPROCS.
func variantRows() []string { return []string{"tcp-up", "tcp-down", "tcp4", "udp64"} }
