package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsReplacedIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for _, text := range []string{"one", "", "another"} {
		if err := errors.Join(Replace(path, []byte(text)), SyncFolder(filepath.Dir(path))); err != nil {
			t.Fatal(err)
		}
		got, info, err := Read(path, 7)
		if err != nil || string(got) != text || info.Mode().Perm() != 0o600 {
			t.Errorf("%q %v: %v", got, info, err)
		}
	}
	if all, err := os.ReadDir(filepath.Dir(path)); len(all) != 1 || err != nil {
		t.Error(all, err)
	}
}

func TestOnlyRegularFilesOfABoundedSizeAreRead(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, make([]byte, 8), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{dir: ErrKind, link: ErrKind, file: TooLarge(7), filepath.Join(dir, "none"): fs.ErrNotExist} {
		if text, info, err := Read(path, 7); !errors.Is(err, want) || text != nil || info != nil {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if text, _, err := Read("/dev/zero", 7); !errors.Is(err, ErrKind) {
		t.Error(text, err)
	}
}

func TestErrorsDoNotHaveThePath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, _, read := Read(filepath.Join(dir, "x"), 1)
	for _, err := range []error{read, Replace(filepath.Join(dir, "x"), nil), SyncFolder(dir), Cause(os.Rename(dir, dir+"2"))} {
		if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
			t.Error(err)
		}
	}
	if Cause(nil) != nil {
		t.Error("no error has a cause")
	}
}
