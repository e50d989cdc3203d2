//go:build !linux

package confine

import "github.com/libertaria-project/l2tun/internal/base/account"

// Bar does nothing where there are no capabilities.
func Bar(...Privilege) error { return nil }

// Keep does nothing where there are no capabilities.
func Keep(...Privilege) error { return nil }

// Become does nothing where there is no such user.
func Become(account.User) error { return nil }

// Files does nothing where there is no Landlock.
func Files(writable, readable []string) error { return nil }

// Calls does nothing where there is no seccomp.
func Calls() error { return nil }

// Unshut is all of it.
func Unshut() []string {
	return []string{"files and system calls are open to it (no Landlock and no seccomp on this system)"}
}
