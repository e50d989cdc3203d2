package routing

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/libertaria-project/l2tun/test/tuntest"
)

// In the child of TestKilledProcessLeavesNothing: put routes and be killed.
const leaveEnv = "L2TUN_TEST_LEAVE"

func TestLeaveEverything(t *testing.T) {
	index, err := strconv.Atoi(os.Getenv(leaveEnv))
	if err != nil {
		t.Skip("runs as the child of another test only")
	}
	link, err := netlink.LinkByIndex(index)
	must(t, err)
	j, err := NewJournal(os.Getenv(leaveEnv+"_PATH"), link.Attrs().Name, index)
	must(t, err)
	k, err := NewKernel(index)
	must(t, err)
	k.Keep(j)
	a := netip.MustParsePrefix("10.66.0.1/24")
	must(t, j.PutAddress(a))
	must(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(a)}))
	for _, p := range append(examples, netip.MustParsePrefix("10.66.0.0/24"), netip.MustParsePrefix("10.55.0.0/24")) {
		must(t, k.Add(p, 1300))
	}
	must(t, k.Remove(examples[0]))
	must(t, k.Add(examples[1], 1400)) // again, with another MTU
	self, err := os.FindProcess(os.Getpid())
	must(t, err)
	must(t, self.Kill())
	select {}
}

// A device that outlives its process keeps routes and addresses; the journal
// takes out these, and nothing else.
func TestKilledProcessLeavesNothing(t *testing.T) {
	tuntest.Namespace(t)
	link := cable(t, "keep", "10.55.0.1/24")
	others := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("10.44.0.0/24")), Protocol: Protocol}
	must(t, netlink.RouteAdd(others)) // our protocol, but not in the journal
	before := table(t)
	path := filepath.Join(t.TempDir(), "n.undo")
	index := strconv.Itoa(link.Attrs().Index)

	c := exec.Command(os.Args[0], "-test.run", "^TestLeaveEverything$")
	c.Env = append(os.Environ(), leaveEnv+"="+index, leaveEnv+"_PATH="+path)
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v: %s", err, out)
	}
	after := table(t)
	if len(after) < len(before)+4 {
		t.Fatalf("the child has left nothing to undo: %q", after)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || !LeftJournal(path) {
		t.Fatal(info, err)
	}
	undone, err := UndoJournal(path)
	must(t, err)
	slices.Sort(undone)
	t.Logf("taken out: %q", undone)
	if want := []string{"address 10.66.0.1/24", "route 10.55.0.0/24", "route 10.66.0.0/24", "route 10.77.0.2/32", "route fd4c:3254:1::/48", "route fd4c:3254::2/128"}; !slices.Equal(undone, want) {
		t.Errorf("%q", undone)
	}
	if now := table(t); !slices.Equal(now, before) {
		t.Errorf("before %q\nafter  %q", before, now)
	}
	if LeftJournal(path) {
		t.Error("the journal is still there")
	}
	if undone, err := UndoJournal(path); len(undone) != 0 || err != nil {
		t.Error(undone, err)
	}
}

func TestJournalOfAnotherBootOrDeviceIsAboutNothing(t *testing.T) {
	tuntest.Namespace(t)
	link := cable(t, "keep", "10.55.0.1/24")
	path := filepath.Join(t.TempDir(), "n.undo")
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("10.44.0.0/24")), Protocol: Protocol}
	must(t, netlink.RouteAdd(route))
	before := table(t)
	for what, text := range map[string]string{
		"boot":   `{"version":1,"boot":"another","interface":"keep","index":` + strconv.Itoa(link.Attrs().Index) + `}`,
		"name":   `{"version":1,"boot":"` + bootID() + `","interface":"keep2","index":` + strconv.Itoa(link.Attrs().Index) + `}`,
		"device": `{"version":1,"boot":"` + bootID() + `","interface":"keep","index":9999}`,
	} {
		text += "\n" + `{"done":"put","prefix":"10.44.0.0/24","address":false}` + "\n"
		must(t, os.WriteFile(path, []byte(text), 0o600))
		if undone, err := UndoJournal(path); len(undone) != 0 || err != nil {
			t.Errorf("%s: %q, %v", what, undone, err)
		}
	}
	if now := table(t); !slices.Equal(now, before) {
		t.Errorf("%q", now)
	}
	must(t, os.WriteFile(path, []byte("garbage"), 0o600))
	if _, err := UndoJournal(path); err == nil {
		t.Error("garbage was taken for a journal")
	}
}

