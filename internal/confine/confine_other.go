//go:build !linux

package confine

// Bar does nothing where there are no capabilities.
func Bar(...Privilege) error { return nil }

// Keep does nothing where there are no capabilities.
func Keep(...Privilege) error { return nil }
