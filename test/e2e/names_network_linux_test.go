package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// A member of a network is known by the name that the network gives, with and without the
// network's, and is not any more once it is removed.
func TestNamesOfANetwork(t *testing.T) {
	t.Parallel()
	n := newNamed(t, "auto")
	n.b.down()
	n.must(n.A, "network", "create", "home", "--prefix", "10.8.0.0/24", "--config", n.a.Config)
	n.a.up()
	n.by("hosts")
	var made struct{ Link string }
	n.ok(json.Unmarshal([]byte(n.must(n.A, "network", "invite", "--json", "--config", n.a.Config, "--socket", n.a.Socket, "--endpoint", n.a.endpoint4())), &made))
	c := n.unmade(n.R)
	n.must(n.R, "join", made.Link, "--yes", "--name", "attic", "--config", c.Config, "--socket", c.Socket, "--interface", c.Interface)
	for _, name := range []string{"attic.l2", "attic.home.l2"} {
		n.eventually(patience, name, func() bool { return strings.Contains(n.in("getent", "ahostsv4", name).out, "10.8.0.") })
	}
	if got := n.a.status().Names; got.Own == "" || len(got.Clashes) != 0 {
		t.Errorf("%+v", got)
	}
	n.must(n.A, "network", "remove", "attic", "--config", n.a.Config, "--socket", n.a.Socket)
	n.eventually(patience, "the name of a removed member leads nowhere", func() bool { return n.in("getent", "hosts", "attic.l2").code != 0 })
	n.a.down()
	n.same("after down")
}
