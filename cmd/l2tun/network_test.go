package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
)

// netNode is a node that does not run, with a network of its own. at are the flags that name
// it.
func netNode(t *testing.T) (path string, at []string, made created) {
	t.Helper()
	path = initConfig(t)
	at = []string{"--config", path, "--socket", filepath.Join(filepath.Dir(path), "none.sock")}
	out := must(t, append([]string{"network", "create", "home", "--prefix", "10.20.0.0/16", "--name", "one", "--json"}, at...)...)
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	return path, at, made
}

// A network is made, changed and looked at where no node runs; the config says only that it
// is there, and the recovery key is nowhere but in what was printed.
func TestNetworkWithoutANode(t *testing.T) {
	path, at, made := netNode(t)
	run := func(want string, args ...string) string {
		t.Helper()
		out := must(t, append(args, at...)...)
		if !strings.Contains(out, want) {
			t.Errorf("%q: %q, want %q", args, out, want)
		}
		return out
	}
	if made.Name != "home" || made.Self != "one" || !made.Hub || !strings.HasPrefix(made.Recovery, "l2tun-key-v1 ") || !strings.HasPrefix(made.Address, "10.20.") {
		t.Errorf("%+v", made)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "id = \""+made.ID+"\"") || !strings.Contains(string(text), "relay = \"network\"") {
		t.Errorf("%v\n%s", err, text)
	}
	secret := strings.Fields(made.Recovery)[1]
	filepath.Walk(filepath.Dir(path), func(p string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			if b, _ := os.ReadFile(p); strings.Contains(string(b), secret) {
				t.Errorf("the recovery key is in %s", p)
			}
		}
		return nil
	})
	var members []control.Member
	if err := json.Unmarshal([]byte(run("one", "network", "members", "--json")), &members); err != nil || len(members) != 1 || !members[0].Admin || !members[0].Hub {
		t.Errorf("%+v, %v", members, err)
	}
	run("granted all -> one tcp:22,tcp:443", "network", "grant", "all", "one", "tcp:443,tcp:22")
	run("granted no more", "network", "revoke", "all", "one", "tcp:22,tcp:443")
	run("tcp:22; no member is called later, l2tun network rename gives the name\n", "network", "grant", "all", "later", "tcp:22")
	run("granted no more", "network", "revoke", "all", "later", "tcp:22")
	run("one is a member until", "network", "extend", "one", "90d")
	run("one is a member without an end", "network", "extend", "one", "forever")
	run("one is called first", "network", "rename", "one", "first")
	var link struct{ Link string }
	if err := json.Unmarshal([]byte(run("", "network", "invite", "--uses", "9", "--for", "1h", "--group", "laptop", "--endpoint", "192.0.2.1:4242", "--json")), &link); err != nil {
		t.Fatal(err)
	}
	if l, err := invite.Parse(link.Link); err != nil || l.Network != made.ID || l.Called != "home" {
		t.Errorf("%+v, %v", l, err)
	}
	run("0 of 9 into a network", "invite", "list")
	if lines := strings.Count(run("signed by first: head 5", "network", "log"), "\n"); lines != 9 {
		t.Errorf("%d lines in the log", lines)
	}
}

