package hostnames

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
)

const theirs = "127.0.0.1\tlocalhost\n10.0.0.1 router"

// ownEtc gives the test's thread a /etc of its own with these files. The thread ends with
// the test.
func ownEtc(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, who mounts")
	}
	runtime.LockOSThread()
	dir = t.TempDir()
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Skipf("needs a mount namespace: %v", err)
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount(dir, "/etc", "", unix.MS_BIND, ""))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// etc is a host whose programs ask systemd-resolved at its stub, or not.
func etc(stub bool) map[string]string {
	server := "192.0.2.53"
	if stub {
		server = "127.0.0.53"
	}
	return map[string]string{"hosts": theirs, "resolv.conf": "# a comment\nnameserver " + server + " # theirs\n", "nsswitch.conf": "passwd: files\nhosts: files dns\n",
		"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"} // dbus-daemon looks for its user
}

func order() control.NameOrder {
	return control.NameOrder{Mode: "auto", Interface: "l2a", Index: 7, Server: "127.108.50.53:1053", Zones: []string{"l2", "0.9.10.in-addr.arpa"},
		Hosts: []control.NamedAddr{{Name: "nas.l2", Address: "10.9.0.2"}}}
}

// newKeeper is one with a journal in a folder of the test's.
func newKeeper(t *testing.T) *keeper {
	t.Helper()
	j, err := openJournal(t.Context(), filepath.Join(t.TempDir(), "l2a.sock"))
	must(t, err)
	t.Cleanup(j.close)
	r := newResolved()
	r.check = func(string, int) error { return nil } // the link is the test's invention
	t.Cleanup(r.close)
	return &keeper{log: slog.New(slog.DiscardHandler), journal: j, resolved: r, hosts: new(hostsFile), order: order()}
}

func (k *keeper) known(t *testing.T, by, reason string) {
	t.Helper()
	if k.is.By != by || k.is.Reason != reason {
		t.Errorf("by %q because of %q, want %q because of %q", k.is.By, k.is.Reason, by, reason)
	}
	text, err := os.ReadFile(hosts.File)
	must(t, err)
	if there := strings.Contains(string(text), "\n10.9.0.2\tnas.l2\n"); there != (by == control.NamesByHosts) {
		t.Errorf("by %q: %s has\n%s", by, hosts.File, text)
	}
}

func unchanged(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{"hosts": theirs} {
		if text, err := os.ReadFile("/etc/" + name); string(text) != want || err != nil {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
}

// Without a bus names are in /etc/hosts; what others take out is put back and counted.
func TestNamesByHosts(t *testing.T) {
	dir := ownEtc(t, etc(true))
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "none"))
	k := newKeeper(t)
	k.apply(false)
	k.known(t, "hosts", "")
	k.apply(true)
	if k.is.PutBack != 0 {
		t.Error("nobody has taken anything out")
	}
	must(t, os.WriteFile(hosts.File, []byte(theirs), 0o644))
	k.apply(true)
	k.known(t, "hosts", "")
	if k.is.PutBack != 1 {
		t.Errorf("put back %d times", k.is.PutBack)
	}
	k.undo()
	unchanged(t)
	if _, err := os.Stat(k.journal.path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the journal is still there", err)
	}
	k.order.Mode = "resolved"
	k.apply(false)
	k.known(t, "", "systemd-resolved: not on this host")
	k.order.Mode = "off"
	k.apply(false)
	k.known(t, "", "")
}

// A process that was killed leaves a journal; what it names goes, and nothing else. One
// that lives is waited for.
func TestWhatAKilledProcessLeaves(t *testing.T) {
	dir := ownEtc(t, etc(true))
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "none"))
	k := newKeeper(t)
	socket := strings.TrimSuffix(k.journal.path, ".names") + ".sock"
	if undone, err := UndoLeft(t.Context(), socket); len(undone) != 0 || err != nil {
		t.Error(undone, err)
	}
	k.apply(false)
	k.known(t, "hosts", "")
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := UndoLeft(short, socket); err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("beside a process that lives: %v", err)
	}
	k.journal.close() // as the kernel does
	undone, err := UndoLeft(t.Context(), socket)
	if err != nil || len(undone) != 1 || undone[0] != "names in /etc/hosts" {
		t.Error(undone, err)
	}
	unchanged(t)

	must(t, os.WriteFile(k.journal.path, []byte("{"), 0o600))
	if _, err := UndoLeft(t.Context(), socket); err == nil {
		t.Error("garbage was taken for a journal")
	}
	must(t, os.WriteFile(k.journal.path, []byte("{}"), 0o600))
	must(t, os.Chmod(k.journal.path, 0o666))
	if _, err := UndoLeft(t.Context(), socket); err == nil {
		t.Error("a journal that others can write was taken")
	}
}

