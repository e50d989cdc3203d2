package node

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// Sessions that the first apply starts ask before the config is in use.
func TestNothingIsSprayedBeforeTheFirstApply(t *testing.T) {
	a := new(applier)
	if a.sprays() {
		t.Error("on without a config")
	}
	a.config.Store(&config.Config{Spray: true})
	if !a.sprays() {
		t.Error("off with a config that has it on")
	}
}