// What is wrong is one sentence, and changes nothing.
func TestNetworkCommandsRefuse(t *testing.T) {
	path, at, _ := netNode(t)
	head := filepath.Join(t.TempDir(), "head")
	if _, errs, code := l2tun(t, append([]string{"network", "grant", "all", "one", "tcp:9", "--draft", head}, at...)...); code != exitOK {
		t.Fatal(errs)
	}
	before, _ := os.ReadFile(path)
	no := func(code int, want string, args ...string) {
		t.Helper()
		out, errs, got := l2tun(t, append(args, at...)...)
		if got != code || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("%q: exit %d, want %d: %s%s", args, got, code, out, errs)
		}
	}
	no(exitUsage, "in a network home already", "network", "create", "home")
	no(exitUsage, "capital letters", "network", "create", "Home")
	no(exitUsage, "is not a network", "network", "create", "other", "--prefix", "10.20.0.1/16")
	no(exitUsage, `no network "other"`, "network", "invite", "--network", "other")
	no(exitUsage, "choose 1 to 256", "network", "invite", "--uses", "0")
	no(exitUsage, "choose 1m to 30d", "network", "invite", "--for", "31d")
	no(exitUsage, "capital letters", "network", "invite", "--group", "Big")
	no(exitUsage, `no member "phone"`, "network", "remove", "phone")
	no(exitUsage, "hyphens only", "network", "rename", "one", "a b")
	no(exitUsage, "no such grant", "network", "revoke", "all", "one", "tcp:1")
	no(exitUsage, "no hash of a head", "network", "trust", head, "0000")
	no(exitUsage, "above zero", "network", "invite", "--member-for=-1h")
	no(exitUsage, "too small", "network", "create", "other", "--prefix", "10.30.0.0/31")
	no(exitUsage, "has 10.20.0.0/16 already", "network", "create", "other", "--prefix", "10.20.128.0/17")
	no(exitUsage, path+" is no document of a network: ", "network", "take", path)
	no(exitFailed, "this node itself", "network", "remove", "one")
	no(exitUsage, "is no time from now", "network", "extend", "one", "soon")
	no(exitUsage, "tcp", "network", "grant", "all", "one", "tcp")
	no(exitFailed, "a hub already", "network", "hub", "add", "one")
	none := filepath.Join(t.TempDir(), "none")
	no(exitUsage, "l2tun: there is no file "+none+"\n", "network", "take", none)
	no(exitUsage, "l2tun: there is no file "+none+"\n", "network", "trust", none, "0000")
	no(exitUsage, `l2tun: "-5d" is no time from now, such as 90d or 12h; forever has no end`+"\n", "network", "extend", "one", "-5d")
	no(exitUsage, "unknown shorthand flag: 'x' in -x", "network", "extend", "one", "-x")
	no(exitUsage, "no node \"phone\" waits", "network", "approve", "phone")
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the config has changed")
	}
	bare := initConfig(t)
	public := append([]string{"network", "create", "wide", "--prefix", "203.0.113.0/24"}, at...)
	if _, errs, code := l2tun(t, public...); code != exitOK || !strings.Contains(errs, "Note: 203.0.113.0/24 has public addresses.") {
		t.Errorf("%d %s", code, errs)
	}
	for _, c := range []string{"approve", "deny"} {
		if out := must(t, append([]string{"network", c}, at...)...); out != "no node waits\n" {
			t.Error(c, out)
		}
	}
	if _, errs, code := l2tun(t, "network", "sign", none, "--config", bare); code != exitUsage || errs != "l2tun: there is no file "+none+"\n" {
		t.Errorf("%d %s", code, errs)
	}
	if _, errs, code := l2tun(t, "network", "invite", "--config", bare, "--socket", bare+".sock"); code != exitUsage || !strings.Contains(errs, "this node is in no network") {
		t.Errorf("%d %s", code, errs)
	}
}

// A draft is signed by the recovery key, from standard input, on a machine without network,
// and taken.
func TestDraftIsSignedElsewhere(t *testing.T) {
	_, at, made := netNode(t)
	draft := filepath.Join(t.TempDir(), "draft")
	if _, errs, code := l2tun(t, append([]string{"network", "grant", "all", "all", "icmp", "--draft", draft}, at...)...); code != exitOK || !strings.Contains(errs, "l2tun network take") {
		t.Fatal(code, errs)
	}
	sign := func(line string) (string, int) {
		var out, errs strings.Builder
		code := run(t.Context(), []string{"network", "sign", draft, "--key", "--yes"}, IO{In: strings.NewReader(line + "\n"), Out: &out, Err: &errs}, nil)
		return out.String() + errs.String(), code
	}
	if said, code := sign("l2tun-key-v1 nonsense"); code != exitUsage || strings.Contains(said, "nonsense") {
		t.Errorf("%d %s", code, said)
	}
	if said, code := sign(made.Recovery); code != exitOK || !strings.Contains(said, "2 signatures") {
		t.Errorf("%d %s", code, said)
	}
	if said, code := sign(made.Recovery); code == exitOK || !strings.Contains(said, "has signed it already") {
		t.Errorf("%d %s", code, said)
	}
	must(t, append([]string{"network", "take", draft}, at...)...)
	if out := must(t, append([]string{"network", "log"}, at...)...); !strings.Contains(out, "head 2") {
		t.Error(out)
	}
}

// A key that was kept comes back as the same node, and never over another one.
func TestKeyIsKeptAndComesBack(t *testing.T) {
	path := initConfig(t)
	line := must(t, "key", "backup", "--config", path)
	id := must(t, "id", "--config", path)
	other := filepath.Join(t.TempDir(), "n.toml")
	restore := func(path, line string) (string, int) {
		var out, errs strings.Builder
		code := run(t.Context(), []string{"key", "restore", "--config", path}, IO{In: strings.NewReader(line), Out: &out, Err: &errs}, nil)
		return out.String() + errs.String(), code
	}
	if said, code := restore(other, line); code != exitOK || said != id {
		t.Errorf("%d %s", code, said)
	}
	if said, code := restore(other, line); code == exitOK {
		t.Errorf("%d %s", code, said)
	}
	if said, code := restore(filepath.Join(t.TempDir(), "n.toml"), "l2tun-key-v1 AAAA"); code != exitUsage || strings.Contains(said, "AAAA") {
		t.Errorf("%d %s", code, said)
	}
}
