package ifname

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"l2tun0", "a", "A.b_c-9", strings.Repeat("x", Max), Default} {
		if err := Check(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "lo", "all", "default", strings.Repeat("x", Max+1), "a'b", `a"b`, "a b", "a/b", "a:b", "l2tun%d",
		"-i", "é", "a\x00b", "a\nb", "a\xffb", "$(x)", "a;b"} {
		if err := Check(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
