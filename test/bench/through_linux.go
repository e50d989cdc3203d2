package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/node"
)

// Who carries a TCP stream between two ends that have no route to each other.
const (
	l2tunHub    = "l2tun"
	nebulaRelay = "nebula"

	insideHub  = "10.99.0.254"
	nebulaPort = 4243
	// nebulaMTU is the largest in whole tens whose packets fit 1500 bytes with both
	// headers and tags of a relayed packet.
	nebulaMTU = 1400
)

// throughHubs are those who are visited, one after the other.
func throughHubs() []string { return []string{l2tunHub, nebulaRelay} }

// A Through is one TCP stream between two ends through a third host.
type Through struct {
	Contender string  `json:"contender"`
	Round     int     `json:"round"`
	Gbits     float64 `json:"gbit_s"`
	HubCPU    float64 `json:"hub_cpu_s_gb"` // CPU seconds of the hub's daemon a gigabyte
	AllCPU    float64 `json:"all_cpu_s_gb"` // of all three daemons
}

// A triangle is two ends with a cable to a hub each, which does not forward. No filter
// cuts super-packets: what the hub costs is its own.
//
//	A ── hub ── B
type triangle struct {
	*lab.Lab
	a, hub, b *lab.Host
	toA, toB  netip.Addr // the hub, as each end calls it
	programs  string
}

