//go:build !linux

package confine

// Bar does nothing where there are no capabilities.
func Bar(...Privilege) error { return nil }

// Keep does nothing where there are no capabilities.
func Keep(...Privilege) error { return nil }

// Files does nothing where there is no Landlock.
func Files(writable, readable []string) error { return nil }

// Calls does nothing where there is no seccomp.
func Calls() error { return nil }
