package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/test/lab"
)

// resolvedEnv names a folder that holds the files of Debian's package systemd-resolved, for
// machines on which it is not installed: dpkg -x unpacks it.
const resolvedEnv = "L2TUN_RESOLVED"

// startResolved starts a bus and systemd-resolved in A's place and returns resolvectl.
func (n *named) startResolved(t *testing.T) (resolvectl string) {
	t.Helper()
	root := os.Getenv(resolvedEnv)
	program := filepath.Join(root, "/lib/systemd/systemd-resolved")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("needs systemd-resolved: %s", program)
	}
	lab.Require(t, "dbus-daemon")
	for name, text := range map[string]string{"resolv.conf": stubConf, "nsswitch.conf": "passwd: files\nhosts: files dns\n",
		"passwd": "root:x:0:0:root:/root:/bin/sh\nsystemd-resolve:x:998:998::/:/usr/sbin/nologin\n", "group": "root:x:0:\nsystemd-resolve:x:998:\n"} {
		n.ok(os.WriteFile(filepath.Join(n.etc, name), []byte(text), 0o644))
	}
	n.ok(os.Mkdir(n.etc+"/systemd", 0o755))
	n.ok(os.WriteFile(n.etc+"/systemd/resolved.conf", []byte("[Resolve]\nDNS=192.0.2.99\nDNSSEC=yes\nDNSOverTLS=yes\n"), 0o644)) // as a careful host has it
	config := n.file("bus.conf", `<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`)
	if r := n.in("sh", "-ec", `mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run; mkdir -p /run/dbus /run/systemd/resolve; chown 998:998 /run/systemd/resolve`); r.code != 0 {
		t.Fatal(r.errs)
	}
	for _, line := range [][]string{{"dbus-daemon", "--config-file=" + config, "--nofork", "--nopidfile"}, {program}} {
		c := n.A.Command(t.Context(), n.inside[0], append(n.inside[1:len(n.inside):len(n.inside)], line...)...)
		n.ok(c.Start())
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
		if line[0] == "dbus-daemon" {
			n.eventually(patience, "a bus", func() bool { return n.in("test", "-S", "/run/dbus/system_bus_socket").code == 0 })
		}
	}
	resolvectl = filepath.Join(root, "/usr/bin/resolvectl")
	n.eventually(patience, "systemd-resolved answers", func() bool { return n.in(resolvectl, "dns").code == 0 })
	return resolvectl
}

const stubConf = "nameserver 127.0.0.53\noptions edns0 trust-ad\n"

// With systemd-resolved names are found by its stub, also where the host asks for DNSSEC
// and DNS over TLS, and other names do not come to the node; afterwards it, /etc/hosts and
// resolv.conf are as before, also when the node and its process were killed.
func TestNamesBySystemdResolved(t *testing.T) {
	t.Parallel()
	n := newNamed(t, "auto")
	resolvectl := n.startResolved(t)
	settings := func() string {
		return n.in(resolvectl, "dns").out + n.in(resolvectl, "domain").out + n.in(resolvectl, "dnssec").out
	}
	before := settings()
	check := func(when string) {
		t.Helper()
		if now := settings(); now != before {
			t.Errorf("%s: systemd-resolved has\n%s, before\n%s", when, now, before)
		}
		if hosts, conf := n.hosts(), n.read(n.etc+"/resolv.conf"); hosts != hostsBefore || conf != stubConf {
			t.Errorf("%s: %q, %q", when, hosts, conf)
		}
	}
	n.a.up()
	n.established(n.a, n.b)
	n.by("resolved")
	if n.hosts() != hostsBefore {
		t.Error("/etc/hosts has the names too")
	}
	if r := n.in("getent", "ahostsv4", "nas.l2"); !strings.HasPrefix(r.out, n.b.v4.String()+" ") {
		t.Errorf("getent: %+v", r)
	}
	if r := n.in("getent", "hosts", n.b.v4.String()); !strings.Contains(r.out, "nas.l2") {
		t.Errorf("getent backwards: %+v", r)
	}
	if r := n.in("ping", "-c", "1", "-W", "5", "nas.l2"); r.code != 0 {
		t.Errorf("ping: %+v", r)
	}
	if now := settings(); !strings.Contains(now, "~l2") || !strings.Contains(now, "127.108.50.53") {
		t.Error(now)
	}
	n.a.down()
	check("after down")

	n.a.up()
	n.by("resolved")
	keeper := n.keeper()
	n.killPID(keeper)
	n.a.kill()
	n.in(n.program, "down", "--socket", n.a.Socket)
	check("after kill -9 and down")
}