func layTriangle(programs string) (*triangle, error) {
	l, err := lab.New("through")
	if err != nil {
		return nil, err
	}
	t := &triangle{Lab: l, programs: programs}
	for name, h := range map[string]**lab.Host{"A": &t.a, "hub": &t.hub, "B": &t.b} {
		if *h, err = l.Host(name); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	for h, at := range map[*lab.Host]*netip.Addr{t.a: &t.toA, t.b: &t.toB} {
		c, err := l.Connect(h, t.hub, 0)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		*at = c.B.IP4.Addr()
	}
	return t, nil
}

// through measures each contender in each round.
func (r *reachRun) through(ctx context.Context) {
	for round := range r.o.Rounds {
		all := throughHubs()
		for i := range all {
			c := all[(i+round)%len(all)]
			x, err := throughOne(ctx, r.o, c)
			if ctx.Err() != nil {
				return
			}
			x.Round = round
			r.note(func() {
				if err == nil {
					r.res.Through = append(r.res.Through, x)
				}
			}, err, "TCP through a hub, round %d, %-8s %.2f Gbit/s, CPU of the hub %.2f s a GB, of all three daemons %.2f", round+1, c, x.Gbits, x.HubCPU, x.AllCPU)
		}
	}
}

// throughOne brings a contender up on a triangle of its own and lets one stream pass.
func throughOne(ctx context.Context, o ReachOptions, contender string) (x Through, err error) {
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	t, err := layTriangle(o.Programs)
	if err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	var daemons []*lab.Cmd // the hub's first
	if contender == nebulaRelay {
		daemons, err = t.startNebula(ctx)
	} else {
		daemons, err = t.startL2tun(ctx)
	}
	defer func() {
		for _, d := range daemons {
			_ = d.Stop(stopTime) // its error is that it was stopped
		}
	}()
	to := netip.MustParseAddr(insideB)
	for end := time.Now().Add(startTime); err == nil && !answers(ctx, t.a, to); {
		if time.Now().After(end) {
			err = fmt.Errorf("no ping passes within %v", startTime)
		}
	}
	if err == nil {
		err = pause(ctx, settle)
	}
	if err != nil {
		return x, errors.Join(err, t.logs())
	}
	return t.stream(ctx, contender, daemons, o.Time)
}

// stream lets one TCP stream pass.
func (t *triangle) stream(ctx context.Context, contender string, daemons []*lab.Cmd, length time.Duration) (Through, error) {
	hub, all, err := spent(daemons)
	if err != nil {
		return Through{}, err
	}
	got, err := iperf(ctx, t.a, t.b, netip.MustParseAddr(insideB), length)
	if err != nil {
		return Through{}, errors.Join(err, t.logs())
	}
	hubAfter, allAfter, err := spent(daemons)
	gb := got.bytes / 1e9
	return Through{Contender: contender, Gbits: got.bytes * 8 / got.seconds / 1e9, HubCPU: (hubAfter - hub) / gb, AllCPU: (allAfter - all) / gb}, err
}

// spent are the CPU seconds of the first daemon, and of all.
func spent(daemons []*lab.Cmd) (first, all float64, err error) {
	for i, d := range daemons {
		s, e := cpuSeconds(d.Process.Pid)
		if all, err = all+s, errors.Join(err, e); i == 0 {
			first = s
		}
	}
	return first, all, err
}

// logs is the end of what the daemons have said, as an error.
func (t *triangle) logs() (err error) {
	files, _ := filepath.Glob(filepath.Join(t.Dir(), "*.log"))
	for _, f := range files {
		if text, _ := os.ReadFile(f); len(text) > 0 {
			err = errors.Join(err, fmt.Errorf("%s says: %s", filepath.Base(f), text[max(0, len(text)-1000):]))
		}
	}
	return err
}

// startL2tun makes a hub without a bound on what it forwards and two ends that know
// each other by DID alone, and returns when they send through it.
func (t *triangle) startL2tun(ctx context.Context) (daemons []*lab.Cmd, err error) {
	make := func(h *lab.Host, inside string, top string) (*node.Node, error) {
		n := node.New(h, node.Options{Program: filepath.Join(t.programs, "l2tun"), Dir: t.Dir(), Name: h.Name, Interface: "l2bench",
			Inside: netip.PrefixFrom(netip.MustParseAddr(inside), 24)})
		return n, errors.Join(n.Init(ctx), n.Prepend(top))
	}
	hub, errH := make(t.hub, insideHub, "relay = \"peers\"\nrelay_rate = \"100Gbit/s\"\nrelay_total = \"100Gbit/s\"\n")
	a, errA := make(t.a, insideA, "")
	b, errB := make(t.b, insideB, "")
	if err = errors.Join(errH, errA, errB); err != nil {
		return nil, err
	}
	err = errors.Join(
		hub.AddPeer(ctx, a.DID, "--name", "a", "--allowed-ip", insideA+"/32"),
		hub.AddPeer(ctx, b.DID, "--name", "b", "--allowed-ip", insideB+"/32"),
		a.AddPeer(ctx, hub.DID, "--hub", "--name", "hub", "--allowed-ip", insideHub+"/32", "--endpoint", netip.AddrPortFrom(t.toA, node.Port).String()),
		b.AddPeer(ctx, hub.DID, "--hub", "--name", "hub", "--allowed-ip", insideHub+"/32", "--endpoint", netip.AddrPortFrom(t.toB, node.Port).String()),
		a.AddPeer(ctx, b.DID, "--name", "b", "--allowed-ip", insideB+"/32"),
		b.AddPeer(ctx, a.DID, "--name", "a", "--allowed-ip", insideA+"/32"))
	for _, n := range []*node.Node{hub, a, b} {
		if err == nil {
			if err = n.Start(node.Launch{}); err == nil {
				daemons = append(daemons, n.Cmd)
				err = n.Answers(ctx)
			}
		}
	}
	if err != nil {
		return daemons, err
	}
	_, err = a.WaitPeer(ctx, b.DID, func(p control.Peer) bool { return p.State == "established" && p.Carrier == "circuit" })
	return daemons, err
}

// startNebula makes a lighthouse that relays and two ends that know it, and that the
// other may be reached through it.
func (t *triangle) startNebula(ctx context.Context) (daemons []*lab.Cmd, err error) {
	cert := func(args ...string) error {
		c := t.hub.Command(ctx, filepath.Join(t.programs, "nebula-cert"), args...)
		c.Dir = t.Dir()
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("nebula-cert %s: %w: %s", args[0], err, out)
		}
		return nil
	}
	if err := cert("ca", "-name", "bench"); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		host   *lab.Host
		inside string
		hub    netip.Addr // as it is reached; the hub itself: none
	}{{t.hub, insideHub, netip.Addr{}}, {t.a, insideA, t.toA}, {t.b, insideB, t.toB}} {
		name := x.host.Name
		if err := cert("sign", "-name", name, "-networks", x.inside+"/24"); err != nil {
			return daemons, err
		}
		file := filepath.Join(t.Dir(), name+".yml")
		if err := os.WriteFile(file, []byte(nebulaConfig(name, x.hub)), 0o600); err != nil {
			return daemons, err
		}
		log, err := os.OpenFile(filepath.Join(t.Dir(), name+".log"), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return daemons, err
		}
		d := x.host.Command(context.Background(), filepath.Join(t.programs, "nebula"), "-config", file) // stopped by its owner
		d.Dir, d.Stdout, d.Stderr = t.Dir(), log, log
		err = errors.Join(d.Start(), log.Close())
		if err != nil {
			return daemons, err
		}
		daemons = append(daemons, d)
	}
	return daemons, nil
}

