package confine

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
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
