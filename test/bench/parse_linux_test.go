package bench

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPingsAreRead(t *testing.T) {
	const out = `PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.
64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.031 ms
64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=1.5 ms
64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=1.6 ms (DUP!)
From 10.0.0.2 icmp_seq=3 Destination Host Unreachable
64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=12 ms
`
	if got := parsePings([]byte(out)); !slices.Equal(got, []float64{31, 1500, 12000}) {
		t.Error(got)
	}
}

func TestIperfIsRead(t *testing.T) {
	x, err := parseIperf([]byte(`{"end":{"sum_received":{"seconds":2,"bytes":1000,"packets":20,"lost_packets":10}}}`))
	if err != nil || x != (transfer{bytes: 1000, seconds: 2, sent: 20}) {
		t.Errorf("%+v, %v", x, err)
	}
	for _, bad := range []string{``, `{}`, `{"error":"unable to connect"}`, `{"end":{"sum_received":{"seconds":2,"bytes":0}}}`} {
		if x, err := parseIperf([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, x)
		}
	}
}

func TestProcessesAreRead(t *testing.T) {
	pid := os.Getpid()
	cpu, err := cpuSeconds(pid)
	if err != nil || cpu < 0 {
		t.Error(cpu, err)
	}
	began := time.Now()
	for time.Since(began) < 100*time.Millisecond { // busy
	}
	if after, err := cpuSeconds(pid); err != nil || after < cpu {
		t.Error(cpu, after, err)
	}
	if mib, err := peakMiB(pid); err != nil || mib < 1 || mib > 1e5 {
		t.Error(mib, err)
	}
	before, err := switches(pid)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		time.Sleep(time.Millisecond)
	}
	if after, err := switches(pid); err != nil || after < before+10 {
		t.Errorf("%v after %v: %v", after, before, err)
	}
	if _, err := switches(1 << 30); err == nil {
		t.Error("a process that is not there has threads")
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	got := parseBenchmarks("session", `goos: linux
BenchmarkSeal/AES-256-GCM-2   	   85000	     13000 ns/op	6892.31 MB/s	       0 B/op	       0 allocs/op
BenchmarkHandshakes/QUIC-2         	       1	9922228116 ns/op	         5.870 cpu-ms/handshake	        25.30 handshakes/s
PASS
`)
	if len(got) != 2 || got[0].name != "Seal/AES-256-GCM" || got[0].figures["MB/s"] != 6892.31 || got[1].figures["handshakes/s"] != 25.3 {
		t.Fatalf("%+v", got)
	}
	text := microReport(Machine{Commit: "abc"}, got)
	for _, want := range []string{"| session | Seal/AES-256-GCM | 13 µs | 0 of 0 B | 6892 MB/s |", "| Handshakes/QUIC, handshakes/s | ≥ 300 | ≥ 400 | 25.3 | **not met** |",
		"| Seal/AES-256-GCM, allocs/op | ≤ 0 |  | 0 | met |", "not measured"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestKernelSeries(t *testing.T) {
	for release, want := range map[string]string{"6.18.5-name-2": "6.18", "6.18": "6.18", "unknown": "unknown"} {
		if got := series(release); got != want {
			t.Errorf("%s: %s", release, got)
		}
	}
}

// A process that sleeps all the time has not woken; one that runs once in three
// looks has a third of them.
func TestSlumber(t *testing.T) {
	c := exec.Command("sh", "-c", "read -r x; for i in 1 2 3 4 5; do sleep 0.1; done; read -r x")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); c.Wait() }()
	var s slumber
	watch := func(n int) {
		for range n {
			time.Sleep(lookEvery)
			if err := s.look(c.Process.Pid); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(50 * time.Millisecond)
	watch(20)
	if s.woken != 0 {
		t.Errorf("asleep, and %d times awake", s.woken)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	watch(80)
	if s.woken < 5 || s.woken > 20 {
		t.Errorf("five naps of 100 ms, and %d times awake", s.woken)
	}
}
