package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

func TestInitAndIDAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "n.toml")
	made := must(t, "init", "--config", path, "--interface", "l2a", "--address", "10.9.0.1/24", "--address", "fd00::1/64", "--listen", "[::]:5000", "--json")
	var got map[string]any
	if err := json.Unmarshal([]byte(made), &got); err != nil || len(got) != 4 || got["version"] != 1.0 || got["program"] != control.Program() {
		t.Fatal(made, err)
	}
	name, _ := got["did"].(string)
	d, err := did.Parse(name)
	if err != nil || d.Addr().String() != got["address"] {
		t.Error(made, err)
	}
	if again := must(t, "id", "--config", path, "--json"); again != made {
		t.Error(again, made)
	}
	if text := must(t, "id", "--config", path); text != "did:     "+name+"\naddress: "+d.Addr().String()+"\n" {
		t.Error(text)
	}
	text, _ := os.ReadFile(path)
	for _, want := range []string{`interface = "l2a"`, `addresses = ["10.9.0.1/24", "fd00::1/64"]`, `listen = "[::]:5000"`} {
		if !strings.Contains(string(text), want+"\n") {
			t.Error("no", want)
		}
	}
}

func TestInitRefusesToOverwrite(t *testing.T) {
	path := initConfig(t)
	key := strings.TrimSuffix(path, ".toml") + ".key"
	refused(t, exitUsage, path+" and "+key+" exist already: nothing was changed", "init", "--config", path)
	os.Remove(path)
	refused(t, exitUsage, key+" exists already: nothing was changed", "init", "--config", path)
}

func TestIDWithoutKeySaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	_, errs, code := l2tun(t, "id", "--config", path)
	if code != exitUsage || !strings.Contains(errs, "n.key") || strings.Count(errs, "\n") != 1 {
		t.Error(code, errs)
	}
}
