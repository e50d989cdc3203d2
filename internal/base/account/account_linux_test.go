package account

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/faults"
)

// pretend has a test know a system user, and gives it a folder of that user's.
func pretend(t *testing.T, u User) (folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, who acts as somebody else")
	}
	before := service
	t.Cleanup(func() { service = before })
	service = func() (User, bool) { return u, true }
	folder, err := os.MkdirTemp("", "l2tun-account-") // t.TempDir's parent is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chown(folder, u.UID, u.GID); errors.Is(err, syscall.EINVAL) {
		t.Skip("needs a user besides root: this user namespace has none")
	} else if err != nil {
		t.Fatal(err)
	}
	return folder
}

// What root writes in the user's folder is the user's, and a link that the user has
// laid there leads root to nothing that is closed to the user. In other folders root
// is root.
func TestRootActsAsTheUserOfAFolder(t *testing.T) {
	u := User{987, 986}
	folder := pretend(t, u)
	secret := filepath.Join(t.TempDir(), "root's")
	if err := os.WriteFile(secret, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "n.toml")
	if err := os.Symlink(secret, filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	err := As(config, func() error {
		if uid, gid := os.Geteuid(), os.Getegid(); uid != u.UID || gid != u.GID {
			t.Errorf("acts as %d:%d", uid, gid)
		}
		if groups, err := os.Getgroups(); err != nil || len(groups) != 0 {
			t.Errorf("with groups %v, %v", groups, err)
		}
		if err := os.WriteFile(filepath.Join(folder, "link"), []byte("after"), 0o600); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("through a link: %v", err)
		}
		return os.WriteFile(config, nil, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(config)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != u.UID || int(st.Gid) != u.GID {
		t.Errorf("the file belongs to %d:%d", st.Uid, st.Gid)
	}
	if os.Geteuid() != 0 || os.Getegid() != 0 {
		t.Error("root is not root again")
	}
	if text, _ := os.ReadFile(secret); string(text) != "before" {
		t.Error("the file behind the link was written")
	}
	if n, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); n != 1 {
		t.Errorf("dumpable: %d", n)
	}
	if _, other := Of(secret); other {
		t.Error("another user in root's own folder")
	}
	if _, other := Of(filepath.Join(t.TempDir(), "n.toml")); other {
		t.Error("another user in a folder of root's")
	}
	faults.Report(t, "S8", true, "files that root makes in the user's folder are the user's; root's file behind a link: refused")
}

// Who is not root stays who he is.
func TestTheUserIsLookedUpOnce(t *testing.T) {
	pretend(t, User{987, 986})
	if !Is(987) || Is(0) || Is(1000) {
		t.Error("the user is not known by its number")
	}
}
