package lab

import (
	"strings"
	"testing"
)

// fakeTB records how Require ends a test.
type fakeTB struct {
	testing.TB
	ended string
}

func (f *fakeTB) Helper()                      {}
func (f *fakeTB) Skipf(s string, args ...any)  { f.ended = "skipped " + args[0].(string) }
func (f *fakeTB) Fatalf(s string, args ...any) { f.ended = "failed " + args[0].(string) }

func TestRequireNamesWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ env, want string }{{"", "skipped"}, {"1", "failed"}} {
		t.Setenv("L2TUN_REQUIRE_NETNS", c.env)
		tb := &fakeTB{TB: t}
		Require(tb, "sh", "no-such-program", "/no/such/device")
		if !strings.HasPrefix(tb.ended, c.want) || !strings.Contains(tb.ended, "no-such-program") ||
			!strings.Contains(tb.ended, "/no/such/device") || strings.Contains(tb.ended, `"sh"`) {
			t.Errorf("L2TUN_REQUIRE_NETNS=%q: %s", c.env, tb.ended)
		}
	}
}

func TestRequireLetsACapableMachineGoOn(t *testing.T) {
	Require(t) // a real skip, not a failure, without the privilege
	tb := &fakeTB{TB: t}
	Require(tb, "sh", "/dev/null")
	if tb.ended != "" {
		t.Error(tb.ended)
	}
}
