package bench

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A visit is one contender in one round.
type visit struct {
	*bench
	contender contender
	round     int
}

// on measures rows over one way.
func (v *visit) on(ctx context.Context, w way, rows []string) {
	t, err := v.start(ctx, v.contender, w)
	if err != nil {
		for _, row := range rows {
			v.missing(row, err)
		}
		v.showLogs()
		return
	}
	_ = pause(ctx, settle)
	for _, row := range rows {
		if ctx.Err() != nil {
			break
		}
		if err := v.measure(ctx, t, w, row); err != nil {
			v.missing(row, err)
		}
	}
	if peak, err := t.most(peakMiB); len(t.daemons) > 0 && !w.slow && err == nil {
		v.note("rss", peak)
	}
	if err := t.stop(); err != nil {
		v.missing(strings.Join(rows, ", "), fmt.Errorf("it did not end well: %w", err))
		v.showLogs()
	}
}

// measure takes the figures of one row.
func (v *visit) measure(ctx context.Context, t *tunnel, w way, row string) error {
	switch row {
	case "idle":
		return v.idle(ctx, t)
	case "ping":
		return v.ping(ctx, t, w, row)
	case "tcp-up":
		return v.tcp(ctx, t, w, row)
	case "tcp-down":
		return v.tcp(ctx, t, w, row, "-R")
	case "tcp4":
		return v.tcp(ctx, t, w, row, "-P", "4")
	case "udp1300":
		return v.udp(ctx, t, w, row, 1300)
	case "udp64":
		return v.udp(ctx, t, w, row, 64)
	case "ping-load":
		return v.pingUnderLoad(ctx, t, w, row)
	case "rotating":
		return v.rotating(ctx, t, w, row)
	case "lost-peer":
		return v.lostPeer(ctx, t, w, row)
	case "loss":
		return v.lossy(ctx, t, w, row)
	}
	panic("bench: internal error: row " + row)
}

// tcp notes throughput, and CPU seconds of both daemons a gigabyte.
func (v *visit) tcp(ctx context.Context, t *tunnel, w way, row string, options ...string) error {
	x, cpu, err := v.costed(ctx, t, w, options...)
	if err != nil {
		return err
	}
	v.note(row, x.bytes*8/x.seconds/1e9)
	if len(t.daemons) > 0 {
		v.note(row+" cpu", cpu/(x.bytes/1e9))
	}
	return nil
}

// udp notes packets received a second, the share of those lost, and CPU
// microseconds of both daemons for each that was received.
func (v *visit) udp(ctx context.Context, t *tunnel, w way, row string, size int) error {
	x, cpu, err := v.costed(ctx, t, w, "-u", "-b", "0", "-l", fmt.Sprint(size), "-w", fmt.Sprint(socketBuffer()))
	if err != nil {
		return err
	}
	received := x.bytes / float64(size)
	v.note(row, received/x.seconds/1e3)
	v.note(row+" loss", 100*max(0, 1-received/x.sent))
	if len(t.daemons) > 0 {
		v.note(row+" cpu", 1e6*cpu/received)
	}
	return nil
}

// costed is a transfer and the CPU seconds of both daemons meanwhile.
func (v *visit) costed(ctx context.Context, t *tunnel, w way, options ...string) (transfer, float64, error) {
	before, err := t.cpu()
	if err != nil {
		return transfer{}, 0, err
	}
	x, err := iperf(ctx, w.a, w.b, t.to, v.o.Time, options...)
	if err != nil {
		return transfer{}, 0, err
	}
	after, err := t.cpu()
	return x, after - before, err
}

func (v *visit) ping(ctx context.Context, t *tunnel, w way, row string) error {
	times, err := pings(ctx, w.a, t.to, v.o.Time)
	if err != nil {
		return err
	}
	v.note(row, centile(times, 50))
	v.note(row+" p99", centile(times, 99))
	return nil
}

// pingUnderLoad pings beside a TCP stream of its own.
func (v *visit) pingUnderLoad(ctx context.Context, t *tunnel, w way, row string) error {
	const headStart = time.Second
	load := make(chan error, 1)
	go func() {
		_, err := iperf(ctx, w.a, w.b, t.to, v.o.Time+2*headStart)
		load <- err
	}()
	time.Sleep(headStart)
	err := v.ping(ctx, t, w, row)
	if loadErr := <-load; err == nil {
		err = loadErr
	}
	return err
}

// lossy takes three times as long as other rows: luck has to even out. Nodes that
// have a choice make it in a transfer before.
func (v *visit) lossy(ctx context.Context, t *tunnel, w way, row string) error {
	if v.contender.kind == indirect {
		if _, err := iperf(ctx, w.a, w.b, t.to, learning); err != nil {
			return err
		}
	}
	x, err := iperf(ctx, w.a, w.b, t.to, 3*v.o.Time)
	if err != nil {
		return err
	}
	v.note(row, x.bytes*8/x.seconds/1e6)
	return nil
}

// idle notes how often the daemons wake up when nothing happens.
func (v *visit) idle(ctx context.Context, t *tunnel) error {
	if err := pause(ctx, restful); err != nil {
		return err
	}
	watched := make(map[int]*slumber)
	next := time.NewTicker(lookEvery)
	defer next.Stop()
	began := time.Now()
	for time.Since(began) < v.o.Idle {
		if _, err := t.most(func(pid int) (float64, error) {
			s := watched[pid]
			if s == nil {
				s = new(slumber)
				watched[pid] = s
			}
			return 0, s.look(pid)
		}); err != nil {
			return err
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	seconds := time.Since(began).Seconds()
	var woken, switches float64
	for _, s := range watched {
		woken, switches = max(woken, float64(s.woken)), max(switches, s.last-s.first)
	}
	v.note("idle", woken/seconds)
	v.note("idle switches", switches/seconds)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note keeps a figure and shows it.
func (v *visit) note(id string, value float64) {
	for _, m := range metrics() {
		if m.id != id {
			continue
		}
		v.r.Samples = append(v.r.Samples, Sample{v.round, v.contender.name, id, m.unit, value})
		fmt.Fprintf(v.said, "%5.0fs  round %d  %-15s %-14s %10.*f %s\n", time.Since(v.begun).Seconds(), v.round+1, v.contender.name, id,
			m.digits, value, m.unit)
	}
}

// missing notes that a row could not be measured.
func (v *visit) missing(row string, err error) {
	text := fmt.Sprintf("round %d, %s, %s: %v", v.round+1, v.contender.name, row, err)
	v.r.Missing = append(v.r.Missing, text)
	fmt.Fprintf(v.said, "%5.0fs  MISSING  %s\n", time.Since(v.begun).Seconds(), text)
}

// showLogs shows the end of what the contender's daemons have said.
func (v *visit) showLogs() {
	for _, h := range []*lab.Host{v.net.A, v.net.B} {
		text, _ := os.ReadFile(v.logOf(v.contender, h))
		if len(text) > 0 {
			fmt.Fprintf(v.said, "log of %s:\n%s\n", h.Name, text[max(0, len(text)-3000):])
		}
	}
}
