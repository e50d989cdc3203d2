package archtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copyExample puts the example into a module of its own in dir. It requires this
// module as it is in root, and what this module requires, in the same versions.
func copyExample(t *testing.T, root, dir string) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, requires, _ := strings.Cut(read("go.mod"), "\nrequire ")
	requires, _, _ = strings.Cut("\nrequire "+requires, "\ntool ")
	write("go.mod", fmt.Sprintf("module example.org/chat\n\ngo 1.26.0\n\nrequire %s v0.0.0\nreplace %s => %s\n%s", module, module, root, requires))
	write("go.sum", read("go.sum"))
	write("main.go", read("test/example/main.go"))
}

// exampleCommand runs the module in dir without the network.
func exampleCommand(t *testing.T, dir string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), "go", "run", "-mod=mod", ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	return c
}
