package health

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func TestOldCallersAreNamed(t *testing.T) {
	all := Of(&control.Status{Outdated: []string{"192.0.2.1", "2001:db8::1"}})
	if len(all) != 2 || all[0].Code != Outdated || all[0].About != "192.0.2.1" || all[1].Level != control.LevelWarning || all[1].Do == "" {
		t.Errorf("%+v", all)
	}
}
