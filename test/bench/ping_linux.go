package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

const (
	pingEvery = 10 * time.Millisecond
	pingLost  = time.Second // what a ping without an answer counts as
)

// pings returns the round trips of pings for a time, in microseconds, one for
// each that was sent.
func pings(ctx context.Context, from *lab.Host, to netip.Addr, t time.Duration) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, t+patience)
	defer cancel()
	n := int(t / pingEvery)
	out, err := from.Command(ctx, "ping", "-n", "-i", fmt.Sprint(pingEvery.Seconds()), "-c", strconv.Itoa(n),
		"-W", fmt.Sprint(pingLost.Seconds()), to.String()).Output()
	if exit, lost := errors.AsType[*exec.ExitError](err); err != nil && !(lost && exit.ExitCode() == 1) {
		return nil, fmt.Errorf("ping: %w", err)
	}
	times := parsePings(out)
	if len(times) == 0 {
		return nil, errors.New("no ping is answered")
	}
	for len(times) < n {
		times = append(times, float64(pingLost.Microseconds()))
	}
	return times, nil
}

// parsePings finds the round trips in ping's output, in microseconds.
func parsePings(out []byte) (times []float64) {
	pattern := regexp.MustCompile(`icmp_seq=\d+ .*time=([\d.]+) ms$`) // a copy has more behind it
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if m := pattern.FindSubmatch(sc.Bytes()); m != nil {
			ms, _ := strconv.ParseFloat(string(m[1]), 64)
			times = append(times, ms*1000)
		}
	}
	return times
}

// answers reports whether a single ping is answered within a second.
func answers(ctx context.Context, from *lab.Host, to netip.Addr) bool {
	return from.Command(ctx, "ping", "-n", "-c", "1", "-W", "1", to.String()).Run() == nil
}
