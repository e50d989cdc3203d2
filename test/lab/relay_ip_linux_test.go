package lab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// relayed is two hosts joined by an IP relay alone.
func relayed(t *testing.T) (a, b *Host, r *IPRelay) {
	t.Helper()
	Require(t, TUN, "ping")
	l, err := New("relay-ip")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for name, h := range map[string]**Host{"A": &a, "B": &b} {
		if *h, err = l.Host(name); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = l.RelayIP(a, b, 1); err != nil {
		t.Fatal(err)
	}
	return a, b, r
}

// pinged is how many of n pings are answered within 3 s, and the fastest round trip.
// They leave at once: for the last answer ping waits two round trips or its interval,
// whichever is longer, and a busy machine is later than two round trips.
func pinged(t *testing.T, from *Host, to string, n int) (answered int, best time.Duration) {
	t.Helper()
	ctx, cancel := contextFor(t, 20*time.Second)
	defer cancel()
	out, _ := from.Command(ctx, "ping", "-n", "-l", strconv.Itoa(n), "-c", strconv.Itoa(n), "-i", "3", "-W", "3", to).Output() // lost pings are its error
	m := regexp.MustCompile(`(\d+) received[^$]*?= ([\d.]+)/`).FindStringSubmatch(string(out))
	if m == nil {
		return 0, 0
	}
	answered, _ = strconv.Atoi(m[1])
	ms, _ := strconv.ParseFloat(m[2], 64)
	return answered, time.Duration(ms * float64(time.Millisecond))
}

func TestIPRelayDelays(t *testing.T) {
	a, b, r := relayed(t)
	r.Set(Up, Disturbance{Delay: 10 * time.Millisecond})
	r.Set(Down, Disturbance{Delay: 20 * time.Millisecond})
	for _, to := range []string{b.IP4.String(), b.IP6.String()} {
		if n, best := pinged(t, a, to, 20); n != 20 || best < 30*time.Millisecond {
			t.Errorf("%s: %d of 20 pings answered, the fastest after %v instead of 30 ms", to, n, best)
		}
	}
}

func TestIPRelayLosesSingleSegments(t *testing.T) {
	a, b, r := relayed(t)
	seen := 0
	r.Set(Up, Disturbance{Keep: func(p []byte) bool {
		if p[0]>>4 == 4 { // the hosts say other things by IPv6
			seen++
		}
		return p[0]>>4 == 4 && seen%4 != 0
	}})
	before, _ := r.Stats() // something may have passed until now
	if n, _ := pinged(t, a, b.IP4.String(), 200); n != 150 {
		t.Errorf("%d of 200 pings answered where each fourth is lost", n)
	}
	if up, _ := r.Stats(); up.Passed-before.Passed != 150 || up.Dropped-before.Dropped < 50 {
		t.Errorf("%+v after %+v", up, before)
	}
}

func TestIPRelayTakesItsDevicesAlong(t *testing.T) {
	a, _, r := relayed(t)
	has := func() bool {
		out, err := a.Run(t.Context(), "cat", "/proc/self/net/dev")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(out, fmt.Sprintf("%s:", r.A.Dev))
	}
	if !has() {
		t.Fatal("there is no device")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if has() {
		t.Error("the device has outlived its relay")
	}
}
