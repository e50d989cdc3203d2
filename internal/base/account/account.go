package account

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Name is the system user's.
const Name = "l2tun"

// lastSystem is the highest number of a system user: a person who is called l2tun
// is a person.
const lastSystem = 999

// A User is the system user.
type User struct{ UID, GID int }

// service is looked up once.
var service = sync.OnceValues(func() (User, bool) {
	found, err := user.Lookup(Name)
	if err != nil {
		return User{}, false
	}
	uid, err := strconv.Atoi(found.Uid)
	if err != nil || uid <= 0 || uid > lastSystem {
		return User{}, false
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil || gid <= 0 {
		return User{}, false
	}
	return User{uid, gid}, true
})

// Is reports whether a number is the system user's.
func Is(uid int) bool {
	u, there := service()
	return there && u.UID == uid
}

// Of is the system user, if this process is root's and the file at path, or what a
// symbolic link there leads to, lies in a folder of that user's.
func Of(path string) (User, bool) {
	if os.Geteuid() != 0 {
		return User{}, false
	}
	u, there := service()
	if !there {
		return User{}, false
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		real = path
	}
	for _, folder := range []string{filepath.Dir(path), filepath.Dir(real)} {
		if info, err := os.Stat(folder); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == u.UID {
				return u, true
			}
		}
	}
	return User{}, false
}

// As runs f with the rights of the user of path's folder, where Of names one: f
// must not leave its goroutine. Otherwise it just runs f. It does not nest.
func As(path string, f func() error) error {
	u, other := Of(path)
	if !other {
		return f()
	}
	return u.run(f)
}