// A journal that lives long stays small, and says the same after each step.
func TestJournalStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.undo")
	j, err := NewJournal(path, "x", 1)
	must(t, err)
	must(t, j.PutAddress(examples[0]))
	for range 3 * compactAt {
		must(t, j.put(journalLine{Prefix: examples[1]}))
		must(t, j.put(journalLine{Prefix: examples[1]}))
		j.gone(journalKey{Prefix: examples[1]})
	}
	must(t, j.put(journalLine{Prefix: examples[2], Instead: true}))
	_, live, err := readJournal(path)
	if err != nil || len(live) != 2 || !live[journalKey{Prefix: examples[2]}].Instead {
		t.Errorf("%v, %v", live, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 200*compactAt {
		t.Error(info.Size(), err)
	}
	must(t, j.Close())
	must(t, j.Close())
	if LeftJournal(path) || j.PutAddress(examples[3]) == nil {
		t.Error("it goes on after Close")
	}
}

// A line that was cut short counts as never written.
func TestCutLineCountsAsNeverWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.undo")
	j, err := NewJournal(path, "x", 1)
	must(t, err)
	defer j.Close()
	must(t, j.PutAddress(examples[0]))
	must(t, j.PutAddress(examples[1]))
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, text[:len(text)-5], 0o600))
	if _, live, err := readJournal(path); err != nil || len(live) != 1 {
		t.Errorf("%v, %v", live, err)
	}
}

// Nothing is put that could not be noted first.
func TestFullDiskLeavesNoRouteBehind(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	defer full.Close()
	k.Keep(&Journal{file: full, live: make(map[journalKey]journalLine)})
	before := table(t)
	if err := k.Add(examples[0], 0); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Error(err)
	}
	if now := table(t); !slices.Equal(now, before) || len(k.List()) != 0 {
		t.Errorf("%q", now)
	}
}

// What a journal says is done with the rights of the node, so it is neither read
// nor written through a link, nor taken from another user.
func TestJournalOfOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "n.undo")
	must(t, os.WriteFile(victim, []byte("keep"), 0o600))
	for _, name := range []string{path, path + ".new"} { // prepared by somebody
		must(t, os.Symlink(victim, name))
	}
	if _, err := UndoJournal(path); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("read through a link: %v", err)
	}
	j, err := NewJournal(path, "x", 1)
	must(t, err)
	must(t, j.PutAddress(examples[0]))
	if text, err := os.ReadFile(victim); err != nil || string(text) != "keep" {
		t.Errorf("written through a link: %q, %v", text, err)
	}
	must(t, j.Close())
	head := `{"version":1,"boot":"another","interface":"x","index":1}` + "\n"
	for what, spoil := range map[string]func() error{
		"another user's":   func() error { return os.Chown(path, 12345, -1) },
		"others may write": func() error { return os.Chmod(path, 0o602) },
		"the group may":    func() error { return os.Chmod(path, 0o660) },
		"it is no file":    func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		os.RemoveAll(path)
		must(t, os.WriteFile(path, []byte(head), 0o600))
		if err := spoil(); err != nil {
			t.Logf("%s: not tried: %v", what, err) // only root gives files away
			continue
		}
		if undone, err := UndoJournal(path); err == nil {
			t.Errorf("%s: taken, undone %v", what, undone)
		}
	}
}

// Settings are given back, also after a kill, unless somebody else has changed them
// since.
func TestSettingsAreGivenBack(t *testing.T) {
	tuntest.Namespace(t)
	const one, two = "ipv4/conf/all/send_redirects", "ipv4/conf/lo/send_redirects"
	is := func(path string) string {
		v, err := readSetting(path)
		must(t, err)
		return v
	}
	before := is(one)
	if before != "1" {
		t.Fatalf("send_redirects of a new namespace is %q", before)
	}
	for _, killed := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "n.undo")
		j, err := NewJournal(path, "gone", 9999)
		must(t, err)
		s := NewSettings(j)
		for _, p := range []string{one, two} {
			if changed, err := s.Hold(p, "0"); err != nil || changed || is(p) != "0" {
				t.Fatal("that it was taken over is said to be somebody else's change", changed, err, is(p))
			}
			if changed, err := s.Hold(p, "0"); err != nil || changed {
				t.Fatal("again is something", err)
			}
			must(t, writeSetting(p, "1")) // by somebody
			if changed, err := s.Hold(p, "0"); err != nil || !changed || is(p) != "0" {
				t.Fatal("somebody's change is not reported", changed, err, is(p))
			}
		}
		if changed, err := s.Hold("ipv4/conf/none/send_redirects", "0"); changed || err != nil {
			t.Error("a setting that is not there", changed, err)
		}
		if killed {
			undone, err := UndoJournal(path)
			if err != nil || len(undone) != 2 {
				t.Fatal(undone, err)
			}
		} else {
			must(t, writeSetting(two, "1")) // by somebody
			s.Undo()
			must(t, j.Close())
		}
		if is(one) != "1" || is(two) != "1" {
			t.Errorf("killed %v: %s, %s", killed, is(one), is(two))
		}
	}
}
