package session_test

import (
	"bufio"
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
)

const (
	thousand = 1000
	hubEnv   = "L2TUN_BENCH_HUB" // tells BenchmarkOthers where the hub is
	oneEnv   = "L2TUN_BENCH_ONE" // has them come all at once, from one address
	allThere = "all others are there"
)

// BenchmarkThousandPeers is a node with a thousand peers, on loopback with QUIC;
// the peers live in another process. It prints what one end of a session takes
// with its connection, and which share of one core the node uses when nobody says
// anything.
func BenchmarkThousandPeers(b *testing.B) {
	const watch = 30 * time.Second
	for b.Loop() {
		m, where := &meeting{b: b}, new(did.Static)
		m.hub, m.hubDID = m.node(0, link.KindDirect, where, session.Settings{})
		for i := range thousand {
			if _, err := m.hub.Add(session.Peer{DID: m.identity(i + 1).DID()}); err != nil {
				b.Fatal(err)
			}
		}
		doc, err := where.Resolve(b.Context(), m.hubDID)
		if err != nil {
			b.Fatal(err)
		}
		before := used()
		end := startOthers(b, hubEnv+"="+doc.Endpoints[0])
		time.Sleep(30 * time.Second) // direct is proven, handshakes are over
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		m.await(ctx)
		cancel()
		b.ReportMetric(float64(used()-before)/thousand, "B/session")
		began, cpu := time.Now(), cpuTime()
		time.Sleep(watch)
		b.ReportMetric(100*(cpuTime()-cpu).Seconds()/time.Since(began).Seconds(), "%cpu-idle")
		end()
		m.close()
	}
}

// BenchmarkHomesBehindOneAddress is a node with a thousand peers behind one address
// translator, on loopback with QUIC: how long it takes until all that come at once are
// there, and until they are back after a restart of the node.
func BenchmarkHomesBehindOneAddress(b *testing.B) {
	for b.Loop() {
		m, where := &meeting{b: b}, new(did.Static)
		opens := func(at netip.AddrPort) (there func() int) {
			m.hub, m.hubDID = m.nodeAt(0, at, link.KindDirect, where, session.Settings{})
			for i := range thousand {
				if _, err := m.hub.Add(session.Peer{DID: m.identity(i + 1).DID()}); err != nil {
					b.Fatal(err)
				}
			}
			return func() (n int) {
				for _, s := range m.hub.Sessions() {
					if st := s.State(); st == session.Established || st == session.Rotating {
						n++
					}
				}
				return n
			}
		}
		until := func(began time.Time, there func() int, unit string) {
			for there() < thousand {
				if time.Since(began) > 5*time.Minute {
					b.Fatalf("%s: %d of %d are there after %v", unit, there(), thousand, time.Since(began))
				}
				time.Sleep(20 * time.Millisecond)
			}
			b.ReportMetric(time.Since(began).Seconds(), unit)
		}
		there := opens(netip.MustParseAddrPort("127.9.0.0:0"))
		doc, err := where.Resolve(b.Context(), m.hubDID)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		end := startOthers(b, hubEnv+"="+doc.Endpoints[0], oneEnv+"=1")
		until(began, there, "s-1000-come")
		time.Sleep(15 * time.Second) // direct is proven, handshakes are over
		m.close()
		m.ends = nil
		time.Sleep(2 * time.Second)
		until(time.Now(), opens(netip.MustParseAddrPort(doc.Endpoints[0])), "s-1000-back")
		end()
		m.close()
	}
}

// startOthers runs BenchmarkOthers in a process of its own, and returns when all
// their sessions are established.
func startOthers(b *testing.B, env ...string) (end func()) {
	c := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkOthers$", "-test.benchtime", "1x")
	c.Env = append(os.Environ(), env...)
	stop, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != allThere {
		said.WriteString(lines.Text() + "\n")
	}
	if lines.Text() != allThere {
		_ = c.Wait()
		b.Fatalf("the others ended:\n%s", said.String())
	}
	return func() {
		stop.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := c.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkOthers are the thousand peers of BenchmarkThousandPeers: they reach the
// hub, say so, and stay until their input ends.
func BenchmarkOthers(b *testing.B) {
	at := os.Getenv(hubEnv)
	if at == "" {
		b.Skip("a part of BenchmarkThousandPeers")
	}
	m, where := &meeting{b: b}, new(did.Static)
	m.hubDID = m.identity(0).DID()
	where.Set(m.hubDID, at)
	one := os.Getenv(oneEnv) != ""
	for i := range thousand {
		var other *session.Manager
		if one {
			other, _ = m.nodeAt(i+1, netip.MustParseAddrPort("127.9.250.250:0"), link.KindDirect, where, session.Settings{})
		} else {
			other, _ = m.node(i+1, link.KindDirect, where, session.Settings{})
		}
		if _, err := other.Add(session.Peer{DID: m.hubDID, Keep: one}); err != nil {
			b.Fatal(err)
		}
		m.others = append(m.others, other)
	}
	if !one {
		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
		m.reach(ctx, 8)
		cancel()
	}
	_, _ = os.Stdout.WriteString("\n" + allThere + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	m.close()
}