// An order that no node gives undoes what was known, and is told.
func TestAnOrderOfNoNodeUndoesAll(t *testing.T) {
	dir := ownEtc(t, etc(true))
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "none"))
	k := newKeeper(t)
	k.take(order())
	k.known(t, "hosts", "")
	bad := order()
	bad.Hosts[0].Name = "bank.example"
	k.take(bad)
	k.known(t, "", `the node orders what it may not: "bank.example" of "10.9.0.2" is no name of a node`)
	unchanged(t)
	k.apply(true) // the next look changes nothing
	unchanged(t)
	k.take(order())
	k.known(t, "hosts", "")
}

// A block that the end of the machine has left goes when names are known otherwise.
func TestABlockOfAnEarlierBootGoes(t *testing.T) {
	ownEtc(t, etc(true))
	bus := startBus(t)
	if _, err := hosts.Kept("l2a").Write(hosts.File, []hosts.Entry{{Address: "10.9.0.2", Name: "nas.l2"}}); err != nil {
		t.Fatal(err)
	}
	bus.own(t)
	k := newKeeper(t)
	k.hosts.node = "l2a" // as with the first order
	k.apply(false)
	k.known(t, "resolved", "")
	k.undo()
	unchanged(t)
}

// systemd-resolved is told to ask the node about its zones and about nothing else, without
// DNSSEC and DNS over TLS, again when it has started again or somebody has reverted the
// link; while it is away, or refuses, names are in /etc/hosts. In the end its link is as
// before.
func TestNamesByResolved(t *testing.T) {
	dir := ownEtc(t, etc(false))
	bus := startBus(t)
	k := newKeeper(t)
	k.apply(false)
	k.known(t, "hosts", "") // a bus without it
	r := bus.own(t)
	bus.wait(t, k)
	k.apply(false)
	k.known(t, "hosts", "systemd-resolved: it runs and is not in use: /etc/resolv.conf names other servers, and /etc/nsswitch.conf has no resolve")
	must(t, os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("nameserver 127.0.0.53\n"), 0o644))
	k.apply(true)
	k.known(t, "resolved", "")
	r.has(t, linkIs)
	calls := r.calls()
	if k.apply(true); r.calls() != calls || k.is.PutBack != 0 {
		t.Error("what is set was set again")
	}

	r.RevertLink(7) // by somebody
	k.apply(true)
	r.has(t, linkIs)
	if k.is.PutBack != 1 {
		t.Errorf("put back %d times", k.is.PutBack)
	}

	bus.leave(t)
	bus.wait(t, k)
	k.apply(false)
	k.known(t, "hosts", "")
	r = bus.own(t)
	bus.wait(t, k)
	k.apply(false)
	k.known(t, "resolved", "")
	r.has(t, linkIs)

	k.order.Zones = append(k.order.Zones, "1.9.10.in-addr.arpa")
	k.apply(false)
	r.has(t, strings.Replace(linkIs, "{0.9.10.in-addr.arpa true}", "{0.9.10.in-addr.arpa true} {1.9.10.in-addr.arpa true}", 1))

	k.order.Server, k.order.NoServer = "", "the node of l2b answers DNS on this host already"
	k.apply(false)
	k.known(t, "hosts", "systemd-resolved: the node of l2b answers DNS on this host already")
	r.has(t, "")

	k.order = order()
	r.manage(true)
	k.apply(false)
	k.known(t, "hosts", "systemd-resolved: SetLinkDNSSEC: Link l2a is managed.")
	r.manage(false)
	k.apply(false)
	k.known(t, "resolved", "")
	k.undo()
	r.has(t, "")
	unchanged(t)
}

// linkIs is what a link is set to.
const linkIs = "SetLinkDNSEx [{2 [127 108 50 53] 1053 }], SetLinkDNSOverTLS no, SetLinkDNSSEC no, SetLinkDefaultRoute false, SetLinkDomains [{l2 true} {0.9.10.in-addr.arpa true}], SetLinkLLMNR no, SetLinkMulticastDNS no"

