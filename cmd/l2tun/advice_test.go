package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

// exists fails the test unless a command line is a command of the program with
// flags that it has. Its values may be placeholders.
func exists(t *testing.T, where, line string) {
	t.Helper()
	for _, stop := range []string{" | ", " > ", " && ", "; ", " #", " 2>", "  ", " \\"} {
		line, _, _ = strings.Cut(line, stop)
	}
	root := newRootCmd(IO{}, nil)
	words := strings.Fields(line)[1:]
	if len(words) > 0 && words[0] == "help" {
		words = words[1:]
	}
	c, rest, err := root.Find(words)
	if err != nil || c == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		t.Errorf("%s: %q is no command (%v)", where, line, err)
		return
	}
	if c.HasSubCommands() && c != root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && !c.Runnable() {
		t.Errorf("%s: %q is no command", where, line)
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	for _, word := range rest {
		name, _, _ := strings.Cut(strings.Trim(word, "[](),.:…"), "=")
		var f *pflag.Flag
		switch {
		case strings.HasPrefix(name, "--") && len(name) > 2:
			f = c.Flag(name[2:])
		case strings.HasPrefix(name, "-") && len(name) == 2:
			f = c.Flags().ShorthandLookup(name[1:])
			if f == nil {
				f = c.InheritedFlags().ShorthandLookup(name[1:])
			}
		default:
			continue
		}
		if f == nil {
			t.Errorf("%s: %q: %s has no flag %s", where, line, c.CommandPath(), name)
		}
	}
}

// Each command that a message, an advice or a document names is there.
func TestCommandsThatAreNamedExist(t *testing.T) {
	inText := regexp.MustCompile("(?m)`((?:sudo )?l2tun(?: [^`\n]*)?)`|^(?:\\s*[#$]? ?)(l2tun [^\n`]*)$")
	inCode := regexp.MustCompile(`"(?:sudo )?(l2tun [a-z][^"]*)`)
	count := 0
	for pattern, re := range map[string]*regexp.Regexp{"../../docs/troubleshooting.md": inText, "../../README.md": inText, "../../docs/guide.md": inText,
		"../../internal/show/health/*.go": inCode, "../../internal/show/doctor/*.go": inCode, "../../internal/app/node/*.go": inCode, "../../internal/app/config/*.go": inCode} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range re.FindAllStringSubmatch(string(text), -1) {
				line := strings.TrimPrefix(m[1], "sudo ")
				if line == "" && len(m) > 2 {
					line = m[2]
				}
				if line == "l2tun" || strings.HasPrefix(line, "l2tun id\" ") || prose(line) {
					continue
				}
				count++
				exists(t, filepath.Base(file), line)
			}
		}
	}
	if count < 50 {
		t.Errorf("only %d commands were found", count)
	}
}

// prose reports whether the second word is none of a command line.
func prose(line string) bool {
	word := strings.Fields(line)[1]
	return strings.Contains(word, "VERSION") || strings.Contains(word, "%") || slices.Contains([]string{"runs", "lists", "node", "quic", "port", "met"}, word)
}

// advised are all statuses that health has something to say of.
func advised(own did.DID, socket string) (all []*control.Status) {
	base := func(p control.Peer) *control.Status {
		p.DID, p.Name = peerDID(1), "nas"
		return &control.Status{Interface: "l2test0", DID: own.String(), Listen: "[::]:4242", Socket: socket,
			Addresses: []string{own.Addr().String() + "/128", "10.9.0.7/24"},
			Peers:     []control.Peer{p, {DID: peerDID(2), Name: "hub", State: "established", SeenAs: "198.51.100.10:4242", Local: "192.168.1.20:4242"}}}
	}
	for _, reason := range []string{"refused", "authentication_failed", "timeout", "transport_error", "protocol_violation", "key_rotation_timeout", "session_expired"} {
		all = append(all, base(control.Peer{State: "failed", Reason: reason, Endpoint: "192.0.2.1:4242"}))
	}
	for _, drop := range []string{"device", "too_big", "limit", "carrier"} {
		all = append(all, base(control.Peer{State: "established", Dropped: map[string]uint64{drop: 1000}}))
	}
	return append(all, base(control.Peer{State: "idle"}), base(control.Peer{State: "degraded", Waiting: control.Waiting{Queued: 2}}), base(control.Peer{State: "suspended"}))
}

