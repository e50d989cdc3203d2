package account

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// run is f with the effective user, group and no other groups of u on this thread
// alone, whose effective capabilities go and come with them. The runtime starts no
// thread from a locked one, so no other has them.
func (u User) run(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	defer Dumpable()() // the kernel changes that with the user
	if err := u.become(); err != nil {
		back(groups)
		return fmt.Errorf("cannot act as user %s, whose folder this is (root without CAP_SETUID and CAP_SETGID?): %w", Name, err)
	}
	defer back(groups)
	return f()
}

// Dumpable remembers whether the process may be dumped and read by others, and
// returns what makes it so again.
func Dumpable() (again func()) {
	was, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || was > 1 {
		was = 0
	}
	return func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(was), 0, 0, 0) }
}

func (u User) become() error {
	if err := setGroups(nil); err != nil {
		return err
	}
	if err := set(unix.SYS_SETRESGID, u.GID); err != nil {
		return err
	}
	return set(unix.SYS_SETRESUID, u.UID)
}

// back is what the thread was. A thread that is not may not be used again.
func back(groups []int) {
	if set(unix.SYS_SETRESUID, 0) != nil || set(unix.SYS_SETRESGID, 0) != nil {
		panic("account: this thread cannot become root's again")
	}
	_ = setGroups(groups)
}

// set changes the effective one of the three, on this thread alone: the functions
// of syscall change all threads.
func set(call uintptr, id int) error {
	const same = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(call, same, uintptr(id), same); errno != 0 {
		return errno
	}
	return nil
}

func setGroups(groups []int) error {
	list := make([]uint32, len(groups)+1)
	for i, g := range groups {
		list[i] = uint32(g)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0); errno != 0 {
		return errno
	}
	return nil
}
