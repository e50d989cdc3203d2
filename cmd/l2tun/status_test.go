package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func twoPeers() control.Status {
	return control.Status{Version: 1, Program: control.Program(), Interface: "l2tun0", DID: "did:a", Addresses: []string{"fd00::1/128", "10.9.0.1/24"},
		Listen: "[::]:4242", Health: []control.Finding{}, Misrouted: []control.Misrouted{}, Host: control.Host{LastRepaired: []string{}, Missing: []string{}, Taken: []control.Taken{}}, Peers: []control.Peer{
			{DID: "did:b", Name: "bob", Addresses: []string{"10.9.0.2", "fd00::2"}, AllowedIPs: []string{"10.9.0.2/32", "192.168.7.0/24", "fd00::2/128"}, State: "established", Link: "quic", Carrier: "direct", Endpoint: "192.0.2.1:4242", SeenAs: "198.51.100.7:4242",
				Path: control.Path{Room: 1452}, MTU: 1420, Suite: "AES-256-GCM", Epoch: 3,
				Rekeyed: control.Rekeyed{Handshakes: 4, HandshakeAgeMS: 3_672_900}, RTTMS: 1.25, Traffic: control.Traffic{RxBytes: 1268777, TxBytes: 864256, RxPackets: 5, TxPackets: 6}, Waiting: control.Waiting{Queued: 1, Messages: 2, MessageBytes: 1229},
				Dropped: map[string]uint64{"replayed": 2, "bad_source": 1}, Trouble: control.Trouble{Obstacles: []control.Obstacle{}, Duplicates: []string{}}},
			{DID: "did:c", Addresses: []string{"fd00::3"}, AllowedIPs: []string{"fd00::3/128"}, State: "failed", Reason: "timeout", Endpoint: "c.example:1", Dropped: map[string]uint64{}, Trouble: control.Trouble{Obstacles: []control.Obstacle{}, Duplicates: []string{}}},
		}}
}

func TestStatusForPeople(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	want := `interface: l2tun0
  did: did:a
  addresses: 10.9.0.1/24, fd00::1/128
  listening on: [::]:4242

peer: did:b
  name: bob
  addresses: 10.9.0.2, fd00::2
  allowed ips: 10.9.0.2/32, 192.168.7.0/24, fd00::2/128
  state: established
  endpoint: 192.0.2.1:4242
  public address (as seen by peer): 198.51.100.7:4242
  transport: udp-direct (link quic, carrier direct)
  round trip: 1.2 ms
  mtu: 1420 (max record size 1452 bytes)
  latest handshake: 1 hour, 1 minute, 12 seconds ago
  keys: AES-256-GCM, epoch 3
  transfer: 1.2 MiB received, 844 KiB sent
  waiting: 1 packet, 2 messages (1.2 KiB)
  dropped: 1 bad_source, 2 replayed

peer: did:c
  addresses: fd00::3
  allowed ips: fd00::3/128
  state: failed (timeout)
  endpoint: c.example:1
`
	if d := cmp.Diff(want, must(t, "status", "--long", "--socket", socket)); d != "" {
		t.Error(d)
	}
}

// The peer dialled by TCP: nobody listens on that port, and it says so.
func TestInboundEndpointIsMarked(t *testing.T) {
	s := control.Status{Peers: []control.Peer{{DID: "did:d", State: "established", Link: "utcp", Carrier: "utcp",
		Endpoint: "192.0.2.2:51234", Path: control.Path{Inbound: true, Room: 65664}, MTU: 1420}}}
	var b bytes.Buffer
	printStatus(newPrinter(IO{Out: &b}), &s)
	want := `
peer: did:d
  state: established
  endpoint: 192.0.2.2:51234 (inbound)
  transport: tcp (link utcp, carrier utcp)
  mtu: 1420 (max record size 65664 bytes)
`
	if !strings.HasSuffix(b.String(), want) {
		t.Error(b.String())
	}
}

