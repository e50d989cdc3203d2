package e2e

import (
	"debug/elf"
	"testing"
)

// What the program never calls is not in it, and so not in the memory of a node: the
// linker leaves out methods that nothing needs, unless some code that is reached looks
// methods up by a name that only a run knows, as text/template does.
func TestProgramIsWithoutMethodsThatNothingCalls(t *testing.T) {
	t.Parallel()
	f, err := elf.Open(l2tunBinary())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	main := false
	for _, s := range symbols {
		main = main || s.Name == "main.main"
		if s.Name == "reflect.(*Value).MethodByName" {
			t.Errorf("the program has %s, as methods are looked up by name: go build -ldflags=-dumpdep ./cmd/l2tun says by what", s.Name)
		}
	}
	if !main {
		t.Error("the program has no names of functions to look at")
	}
}
