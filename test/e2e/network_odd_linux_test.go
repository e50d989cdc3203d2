package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A join fails while the node that has invited is down, leaves nothing behind, and goes on by
// the same link once that runs; who asks for a name that is taken is told which one it got.
// A host that is on a network of the same numbers keeps that, is told, and reaches members by
// the addresses of their DIDs.
func TestJoinAtABadTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.guest(w.B)
	link := a.founds(2)
	a.stop()
	r := b.joins(link, "--name", "m1")
	w.refused(r, 1, "does not answer at "+a.endpoint4())
	if config.There(b.Config) || config.There(config.KeyPath(b.Config)) {
		t.Error("a join that failed has left a config or a key")
	}
	a.up()
	w.run(w.B, "ip", "link", "add", "lan9", "type", "veth", "peer", "name", "lan8")
	w.run(w.B, "ip", "link", "set", "lan9", "up")
	w.run(w.B, "ip", "link", "set", "lan8", "up")
	w.run(w.B, "ip", "addr", "add", "10.20.0.1/16", "dev", "lan9")
	before := w.run(w.B, "ip", "route", "show", "10.20.0.0/16", "dev", "lan9")
	if r = b.joins(link, "--name", "m1"); r.code != 0 || !strings.Contains(r.out, "joined network home as m1-2 (m1 was not free") {
		t.Fatalf("%+v", r)
	}
	id, err := config.LoadIdentity(b.Config)
	w.ok(err)
	b.DID, b.Address = id.DID().String(), id.DID().Addr()
	b.up()
	w.eventually(patience, "the collision is shown", func() bool {
		st := b.status()
		return len(st.Networks) == 1 && strings.Contains(fmt.Sprint(st.Networks[0].Findings), "left_out")
	})
	if after := w.run(w.B, "ip", "route", "show", "10.20.0.0/16", "dev", "lan9"); after != before || before == "" {
		t.Errorf("the host's own route was %q and is %q", before, after)
	}
	w.eventually(patience, "the member is reached by the address of its DID", func() bool { return b.pings(a.Address) })
}

// A node that is killed while it removes a member, or changes a grant, starts again with
// documents that are whole: the change is there or it is not, and can be made then.
func TestKilledWhileItRemoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.guest(w.B)
	link := a.founds(1)
	b.enters(link, "m2")
	a.knowsAll(2, "m1")
	killedIn := func(args ...string) {
		t.Helper()
		done := make(chan result)
		go func() {
			done <- w.l2tun(w.A, append(append([]string{"network"}, args...), "--config", a.Config, "--socket", a.Socket)...)
		}()
		time.Sleep(rand.N(40 * time.Millisecond)) // any moment of it: each has to be good
		a.kill()
		<-done
		a.up()
		folder := strings.TrimSuffix(a.Config, ".toml") + ".networks"
		if all, _ := filepath.Glob(filepath.Join(folder, "*.damaged")); len(all) > 0 {
			t.Fatalf("after a kill in %q: %q", args, all)
		}
	}
	for i := range either(3, 10) {
		killedIn("grant", "all", "m1", fmt.Sprintf("tcp:%d", 100+i))
		if n := len(a.membersOf()); n != 2 {
			t.Fatalf("%d members after a kill", n)
		}
	}
	killedIn("remove", "m2")
	if _, still := a.membersOf()["m2"]; still {
		t.Log("killed before it was in effect")
		a.network("remove", "m2")
	}
	if all := a.membersOf(); len(all) != 1 {
		t.Errorf("%v", all)
	}
	w.eventually(patience, "the removed one has no session", func() bool {
		st := a.status()
		for _, p := range st.Peers {
			if p.DID == b.DID {
				return false
			}
		}
		return true
	})
}

// A running node whose disk is full, or whose config is read-only, refuses a change of its
// network in one line that says why, is as it was, and can make it once there is room.
func TestNetworkOnAFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	for name, c := range map[string]struct{ bad, good, said string }{
		"full":      {`fill`, `free`, "no space left on device"},
		"read-only": {`mount --bind "$D" "$D"; mount -o remount,ro,bind "$D"`, `umount "$D"`, "read-only file system"},
	} {
		w.subtest(name, func(t *testing.T) {
			r := w.finish(w.script(w.A, "net-"+name, `
mount -o remount,size=2m "$D"
net() { "$L" network "$@" --config "$D/n.toml" --socket "$S/n.sock"; }
S=$(mktemp -d)
"$L" init --config "$D/n.toml" --interface "fd${#D}" > /dev/null
net create home --prefix 10.20.0.0/16 --name one > /dev/null 2>&1
"$L" up --config "$D/n.toml" --socket "$S/n.sock" > "$S/log" 2>&1 &
n=0
until "$L" status --socket "$S/n.sock" > /dev/null 2>&1; do n=$((n+1)); [ $n -lt 150 ] || { cat "$S/log" >&2; exit 98; }; sleep 0.1; done
`+c.bad+`
code=0
net grant all one tcp:22 || code=$?
! net revoke all one tcp:22 2> /dev/null || code=97
`+c.good+`
net log | grep -c "head 2" > /dev/null && code=96
net grant all one tcp:22 > /dev/null || code=95
"$L" down --socket "$S/n.sock" || code=94
exit $code`))
			if r.code != 1 || r.out != "" || !strings.Contains(r.errs, c.said) || strings.Count(r.errs, "\n") != 1 || !strings.HasPrefix(r.errs, "l2tun: ") {
				t.Errorf("%+v", r)
			}
		})
	}
}
