package e2e

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// One peer's UDP flood does not starve another peer's TCP: neither when the flood
// comes in where the TCP comes in, nor when both leave the same node. With one
// processor for each node, and with as many as there are.
func TestFloodOfAPeerLeavesTheOtherItsShare(t *testing.T) {
	lab.Require(t, "iperf3")
	for _, procs := range []string{"1", ""} {
		name := map[string]string{"": "all processors"}[procs]
		if name == "" {
			name = "GOMAXPROCS=" + procs
		}
		t.Run(name, func(t *testing.T) {
			if procs != "" {
				t.Setenv("GOMAXPROCS", procs) // the nodes inherit it
			}
			w, a, b, c := trio(t)
			seconds := either(2, 8)
			in, out := w.iperf3(w.B, w.A, a.v4, seconds), w.iperf3(w.A, w.B, b.v4, seconds)
			w.share("in: B's TCP to A, while C floods A", in, c, a, func() float64 { return w.iperf3(w.B, w.A, a.v4, seconds) })
			w.share("out: A's TCP to B, while A floods C", out, a, c, func() float64 { return w.iperf3(w.A, w.B, b.v4, seconds) })
		})
	}
}

// floodPort is not the one of iperf3's default, where TCP is measured meanwhile.
const floodPort = "5301"

// share measures beside a flood of 400 Mbit/s from one node to another, and
// prints what is left of what it was alone. Starved is less than a tenth: CPU is
// shared with the flood and its programs here, so a half is as good as it gets.
func (w *world) share(what string, alone float64, from, to *node, measure func() float64) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	server := to.host.Command(ctx, "iperf3", "-s", "-1", "-p", floodPort)
	w.ok(server.Start())
	defer func() { _ = server.Stop(time.Second) }()
	port, err := strconv.Atoi(floodPort)
	w.ok(err)
	w.eventually(5*time.Second, "iperf3 listens", func() bool { return listens(ctx, to.host, port) })
	flood := from.host.Command(ctx, "iperf3", "-c", to.v4.String(), "-p", floodPort, "-u", "-b", "400M", "-l", "1200", "-t", strconv.Itoa(either(4, 10)), "-J")
	over := make(chan []byte, 1)
	go func() {
		report, _ := flood.Output() // the report says what went wrong
		over <- report
	}()
	time.Sleep(500 * time.Millisecond) // it is under way
	rate := measure()
	sent, arrived := flooded(<-over)
	w.Logf("%s: %.0f Mbit/s, %.0f %% of the %.0f alone; the flood: %.0f of %.0f packets a second arrived", what, rate/1e6, 100*rate/alone, alone/1e6,
		arrived, sent)
	if sent == 0 {
		w.Errorf("%s: there was no flood: this shows nothing", what)
	}
	if rate < alone/10 {
		w.Errorf("%s: starved", what)
	}
}

// flooded reads iperf3's report of UDP: packets a second, sent and received.
func flooded(report []byte) (sent, arrived float64) {
	var r struct {
		End struct {
			Sum struct {
				Packets float64 `json:"packets"`
				Lost    float64 `json:"lost_packets"`
				Seconds float64 `json:"seconds"`
			} `json:"sum"`
		} `json:"end"`
	}
	if json.Unmarshal(report, &r) != nil || r.End.Sum.Seconds == 0 {
		return 0, 0
	}
	s := r.End.Sum
	return s.Packets / s.Seconds, (s.Packets - s.Lost) / s.Seconds
}
