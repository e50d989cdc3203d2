package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/join"
	"github.com/libertaria-project/l2tun/internal/show/doctor"
)

// addressed is a config with an IPv4 network.
func addressed(t *testing.T) (path, none string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "n.toml")
	must(t, "init", "--config", path, "--interface", "l2test0", "--address", "10.9.0.1/24")
	return path, filepath.Join(dir, "none.sock")
}

func TestInvitePrintsTheLinkAlone(t *testing.T) {
	path, none := addressed(t)
	out, errs, code := l2tun(t, "invite", "bob", "--config", path, "--socket", none, "--endpoint", "192.0.2.1:4242", "--as", "office")
	if code != 0 || strings.Count(out, "\n") != 1 {
		t.Fatal(code, out, errs)
	}
	l, err := invite.Parse(out)
	if err != nil || l.Name != "office" || l.Address.String() != "10.9.0.2/24" || len(l.Allowed) != 1 || l.Allowed[0].String() != "10.9.0.1/32" {
		t.Error(l, err)
	}
	for _, want := range []string{"Invitation " + l.ID + " for bob (10.9.0.2/24): single use, valid 1 day (until ", "), endpoints 192.0.2.1:4242.\n", `run "l2tun join"`, "This node is not running"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q lacks %q", errs, want)
		}
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(must(t, "invite", "list", "--config", path, "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0]["id"] != l.ID || list[0]["state"] != "open" || list[0]["program"] != control.Program() {
		t.Error(list)
	}
	if got := must(t, "invite", "list", "--config", path); got != "ID        STATE  NAME  ADDRESS      EXPIRES  JOINED BY\n"+l.ID+"  open   bob   10.9.0.2/24  in 23h   -\n" {
		t.Errorf("%q", got)
	}
	if got := must(t, "invite", "remove", "--config", path, "bob"); got != "withdrawn "+l.ID+" (bob)\n" {
		t.Error(got)
	}
	if got := must(t, "invite", "list", "--config", path); got != "no invitations\n" {
		t.Error(got)
	}
	refused(t, exitUsage, `there is no invitation "`+l.ID+`"; l2tun invite list shows them`, "invite", "remove", "--config", path, l.ID)
}

func TestInviteJSONAndQRCode(t *testing.T) {
	path, none := addressed(t)
	args := []string{"invite", "--config", path, "--socket", none, "--endpoint", "192.0.2.1:4242"}
	var doc map[string]any
	if err := json.Unmarshal([]byte(must(t, append(args, "--json", "--no-address", "--allowed-ip", "192.168.7.0/24")...)), &doc); err != nil {
		t.Fatal(err)
	}
	if _, err := invite.Parse(doc["link"].(string)); err != nil || doc["version"] != 1.0 || doc["address"] != "" {
		t.Error(doc, err)
	}
	out, _, code := l2tun(t, append(args, "--qr")...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) < 20 || !strings.HasPrefix(lines[len(lines)-1], "l2tun:join?") {
		t.Error(code, out)
	}
	for _, line := range lines[:len(lines)-1] {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("the code is %d columns wide", n)
		}
	}
}