func TestStatusJSONIsWhatTheNodeSaid(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	var got control.Status
	if err := json.Unmarshal([]byte(must(t, "status", "--socket", socket, "--json")), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(twoPeers(), got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	for _, colour := range []bool{false, true} {
		var b bytes.Buffer
		s := twoPeers()
		printStatus(newPrinter(IO{Out: &b, Color: colour}), &s)
		if got := strings.Contains(b.String(), "\x1b["); got != colour {
			t.Error(colour, b.String())
		}
	}
}

func TestAnOlderNodeIsPointedOut(t *testing.T) {
	s := twoPeers()
	s.Program = "l2tun 0.0.1"
	socket := (&fakeNode{status: s}).start(t)
	_, errs, code := l2tun(t, "status", "--socket", socket)
	if code != 0 || errs != "l2tun: the node is l2tun 0.0.1 and this is "+control.Program()+"; restart the node\n" {
		t.Error(code, errs)
	}
}

func TestWithoutANodeOneSentence(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.sock")
	path := initConfig(t) // interface l2test0
	for _, cmd := range []string{"status", "down", "rotate", "receive", "events"} {
		refused(t, 1, "no node runs (no socket at "+none+")", cmd, "--socket", none)
		refused(t, 1, "no node runs for interface l2none0 (no socket at "+noDir+"/l2none0.sock"+")", cmd, "-i", "l2none0")
		refused(t, 1, "no node runs for interface l2test0 (no socket at "+noDir+"/l2test0.sock"+")", cmd, "--config", path)
		refused(t, exitUsage, none+": no such file; l2tun init --config "+none+" makes one", cmd, "--config", none)
	}
}

func TestAgo(t *testing.T) {
	for ms, want := range map[int64]string{0: "now", 1000: "1 second ago", 90_061_000: "1 day, 1 hour, 1 minute, 1 second ago"} {
		s := control.Status{Peers: []control.Peer{{Rekeyed: control.Rekeyed{Handshakes: 1, HandshakeAgeMS: ms}}}}
		var b bytes.Buffer
		printStatus(newPrinter(IO{Out: &b}), &s)
		if !strings.Contains(b.String(), "latest handshake: "+want+"\n") {
			t.Error(b.String())
		}
	}
}

// What the guide tells people to look for in status is there by that name.
func TestGuideNamesTheLinesOfStatus(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(guide)), " ")
	var out bytes.Buffer
	all := twoPeers()
	printStatus(newPrinter(IO{Out: &out}), &all)
	labels := regexp.MustCompile("has `([^`]+): [0-9.]+:4242`").FindAllStringSubmatch(words, -1)
	if len(labels) == 0 {
		t.Fatal("the guide names no line")
	}
	for _, label := range labels {
		if !strings.Contains(out.String(), label[1]+": ") {
			t.Errorf("%q is not in status --long", label[1])
		}
	}
}

// A peer is named as on the host, too.
func TestStatusOfAPeerByItsNameOnTheHost(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	for _, who := range []string{"bob", "bob.l2", "BOB.l2."} {
		if out := must(t, "status", who, "--socket", socket); !strings.Contains(out, "did:b") || strings.Contains(out, "did:c") {
			t.Errorf("%s: %s", who, out)
		}
	}
	refused(t, exitUsage, `there is no peer "eve.l2" (DID, name or overlay address); l2tun status lists the peers`, "status", "eve.l2", "--socket", socket)
}

func TestNamesInTheLongStatus(t *testing.T) {
	for want, n := range map[string]control.Names{
		"":    {},
		"off": {Mode: "off"},
		"by systemd-resolved, this node is pc.l2, DNS at 127.108.50.53:53": {Mode: "auto", By: "resolved", Own: "pc", Server: "127.108.50.53:53"},
		"by /etc/hosts, DNS by the node of l2b":                            {Mode: "auto", By: "hosts", ServedBy: "l2b"},
		"not known to other programs (the node is not root's)":             {Mode: "auto", Reason: "the node is not root's"},
	} {
		if got := namesLine(&n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
