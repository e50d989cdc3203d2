package session_test

import (
	"bufio"
	"context"
	"io"
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
		end := startOthers(b, doc.Endpoints[0])
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

// startOthers runs BenchmarkOthers in a process of its own, and returns when all
// their sessions are established.
func startOthers(b *testing.B, hub string) (end func()) {
	c := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkOthers$", "-test.benchtime", "1x")
	c.Env = append(os.Environ(), hubEnv+"="+hub)
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
	for i := range thousand {
		other, _ := m.node(i+1, link.KindDirect, where, session.Settings{})
		if _, err := other.Add(session.Peer{DID: m.hubDID}); err != nil {
			b.Fatal(err)
		}
		m.others = append(m.others, other)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	m.reach(ctx, 8)
	cancel()
	_, _ = os.Stdout.WriteString("\n" + allThere + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	m.close()
}
