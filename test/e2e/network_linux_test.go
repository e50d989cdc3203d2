package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// further is another host behind the router.
func (w *world) further(name string) *lab.Host {
	w.Helper()
	h, err := w.Lab.Host(name)
	w.ok(err)
	c, err := w.Connect(h, w.R, 0)
	w.ok(err)
	w.ok(h.Route(netip.MustParsePrefix("0.0.0.0/0"), c.B.IP4.Addr(), 0))
	w.ok(h.Route(netip.MustParsePrefix("::/0"), c.B.IP6.Addr(), 0))
	return h
}

// network runs l2tun network and returns what it printed.
func (n *node) network(args ...string) string {
	n.w.Helper()
	return n.w.must(n.Host, append(append([]string{"network"}, args...), "--config", n.Config, "--socket", n.Socket)...)
}

// membersOf are the members as a node has them, by name.
func (n *node) membersOf() map[string]control.Member {
	n.w.Helper()
	var all []control.Member
	n.w.ok(json.Unmarshal([]byte(n.network("members", "--json")), &all))
	out := make(map[string]control.Member)
	for _, m := range all {
		out[m.Name] = m
	}
	return out
}

// founds makes a network of a node that runs then, and returns a link for so many.
func (n *node) founds(uses int) string {
	n.w.Helper()
	out := n.network("create", "home", "--prefix", "10.20.0.0/16", "--name", "m1")
	if !strings.Contains(out, "l2tun-key-v1 ") {
		n.w.Errorf("no recovery key: %s", out)
	}
	n.up()
	var link struct{ Link string }
	n.w.ok(json.Unmarshal([]byte(n.network("invite", "--uses", fmt.Sprint(uses), "--for", "1h", "--json", "--endpoint", n.endpoint4())), &link))
	return link.Link
}

// enters joins a node and starts it.
func (n *node) enters(link, name string) {
	n.w.Helper()
	if r := n.joins(link, "--name", name); r.code != 0 {
		n.w.Fatalf("join: %s", r.errs)
	}
	id, err := config.LoadIdentity(n.Config)
	n.w.ok(err)
	n.DID, n.Address = id.DID().String(), id.DID().Addr()
	n.up()
}

// knowsAll waits until a node has so many members and its own address.
func (n *node) knowsAll(count int, name string) {
	n.w.Helper()
	n.w.eventually(patience, n.Name+" knows all members", func() bool { return len(n.membersOf()) == count })
	m := n.membersOf()[name]
	n.v4 = netip.MustParseAddr(m.Addresses[0])
	n.w.eventually(patience, n.Name+" has its address", func() bool {
		return strings.Contains(n.w.run(n.Host, "ip", "-4", "-o", "addr"), n.v4.String()+"/16")
	})
}

// mesh pings from each node to each other one.
func (w *world) mesh(nodes []*node) {
	w.Helper()
	var all sync.WaitGroup
	for _, a := range nodes {
		all.Go(func() {
			for _, b := range nodes {
				if a == b {
					continue
				}
				ctx, cancel := w.soon()
				if out, err := a.Host.Run(ctx, "ping", "-c", "1", "-W", "5", b.v4.String()); err != nil {
					w.Errorf("%s does not reach %s: %v\n%s", a.Name, b.Name, err, out)
				}
				cancel()
			}
		})
	}
	all.Wait()
}

// One command makes a network, one link of several uses is joined by all others, all of
// them reach all; then one is removed, and every session with it ends within a second, and
// none begins after restarts of both ends. Four machines, ten with -long.
func TestNetworkComesAndGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	count := either(4, 10)
	nodes := []*node{w.node(w.A), w.guest(w.B)}
	for i := 3; i <= count; i++ {
		nodes = append(nodes, w.guest(w.further(fmt.Sprintf("m%d", i))))
	}
	start := time.Now()
	link := nodes[0].founds(count - 1)
	for i, n := range nodes[1:] {
		n.enters(link, fmt.Sprintf("m%d", i+2))
	}
	joined := time.Since(start)
	for i, n := range nodes {
		n.knowsAll(count, fmt.Sprintf("m%d", i+1))
	}
	w.mesh(nodes)
	t.Logf("%d machines: joined one after the other in %v, full mesh after %v", count, ms(joined), ms(time.Since(start)))
	if r := w.guest(w.R).joins(link, "--name", "late"); r.code == 0 || !strings.Contains(r.errs, "has been used") {
		t.Errorf("one more than the link has uses: %d %s", r.code, r.errs)
	}
	for n, role := range map[*node]string{nodes[0]: "admin", nodes[1]: "member"} {
		shown := w.must(n.Host, "metrics", "--socket", n.Socket)
		for _, line := range []string{fmt.Sprintf(`l2tun_network_info{network="home",role=%q} 1`, role), fmt.Sprintf(`l2tun_network_members{network="home"} %d`, count), `l2tun_network_serial{network="home"} 1`} {
			if !strings.Contains(shown, "\n"+line+"\n") {
				t.Errorf("metrics of %s have no %s", n.Name, line)
			}
		}
		if top := w.must(n.Host, "top", "--once", "--socket", n.Socket); !strings.Contains(top, fmt.Sprintf("network home (%s of %d", role, count)) {
			t.Errorf("top: %s", top)
		}
	}
	gone, rest := nodes[2], append(append([]*node{}, nodes[:2]...), nodes[3:]...)
	removed := time.Now()
	if out := nodes[0].network("remove", "m3"); !strings.HasPrefix(out, "removed m3 ") {
		t.Error(out)
	}
	for _, n := range rest {
		w.eventually(patience, n.Name+" has closed the removed one", func() bool {
			st, err := n.Client().Status(w.Context())
			w.ok(err)
			for _, p := range st.Peers {
				if p.DID == gone.DID {
					return false
				}
			}
			return true
		})
	}
	if d := time.Since(removed); d > limit(time.Second) {
		t.Errorf("closed everywhere after %v", d)
	} else {
		t.Logf("closed everywhere %v after the command began", ms(d))
	}
	gone.stop()
	nodes[1].stop()
	nodes[1].up()
	gone.up()
	nodes[1].knowsAll(count-1, "m2")
	w.mesh(rest)
	for _, n := range rest {
		ctx, cancel := w.soon()
		if out, err := gone.Host.Run(ctx, "ping", "-c", "1", "-W", "1", n.v4.String()); err == nil {
			t.Errorf("the removed one reaches %s:\n%s", n.Name, out)
		}
		cancel()
	}
}