// What would be refused when a node comes is refused when it is promised.
func TestInvitationsThatCannotBeKept(t *testing.T) {
	path, none := addressed(t)
	must(t, "peer", "add", "--config", path, "--socket", none, peerDID(1), "--name", "alice", "--allowed-ip", "10.9.0.2/32")
	base := []string{"invite", "--config", path, "--socket", none, "--endpoint", "192.0.2.1:4242"}
	if _, errs, code := l2tun(t, append(base, "carol")...); code != 0 {
		t.Fatal(errs)
	}
	before, _ := os.ReadFile(invite.NewStore(path).Path())
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, path + ": peer.name: the name \"alice\" is taken", []string{"alice"}},
		{exitUsage, `the name "carol" is in invitation`, []string{"carol"}},
		{exitUsage, path + ": peer.allowed_ips: 10.9.0.2/32 belongs to the peer of line", []string{"--address", "10.9.0.2/24"}},
		{exitUsage, "10.9.0.3/32 is in invitation", []string{"--address", "10.9.0.3/24"}},
		{exitUsage, path + ": peer.allowed_ips: 10.9.0.1/32 is this node's own address", []string{"--address", "10.9.0.1/24"}},
		{exitUsage, `--address: "10.9.0.9" is not an address with its network's length`, []string{"--address", "10.9.0.9"}},
		{exitUsage, path + ": peer.allowed_ips", []string{"--allowed-ip", "0.0.0.0/0"}},
		{exitUsage, "the invitation: peer.allowed_ips", []string{"--route", "0.0.0.0/0"}},
		{exitUsage, "the invitation: peer.endpoints", []string{"--endpoint", "nowhere"}},
		{exitUsage, "the invitation: peer.name", []string{"--as", "did:x"}},
		{exitUsage, "--expires 1s: choose 1m to 30d", []string{"--expires", "1s"}},
		{exitUsage, "--expires 31 days: choose 1m to 30d", []string{"--expires", "31d"}},
		{exitUsage, `--expires: "7" has no unit: write 7s, 7m or 7h`, []string{"--expires", "7"}},
		{exitUsage, `--expires: "soon" is not a duration, such as 30s, 5m or 2h`, []string{"--expires", "soon"}},
		{exitUsage, `--route: "192.168.7" is not a network`, []string{"--route", "192.168.7"}},
		{exitUsage, "--endpoint 127.0.0.1:4242: 127.0.0.1 is a loopback address and is not dialled", []string{"--endpoint", "127.0.0.1:4242"}},
		{exitUsage, "--address and --no-address exclude each other", []string{"--address", "10.9.0.9/24", "--no-address"}},
		{exitUsage, "l2tun invite takes at most one name", []string{"a", "b"}},
	} {
		out, errs, code := l2tun(t, append(base, c.args...)...)
		if code != c.code || out != "" || !strings.HasPrefix(errs, "l2tun: "+c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, want %d, %q", c.args, code, errs, c.code, c.want)
		}
	}
	if after, _ := os.ReadFile(invite.NewStore(path).Path()); !bytes.Equal(before, after) {
		t.Errorf("%s", after)
	}
}

func TestTextsThatAreNoLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "n.toml")
	own, none := addressed(t)
	link, _, _ := l2tun(t, "invite", "--config", own, "--socket", none, "--endpoint", "192.0.2.1:4242")
	link = strings.TrimSpace(link)
	for text, want := range map[string]string{
		"hello":                                "a link begins with l2tun:join?",
		link[:len(link)-4]:                     "the link is damaged or was altered; copy the whole of it again",
		strings.Replace(link, "192", "193", 1): "the link is damaged or was altered",
	} {
		out, errs, code := l2tun(t, "join", "--config", path, text)
		if code != exitUsage || out != "" || !strings.HasPrefix(errs, "l2tun: not an invitation: "+want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%d %q %q", code, out, errs)
		}
	}
	_, errs, code := l2tun(t, "join", "--config", own, link)
	if code != 1 || errs != "l2tun: this node made the invitation itself; take it to another one\n" {
		t.Error(code, errs)
	}
	if all, _ := os.ReadDir(dir); len(all) != 0 {
		t.Error("something was made")
	}
}

// A link is read from standard input too, in as many lines as copying made of it.
func TestLinkIsReadUntilItIsWhole(t *testing.T) {
	own, none := addressed(t)
	link, _, _ := l2tun(t, "invite", "--config", own, "--socket", none, "--endpoint", "192.0.2.1:4242")
	for _, text := range []string{link, link[:50] + "\n" + link[50:] + "more that is not read", "'" + strings.TrimSpace(link) + "'"} {
		o := &JoinOptions{IO: IO{In: strings.NewReader(text), Err: &bytes.Buffer{}}}
		if l, err := o.link(nil); err != nil || l.Text() != strings.TrimSpace(link) {
			t.Error(l, err)
		}
	}
	o := &JoinOptions{IO: IO{In: strings.NewReader(""), Err: &bytes.Buffer{}}}
	if _, err := o.link(nil); exitCode(err) != exitUsage {
		t.Error(err)
	}
}