// nebulaConfig is the config of the hub, or of an end that reaches it somewhere.
func nebulaConfig(name string, hub netip.Addr) string {
	text := fmt.Sprintf(`pki: {ca: ca.crt, cert: %[1]s.crt, key: %[1]s.key}
listen: {host: 0.0.0.0, port: %[2]d}
tun: {dev: nebench, mtu: %[3]d}
firewall: {outbound: [{port: any, proto: any, host: any}], inbound: [{port: any, proto: any, host: any}]}
logging: {level: warning}
`, name, nebulaPort, nebulaMTU)
	if !hub.IsValid() {
		return text + "lighthouse: {am_lighthouse: true}\nrelay: {am_relay: true}\n"
	}
	return text + fmt.Sprintf(`static_host_map: {"%[1]s": ["%[2]s:%[3]d"]}
lighthouse: {hosts: ["%[1]s"], interval: 5}
relay: {relays: ["%[1]s"], use_relays: true}
`, insideHub, hub, nebulaPort)
}

// throughFigures are those of a contender, by round.
func (r *ReachResult) throughFigures(contender string, of func(Through) float64) (v []float64) {
	for _, x := range r.Through {
		if x.Contender == contender {
			v = append(v, of(x))
		}
	}
	return v
}

func gbits(x Through) float64  { return x.Gbits }
func hubCPU(x Through) float64 { return x.HubCPU }
func allCPU(x Through) float64 { return x.AllCPU }

func (r *ReachResult) throughTable(b *strings.Builder) {
	if len(r.Through) == 0 {
		return
	}
	fmt.Fprintf(b, `
## TCP through a hub

One TCP stream for %.0f s between two ends that have no route to each other, all three daemons on this machine, no filters and
no delay: what the hub costs is its own. l2tun with no bound on what it forwards; Nebula %s with a host that is lighthouse and
relay. Each round visits both. Medians, in brackets the least and the most.

| | rounds | TCP | CPU of the hub | CPU of all three |
| --- | --- | --- | --- | --- |
`, r.Seconds, r.Nebula)
	for _, c := range throughHubs() {
		shown := func(of func(Through) float64, unit string) string {
			s := spreadOf(r.throughFigures(c, of))
			return fmt.Sprintf("%.2f %s (%.2f–%.2f)", s.median, unit, s.min, s.max)
		}
		if n := len(r.throughFigures(c, gbits)); n > 0 {
			fmt.Fprintf(b, "| %s | %d | %s | %s | %s |\n", c, n, shown(gbits, "Gbit/s"), shown(hubCPU, "s/GB"), shown(allCPU, "s/GB"))
		}
	}
}

// throughPromises are those about a stream through a hub.
func (r *ReachResult) throughPromises() []promise {
	speed, cost := r.throughFigures(l2tunHub, gbits), r.throughFigures(l2tunHub, hubCPU)
	return []promise{
		{what: "TCP through a hub", goal: "at least 1 Gbit/s", limit: 1, aim: 1, is: spreadOf(speed).median, measured: len(speed) > 0, unit: "Gbit/s", least: true, digits: 2},
		{what: "– CPU of the hub a gigabyte", goal: "1.0 s, aim 0.4", limit: 1, aim: 0.4, is: spreadOf(cost).median, measured: len(cost) > 0, unit: "s", digits: 2},
	}
}
