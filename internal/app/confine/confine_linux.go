package confine

import (
	"fmt"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

func (p Privilege) value() cap.Value {
	if p == NetBindService {
		return cap.NET_BIND_SERVICE
	}
	return cap.NET_ADMIN
}

// Bar shuts the ways to more privileges than the process has: no-new-privs is
// set, the ambient set emptied, and from the bounding set goes what keep does not
// name, each on all threads. It asks every thread some 40 times, so it is for a
// moment with few of them and nothing to hold up. After an error some of it may
// be done.
func Bar(keep ...Privilege) error {
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("confine: no-new-privs: %w", err)
	}
	if err := cap.ResetAmbient(); err != nil {
		return fmt.Errorf("confine: ambient capabilities: %w", err)
	}
	have := cap.GetProc()
	kept, err := intersect(have, keep)
	if err != nil {
		return err
	}
	return bound(have, kept)
}

// Keep gives up every capability but those of keep that the process has, in the
// permitted, effective and inheritable sets of all threads. Bar comes before it:
// its bounding set takes a capability.
func Keep(keep ...Privilege) error {
	kept, err := intersect(cap.GetProc(), keep)
	if err != nil {
		return err
	}
	if err := kept.SetProc(); err != nil {
		return fmt.Errorf("confine: capabilities: %w", err)
	}
	return nil
}

// intersect is the set of what is there and may stay, nothing of it inheritable.
func intersect(have *cap.Set, keep []Privilege) (*cap.Set, error) {
	kept := cap.NewSet()
	for _, p := range keep {
		there, err := have.GetFlag(cap.Permitted, p.value())
		if err == nil && there {
			err = kept.SetFlag(cap.Permitted, true, p.value())
		}
		if err == nil && there {
			err = kept.SetFlag(cap.Effective, true, p.value())
		}
		if err != nil {
			return nil, fmt.Errorf("confine: %s: %w", p.value(), err)
		}
	}
	return kept, nil
}

// bound drops from the bounding set what is not kept. Without CAP_SETPCAP the
// kernel allows that to nobody.
func bound(have, kept *cap.Set) error {
	if may, err := have.GetFlag(cap.Effective, cap.SETPCAP); err != nil || !may {
		return err
	}
	var drop []cap.Value
	for v := range cap.MaxBits() {
		set, err := cap.GetBound(v)
		if err != nil {
			return fmt.Errorf("confine: bounding set: %w", err)
		}
		if stays, _ := kept.GetFlag(cap.Permitted, v); set && !stays {
			drop = append(drop, v)
		}
	}
	if err := cap.DropBound(drop...); err != nil {
		return fmt.Errorf("confine: bounding set: %w", err)
	}
	return nil
}

// Become makes the process the user, in no other groups than that one, with the
// capabilities that it has, on all threads. What is written from then on is the
// user's. Bar comes before it, Keep after it; between the two a process is for a
// moment without effective capabilities.
func Become(u account.User) error {
	have := cap.GetProc()
	defer account.Dumpable()() // the kernel changes that with the user
	if err := cap.SetGroups(u.GID); err != nil {
		return fmt.Errorf("confine: group %d: %w", u.GID, err)
	}
	if err := cap.SetUID(u.UID); err != nil {
		return fmt.Errorf("confine: user %d: %w", u.UID, err)
	}
	if err := have.SetProc(); err != nil {
		return fmt.Errorf("confine: capabilities of user %d: %w", u.UID, err)
	}
	return nil
}