func TestInvitationsAreFoundByName(t *testing.T) {
	now := time.Now()
	later, before := now.Add(49*time.Hour), now.Add(-time.Hour)
	all := []invite.Invitation{{ID: "00000001", Name: "a", Expires: before}, {ID: "00000002", Name: "a", Expires: later},
		{ID: "00000003", Name: "b", Expires: before}, {ID: "00000004", Name: "b", Expires: later, Joined: true}, {ID: "00000005", Expires: later}}
	for name, want := range map[string]string{"a": "00000002", "00000001": "00000001", "00000005": "00000005", "c": "", "": "",
		"b": ""} {
		i, err := which(all, name, now)
		if i.ID != want || (err == nil) != (want != "") {
			t.Errorf("%q: %v %v", name, i.ID, err)
		}
	}
	if _, err := which(all, "b", now); err.Error() != `there are 2 invitations for "b": 00000003, 00000004; say which by its id` {
		t.Error(err)
	}
	if got := expires(later, now); got != "in 2 days" {
		t.Error(got)
	}
}

func TestOpenInvitationsAreCompleted(t *testing.T) {
	path, none := addressed(t)
	link, _, _ := l2tun(t, "invite", "--config", path, "--socket", none, "--endpoint", "192.0.2.1:4242")
	l, err := invite.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := l2tun(t, "__complete", "invite", "remove", "--config", path, ""); !strings.HasPrefix(got, l.ID+"\n:4\n") {
		t.Error(got)
	}
	if config.KeyPath(path) == invite.NewStore(path).Path() {
		t.Error("key and invitations share a file")
	}
}

