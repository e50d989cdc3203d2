package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/test/faults"
)

// Names that can be host names get their overlay addresses, IPv4 first; the file
// gets a block, follows the config, and is as before in the end.
func TestHosts(t *testing.T) {
	path := initConfig(t)
	must(t, "peer", "add", peerDID(1), "--name", "NAS", "--allowed-ip", "192.168.7.0/24", "--allowed-ip", "10.9.0.2/32", "--config", path)
	must(t, "peer", "add", peerDID(2), "--name", "my phone", "--config", path)
	must(t, "peer", "add", peerDID(3), "--config", path)
	d, _ := did.Parse(peerDID(1))
	lines := "10.9.0.2\tnas\n" + d.Addr().String() + "\tnas\n"
	out, errs, code := l2tun(t, "hosts", "--config", path)
	if code != 0 || out != lines || errs != "l2tun: \"my phone\" is not a host name and is left out\n" {
		t.Error(code, out, errs)
	}
	file := filepath.Join(t.TempDir(), "hosts")
	os.WriteFile(file, []byte("127.0.0.1 localhost\n"), 0o644)
	text := func() string { b, _ := os.ReadFile(file); return string(b) }
	if out, _, code := l2tun(t, "hosts", "--write", "--file", file, "--config", path); code != 0 || out != "the names of the peers written to "+file+"\n" || !strings.Contains(text(), lines) {
		t.Error(code, out, text())
	}
	m := &target{place: place{config: path, configSet: true}}
	if err := m.find(); err != nil {
		t.Fatal(err)
	}
	must(t, "peer", "set", "NAS", "--name", "attic", "--config", path)
	if err := m.refreshHosts(file); err != nil || !strings.Contains(text(), "10.9.0.2\tattic\n") {
		t.Error(err, text())
	}
	if got := must(t, "hosts", "--remove", "--file", file, "--config", path); got != "the names of the peers removed from "+file+"\n" || text() != "127.0.0.1 localhost\n" {
		t.Error(got, text())
	}
	refused(t, exitUsage, "--write or --remove, not both", "hosts", "--write", "--remove", "--config", path)
}

// The name in a link, which its author chose, takes no host of the Internet
// over, where names of peers are host names.
func TestALinkTakesNoHostName(t *testing.T) {
	path := initConfig(t)
	file := filepath.Join(t.TempDir(), "hosts")
	os.WriteFile(file, []byte("127.0.0.1 localhost\n"), 0o644)
	o := &JoinOptions{target: &target{place: place{config: path, configSet: true}}}
	if err := o.find(); err != nil {
		t.Fatal(err)
	}
	l := invite.Link{Name: "Bank.example"}
	if why := o.nameDoubt(l, file); why != "" {
		t.Error("without names in the file:", why)
	}
	must(t, "hosts", "--write", "--file", file, "--config", path)
	why := o.nameDoubt(l, file)
	if why == "" || !strings.Contains(asks(l, nil, why), "Bank.example   <- every program here") {
		t.Error("not said")
	}
	kept := o.nameDoubt(invite.Link{Name: "nas"}, file) == "" && o.nameDoubt(invite.Link{Name: "my. phone"}, file) == ""
	if o.Name = "bank"; !kept || o.nameDoubt(l, file) != "" {
		t.Error("a name that is no such is refused")
	}
	faults.Report(t, "S43", why != "" && kept, "a link that calls its node Bank.example: %s; refused without --yes or --name, nas is not", why)
}