// Each l2tun command of an advice runs as it is printed and does what it says: on
// this host with the running node, on the peer with the config that it has there.
func TestAdviceRunsAsPrinted(t *testing.T) {
	t.Chdir(t.TempDir()) // for bugreport
	path := initConfig(t)
	id, err := config.LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	node := &fakeNode{status: control.Status{Program: control.Program(), Interface: "l2test0", Config: path, Peers: []control.Peer{{DID: peerDID(1), Name: "nas", State: "established"}}}}
	socket := node.start(t)
	codes := make(map[string]bool)
	for _, s := range advised(id.DID(), socket) {
		for _, f := range health.Of(s) {
			codes[f.Code] = true
			if f.About != "nas" || f.Do == "" {
				t.Errorf("%+v", f)
			}
			for _, line := range f.Run {
				if !strings.HasPrefix(line, "l2tun ") {
					continue // another program's: end to end
				}
				os.RemoveAll("report")
				clean(t)
				args := strings.Fields(line)[1:]
				if args[0] == "doctor" {
					args = append(args, "--config", path, "--offline") // this test's network is the host's
				}
				if out, errs, code := l2tun(t, args...); code > 1 || strings.HasPrefix(errs, "l2tun: ") && code != 0 {
					t.Errorf("%s: %s: exit %d, %s%s", f.Code, line, code, out, errs)
				}
			}
			for _, line := range f.RunThere {
				peer := filepath.Join(t.TempDir(), "peer.toml")
				must(t, "init", "--config", peer)
				if strings.Contains(line, "peer set") { // it knows this node
					must(t, "peer", "add", id.DID().String(), "--config", peer)
				}
				out := must(t, append(strings.Fields(line)[1:], "--config", peer)...)
				c, err := config.Load(peer)
				if err != nil {
					t.Fatal(err)
				}
				p := c.Lookup(id.DID().String())
				switch f.Code {
				case health.Refused:
					if p == nil || p.AllowedIPs[0].String() != "10.9.0.7/32" {
						t.Errorf("%s: %+v", line, p)
					}
				case health.Waiting:
					if p == nil || len(p.Endpoints) != 1 || p.Endpoints[0] != "198.51.100.10:4242" {
						t.Errorf("%s: %+v", line, p)
					}
				case health.NotThePeer:
					if !strings.Contains(out, "did:     did:morpheus:") {
						t.Error(out)
					}
				default:
					t.Errorf("%s: %s is not checked", f.Code, line)
				}
			}
		}
	}
	for _, code := range []string{health.Refused, health.NotThePeer, health.Silent, health.Outage, health.Dropping, health.Waiting, health.Broken} {
		if !codes[code] {
			t.Errorf("%s is not provoked", code)
		}
	}
}

// clean removes what an earlier bugreport has left in the folder.
func clean(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		os.RemoveAll(f)
	}
}

// The identity of a node is replaced, the old key kept, and the command for the
// peers works there: the peer keeps name, endpoints and prefixes.
func TestANewIdentity(t *testing.T) {
	mine, theirs := initConfig(t), filepath.Join(t.TempDir(), "peer.toml")
	must(t, "init", "--config", theirs)
	old, err := config.LoadIdentity(mine)
	if err != nil {
		t.Fatal(err)
	}
	must(t, "peer", "add", old.DID().String(), "--name", "me", "--endpoint", "192.0.2.7:4242", "--allowed-ip", "10.9.0.7/32", "--config", theirs)
	out, errs, code := l2tun(t, "id", "--new", "--config", mine)
	now, err := config.LoadIdentity(mine)
	if err != nil || code != 0 || now.DID() == old.DID() || !strings.Contains(out, now.DID().String()) || !strings.Contains(errs, config.KeyPath(mine)+".old1") {
		t.Fatalf("%d %v %s%s", code, err, out, errs)
	}
	_, line, found := strings.Cut(errs, "On each peer run: ")
	line, _, _ = strings.Cut(line, "\n")
	if !found {
		t.Fatal(errs)
	}
	must(t, append(strings.Fields(line)[1:], "--config", theirs)...)
	c, err := config.Load(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Peers[0]; p.DID != now.DID() || p.Name != "me" || len(p.Endpoints) != 1 || p.AllowedIPs[0].String() != "10.9.0.7/32" {
		t.Errorf("%+v", p)
	}
}

// An invitation names the key of its node: with the key it goes, and with it the
// name and the address that it has promised. One that was used stays in the list.
func TestANewIdentityWithdrawsInvitations(t *testing.T) {
	path, none := addressed(t)
	base := []string{"--config", path, "--socket", none}
	invites := func(name string) {
		t.Helper()
		if _, errs, code := l2tun(t, append([]string{"invite", name, "--endpoint", "192.0.2.1:4242"}, base...)...); code != 0 {
			t.Fatal(errs)
		}
	}
	invites("carol")
	invites("dave")
	store := invite.NewStore(path)
	all, err := store.List()
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if err := store.Joined(all[1].ID); err != nil {
		t.Fatal(err)
	}
	_, errs, code := l2tun(t, append([]string{"id", "--new"}, base...)...)
	if code != 0 || !strings.Contains(errs, "Invitation "+all[0].ID+" (carol) was of the old key and is withdrawn") || strings.Contains(errs, "dave") {
		t.Error(code, errs)
	}
	left, err := store.List()
	if err != nil || len(left) != 1 || left[0].Name != "dave" {
		t.Error(left, err)
	}
	invites("carol") // the name is free again

	bare := initConfig(t)
	if _, errs, code := l2tun(t, "id", "--new", "--config", bare, "--socket", none); code != 0 {
		t.Fatal(errs)
	}
	if _, err := os.Stat(invite.NewStore(bare).Path()); !os.IsNotExist(err) {
		t.Error("a file was made for nothing", err)
	}
}