// A node that has joined offers no address of a network that it did not found: those
// of the founder and of its other peers look free here.
func TestJoinedNodeGivesNoAddresses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "n.toml")
	berlin, err := did.Parse(peerDID(1))
	if err != nil {
		t.Fatal(err)
	}
	p, err := config.PrepareJoin(config.JoinSpec{Init: config.InitSpec{Path: path, Interface: "l2test0"}, Address: netip.MustParsePrefix("10.9.0.2/24"),
		Peer: config.PeerSpec{DID: berlin, Name: "berlin", Endpoints: []string{"203.0.113.7:4242"}, AllowedIPs: []string{"10.9.0.0/24"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Cancel()
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	invites := []string{"invite", "phone", "--config", path, "--socket", filepath.Join(dir, "none.sock"), "--endpoint", "192.0.2.1:4242"}
	refused(t, 1, "this node did not found 10.9.0.0/24; ask berlin for an invitation, or give --address", invites...)
	text, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(text, []byte("\nassigned = \"10.9.0.2/24\"\n")) {
		t.Fatalf("%v\n%s", err, text)
	}
	// Whatever is known of the founder: what a peer has is not free.
	if err := os.WriteFile(path, bytes.Replace(text, []byte("assigned ="), []byte("# assigned ="), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, 1, "no address of 10.9.0.0/24 is free: 10.9.0.0/24 belongs to berlin; give --address, or --no-address for none", invites...)
	if _, errs, code := l2tun(t, append(invites, "--address", "10.9.0.77/24")...); code != 0 {
		t.Error(errs)
	}
}

// What --route promises, the config permits and the person is told what is missing.
func TestInviteWithARouteLetsPeersIn(t *testing.T) {
	path, none := addressed(t)
	args := []string{"invite", "--config", path, "--socket", none, "--endpoint", "192.0.2.1:4242"}
	out, errs, code := l2tun(t, append(args, "--route", "192.168.50.0/24", "--route", "10.9.0.0/24")...)
	l, err := invite.Parse(out)
	if code != 0 || err != nil || len(l.Allowed) != 3 || !strings.Contains(errs, "Added [[route]] 192.168.50.0/24 to "+path+": all peers may send to that network.\n") || strings.Contains(errs, "[[route]] 10.9") {
		t.Error(code, errs, err)
	}
	c, err := config.Load(path)
	if err != nil || len(c.Routes) != 1 || c.Routes[0].String() != "192.168.50.0/24" {
		t.Error(c, err)
	}
	off := len(doctor.Unforwarded(c.Interface, c.Routes)) > 0
	if warned := strings.Contains(errs, "Warning: this host does not forward packets, so 192.168.50.0/24, 10.9.0.0/24 are not reachable through it; run: sysctl -w net.ipv4.ip_forward=1\n"); warned != off {
		t.Error(errs)
	}
	before, _ := os.ReadFile(path)
	if _, errs, code := l2tun(t, append(args, "--route", "127.0.0.0/8")...); code != exitUsage {
		t.Error(code, errs)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refused invitation has changed the config")
	}
}

// What peers see of a node goes into its links, but not the port of a TCP connection
// that the node dialled.
func TestInviteKnowsWherePeersSeeTheNode(t *testing.T) {
	path, _ := addressed(t)
	node := &fakeNode{status: control.Status{Version: control.StatusVersion, Peers: []control.Peer{
		{Link: "quic", SeenAs: "192.0.2.10:4242"}, {Link: "utcp", SeenAs: "192.0.2.77:50123"}, {Link: "quic", SeenAs: ""},
		{Link: "quic", SeenAs: "198.51.100.9:1001"}, {Link: "quic", SeenAs: "198.51.100.9:1002"}, // a NAT with a port for each peer
	}}}
	out, errs, code := l2tun(t, "invite", "--config", path, "--socket", node.start(t))
	l, err := invite.Parse(out)
	if code != 0 || err != nil || len(l.Endpoints) == 0 || l.Endpoints[0] != "192.0.2.10:4242" {
		t.Fatal(code, errs, l.Endpoints, err)
	}
	if strings.Contains(out, "192.0.2.77") || strings.Contains(out, "198.51.100.9") {
		t.Error(out)
	}
	if !strings.Contains(errs, "Note: 192.0.2.10:4242 is where peers see this node, not an address of this machine: its NAT or firewall must let that port in (UDP and TCP).\n") ||
		strings.Contains(errs, "not running") {
		t.Error(errs)
	}
	private := invite.Link{Endpoints: []string{"192.168.2.30:4242", "100.64.0.1:4242"}}
	if got := (&InviteOptions{}).reach(private); len(got) != 1 || !strings.HasPrefix(got[0], "Note: these addresses are private, so the link works on this network only") {
		t.Error(got)
	}
}

// An invitation names the hubs of the node that makes it.
func TestInviteNamesHubs(t *testing.T) {
	path, none := addressed(t)
	must(t, "peer", "add", "--config", path, "--socket", none, peerDID(9), "--name", "nas", "--endpoint", "192.0.2.9:4242", "--hub")
	out, errs, code := l2tun(t, "invite", "bob", "--config", path, "--socket", none, "--endpoint", "192.0.2.1:4242")
	l, err := invite.Parse(out)
	if code != 0 || err != nil || len(l.Hubs) != 1 || l.Hubs[0].Name != "nas" || l.Hubs[0].DID.String() != peerDID(9) || l.Hubs[0].Endpoints[0] != "192.0.2.9:4242" {
		t.Fatalf("%d %v %+v", code, err, l)
	}
	if !strings.Contains(errs, "The link names the hub nas, which helps the two to meet once both are its peers. It does not pass the join on: hub nas does not answer at 192.0.2.9:4242: ") {
		t.Error(errs)
	}
	for want, h := range map[string]join.Deposited{
		"The hub nas passes the join on, takes the new peer too, and helps the two to meet.": {Hub: l.Hubs[0]},
		"(invites = true)": {Hub: l.Hubs[0], Forbidden: true},
	} {
		if text := aboutHub(h); !strings.Contains(text, want) || len(passing([]join.Deposited{h})) == 1 == h.Forbidden {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	if text := asks(l, nil, ""); !strings.Contains(text, "  hub          nas "+peerDID(9)+" at 192.0.2.9:4242, helps to reach it\n") {
		t.Error(text)
	}
}
