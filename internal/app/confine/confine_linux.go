package confine

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

func (p Privilege) capability() int {
	switch p {
	case NetBindService:
		return unix.CAP_NET_BIND_SERVICE
	case AnyFile:
		return unix.CAP_DAC_OVERRIDE
	}
	return unix.CAP_NET_ADMIN
}

// Bar shuts the ways to more privileges than the process has: no-new-privs is
// set, the ambient set emptied, and from the bounding set goes what keep does not
// name, each on all threads. It asks every thread some 40 times, so it is for a
// moment with few of them and nothing to hold up. After an error some of it may
// be done.
func Bar(keep ...Privilege) error {
	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("confine: no-new-privs: %w", err)
	}
	if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("confine: ambient capabilities: %w", err)
	}
	have, err := ownSets()
	if err != nil {
		return fmt.Errorf("confine: capabilities: %w", err)
	}
	return bound(have, intersect(have, keep))
}

// Keep gives up every capability but those of keep that the process has, in the
// permitted, effective and inheritable sets of all threads. Bar comes before it:
// its bounding set takes a capability.
func Keep(keep ...Privilege) error {
	have, err := ownSets()
	if err == nil {
		err = intersect(have, keep).apply()
	}
	if err != nil {
		return fmt.Errorf("confine: capabilities: %w", err)
	}
	return nil
}

// intersect is the set of what is there and may stay, nothing of it inheritable.
func intersect(have sets, keep []Privilege) (kept sets) {
	for _, p := range keep {
		kept.permitted |= have.permitted & bit(p.capability())
	}
	kept.effective = kept.permitted
	return kept
}

// bound drops from the bounding set what is not kept. Without CAP_SETPCAP the
// kernel allows that to nobody.
func bound(have, kept sets) error {
	if have.effective&bit(unix.CAP_SETPCAP) == 0 {
		return nil
	}
	for capability := range 64 {
		set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(capability), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) { // behind the kernel's last one
			return nil
		} else if err != nil {
			return fmt.Errorf("confine: bounding set: %w", err)
		}
		if set == 0 || kept.permitted&bit(capability) != 0 {
			continue
		}
		if err := prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0); err != nil {
			return fmt.Errorf("confine: bounding set: %w", err)
		}
	}
	return nil
}

// Become makes the process the user, in no other groups than that one, with the
// capabilities that it has, on all threads. What is written from then on is the
// user's. Bar comes before it, Keep after it; between the two a process is for a
// moment without effective capabilities.
func Become(u account.User) error {
	have, err := ownSets()
	if err != nil {
		return fmt.Errorf("confine: capabilities: %w", err)
	}
	defer account.Dumpable()() // the kernel changes that with the user
	if err := errors.Join(syscall.Setgid(u.GID), syscall.Setgroups(nil)); err != nil {
		return fmt.Errorf("confine: group %d: %w", u.GID, err)
	}
	if err := errors.Join(prctl(unix.PR_SET_KEEPCAPS, 1, 0), syscall.Setuid(u.UID), prctl(unix.PR_SET_KEEPCAPS, 0, 0)); err != nil {
		return fmt.Errorf("confine: user %d: %w", u.UID, err)
	}
	if err := have.apply(); err != nil {
		return fmt.Errorf("confine: capabilities of user %d: %w", u.UID, err)
	}
	return nil
}
