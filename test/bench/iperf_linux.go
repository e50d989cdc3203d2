package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// patience is what a measurement may take beyond its time.
const patience = 15 * time.Second

// A transfer is what iperf3 reports of one measurement.
type transfer struct {
	bytes   float64 // received
	seconds float64
	sent    float64 // packets, UDP only
}

// iperf runs one measurement from a to the server that it starts on b.
func iperf(ctx context.Context, a, b *lab.Host, to netip.Addr, t time.Duration, options ...string) (transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, t+patience)
	defer cancel()
	server, err := listen(ctx, b)
	if err != nil {
		return transfer{}, err
	}
	args := append([]string{"-c", to.String(), "-t", strconv.Itoa(int(t.Seconds())), "-J"}, options...)
	out, err := a.Command(ctx, "iperf3", args...).Output()
	if err != nil {
		_ = server.Stop(0) // nobody will end it
		return transfer{}, iperfError(out, err)
	}
	if err := server.Wait(); err != nil {
		return transfer{}, fmt.Errorf("the iperf3 server: %w", err)
	}
	return parseIperf(out)
}

// listen starts a server for one client and returns when it listens.
func listen(ctx context.Context, h *lab.Host) (*lab.Cmd, error) {
	c := h.Command(ctx, "iperf3", "-s", "-1", "--forceflush")
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Server listening") {
			go io.Copy(io.Discard, out) // ends with the server
			return c, nil
		}
	}
	return nil, errors.Join(errors.New("the iperf3 server does not listen"), c.Stop(0))
}

// socketBuffer is what UDP sockets get: more than the default, so that a receiver
// that has to wait for a CPU does not lose what the tunnel has delivered, but no
// more than the machine allows.
func socketBuffer() int {
	size := 1 << 20
	for _, key := range []string{"net/core/rmem_max", "net/core/wmem_max"} {
		if n, err := strconv.Atoi(sysctl(key)); err == nil {
			size = min(size, n)
		}
	}
	return size
}

type iperfReport struct {
	Error string `json:"error"`
	End   struct {
		Received struct {
			Bytes   float64 `json:"bytes"`
			Seconds float64 `json:"seconds"`
			Packets float64 `json:"packets"`
		} `json:"sum_received"`
	} `json:"end"`
}

func parseIperf(out []byte) (transfer, error) {
	var r iperfReport
	if err := json.Unmarshal(out, &r); err != nil {
		return transfer{}, fmt.Errorf("iperf3 printed no report: %w", err)
	}
	got := r.End.Received
	if r.Error != "" || got.Seconds <= 0 || got.Bytes <= 0 {
		return transfer{}, fmt.Errorf("iperf3 received nothing: %s", r.Error)
	}
	return transfer{got.Bytes, got.Seconds, got.Packets}, nil
}

// iperfError is iperf3's own sentence where it said one.
func iperfError(out []byte, err error) error {
	var r iperfReport
	if json.Unmarshal(out, &r) == nil && r.Error != "" {
		return fmt.Errorf("iperf3: %s", r.Error)
	}
	return fmt.Errorf("iperf3: %w", err)
}