// A bus is a D-Bus of the test's own, which is the system's for it.
type bus struct {
	t    *testing.T
	conn *dbus.Conn // of a systemd-resolved
}

func startBus(t *testing.T) *bus {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	must(t, os.WriteFile(config, []byte(`<busconfig><listen>unix:path=`+dir+`/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`), 0o600))
	c := exec.Command(daemon, "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	c.Stderr = os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	return &bus{t: t}
}

// own starts a systemd-resolved.
func (b *bus) own(t *testing.T) *standIn {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	must(t, err)
	b.conn = conn
	t.Cleanup(func() { conn.Close() })
	r := &standIn{set: make(map[string]string)}
	must(t, conn.Export(r, resolvedPath, resolvedName+".Manager"))
	must(t, conn.Export(properties{r}, resolvedPath+"/link/_37", "org.freedesktop.DBus.Properties"))
	if got, err := conn.RequestName(resolvedName, 0); err != nil || got != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(got, err)
	}
	return r
}

// leave ends it.
func (b *bus) leave(t *testing.T) {
	t.Helper()
	must(t, b.conn.Close())
}

// wait waits until the keeper has heard of that.
func (b *bus) wait(t *testing.T, k *keeper) {
	t.Helper()
	select {
	case <-k.resolved.news():
	case <-time.After(20 * time.Second):
		t.Fatal("nobody says that systemd-resolved comes or goes")
	}
}

// A standIn is the part of org.freedesktop.resolve1.Manager that is about links, with one
// of them.
type standIn struct {
	mu      sync.Mutex
	set     map[string]string
	domains []linkDomain
	n       int
	busy    bool // the link is another's
}

func (r *standIn) note(method string, index int32, value any) *dbus.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.busy {
		return dbus.NewError(resolvedName+".LinkBusy", []any{"Link l2a is managed."})
	}
	if index != 7 {
		return dbus.NewError(resolvedName+".NoSuchLink", []any{"no such link"})
	}
	r.set[method] = fmt.Sprint(value)
	return nil
}

func (r *standIn) SetLinkDNSEx(i int32, v []linkServer) *dbus.Error {
	return r.note("SetLinkDNSEx", i, v)
}
func (r *standIn) SetLinkDefaultRoute(i int32, v bool) *dbus.Error {
	return r.note("SetLinkDefaultRoute", i, v)
}
func (r *standIn) SetLinkDNSSEC(i int32, v string) *dbus.Error { return r.note("SetLinkDNSSEC", i, v) }
func (r *standIn) SetLinkDNSOverTLS(i int32, v string) *dbus.Error {
	return r.note("SetLinkDNSOverTLS", i, v)
}
func (r *standIn) SetLinkLLMNR(i int32, v string) *dbus.Error { return r.note("SetLinkLLMNR", i, v) }
func (r *standIn) SetLinkMulticastDNS(i int32, v string) *dbus.Error {
	return r.note("SetLinkMulticastDNS", i, v)
}

func (r *standIn) SetLinkDomains(i int32, v []linkDomain) *dbus.Error {
	err := r.note("SetLinkDomains", i, v)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.domains = v
	return err
}

func (r *standIn) RevertLink(i int32) *dbus.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.set)
	r.domains = nil
	return nil
}

func (r *standIn) GetLink(i int32) (dbus.ObjectPath, *dbus.Error) {
	return resolvedPath + "/link/_37", nil
}

// properties are those of the link.
type properties struct{ r *standIn }

func (p properties) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	return dbus.MakeVariant(p.r.domains), nil
}

func (r *standIn) manage(busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = busy
}

func (r *standIn) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *standIn) has(t *testing.T, want string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, method := range []string{"SetLinkDNSEx", "SetLinkDNSOverTLS", "SetLinkDNSSEC", "SetLinkDefaultRoute", "SetLinkDomains", "SetLinkLLMNR", "SetLinkMulticastDNS"} {
		if v, there := r.set[method]; there {
			all = append(all, method+" "+v)
		}
	}
	if got := strings.Join(all, ", "); got != want {
		t.Errorf("the link has\n%s, want\n%s", got, want)
	}
}
