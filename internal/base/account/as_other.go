//go:build !linux

package account

// run is f: elsewhere there is no such user.
func (u User) run(f func() error) error { return f() }
