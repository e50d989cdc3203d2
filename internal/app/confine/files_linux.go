package confine

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	abi "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Files leaves to the process the folders, or files, of writable and readable,
// with what is in them, and no other (Landlock), on all threads: what is open
// stays open. Paths that are not there are passed over. Signals and abstract
// sockets reach no other process, where the kernel knows how. It does as much as
// the kernel can, down to nothing.
func Files(writable, readable []string) error {
	newest := landlock.V11.BestEffort()
	rules := []landlock.Rule{
		landlock.RWDirs(writable...).IgnoreIfMissing(),
		landlock.RODirs(readable...).IgnoreIfMissing(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
		landlock.ROFiles("/dev/urandom", "/dev/random").IgnoreIfMissing(),
	}
	if err := newest.RestrictPaths(rules...); err != nil {
		return fmt.Errorf("confine: files: %w", err)
	}
	if err := newest.RestrictScoped(); err != nil {
		return fmt.Errorf("confine: signals: %w", err)
	}
	return nil
}

// truncates is the version of Landlock from which on it denies the truncation of a
// file by its name.
const truncates = 3

// Unshut is what Files and Calls leave open on this kernel and machine, in phrases;
// nothing where they do all that they promise.
func Unshut() (open []string) {
	switch version, err := abi.LandlockGetABIVersion(); {
	case err != nil || version < 1:
		open = append(open, "files of its user and those that all may read are open to it (no Landlock)")
	case version < truncates:
		open = append(open, "files of its user can be emptied (an old Landlock)")
	}
	if arch == 0 {
		open = append(open, "all system calls are open to it (no filter for this kind of machine)")
	}
	return open
}
