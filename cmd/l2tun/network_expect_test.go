package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNetworkTestExitsByTheResult(t *testing.T) {
	config := filepath.Join(t.TempDir(), "l2tun0.toml")
	for _, args := range [][]string{{"init"}, {"network", "create", "home", "--name", "nas", "--prefix", "10.20.0.0/16"}, {"network", "grant", "all", "nas", "tcp:22", "--socket", filepath.Join(filepath.Dir(config), "socket")}} {
		if _, errs, code := l2tun(t, append(args, "--config", config)...); code != 0 {
			t.Fatalf("%v: %s", args, errs)
		}
	}
	file := filepath.Join(t.TempDir(), "lines")
	for text, want := range map[string]struct {
		code int
		says string
	}{
		"nas -> nas tcp:22 yes\nnas -> nas tcp:23 no # for now\n": {0, "2 lines, all as the grants say\n"},
		"nas -> nas tcp:22 no":   {1, "line 1: nas -> nas tcp:22 no: grant all -> nas tcp:22\n"},
		"\nnas -> nas udp:1 yes": {1, "line 2: nas -> nas udp:1 yes: no grant lets it pass\n"},
		"nas -> tv tcp:22 no":    {exitUsage, `line 1: no member is called "tv"`},
		"nas -> nas ssh no":      {exitUsage, `line 1: "ssh" is none of`},
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := l2tun(t, "network", "test", file, "--config", config)
		if code != want.code || !strings.Contains(out+errs, want.says) {
			t.Errorf("%q: exit code %d, %q, %q", text, code, out, errs)
		}
	}
	if _, errs, code := l2tun(t, "network", "test", file+"x", "--config", config); code != exitUsage || !strings.Contains(errs, "no such file") {
		t.Errorf("no file: %d %q", code, errs)
	}
}
