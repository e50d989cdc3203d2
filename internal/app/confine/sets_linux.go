package confine

import (
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// sets are a process's capabilities, capability n at bit n.
type sets struct{ effective, permitted, inheritable uint64 }

func bit(capability int) uint64 { return 1 << capability }

// ownSets are those of the calling thread, which are those of all.
func ownSets() (sets, error) {
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil {
		return sets{}, err
	}
	join := func(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }
	return sets{join(data[0].Effective, data[1].Effective), join(data[0].Permitted, data[1].Permitted), join(data[0].Inheritable, data[1].Inheritable)}, nil
}

// apply makes them those of all threads.
//
// The arguments lie on the heap, for psx.Syscall3 says so to the compiler where it is
// called: while it stops the threads, a stack may move. (libcap's cap.Set.SetProc,
// version 1.2.78, passes on addresses of its stack, and now and then the kernel
// answers EINVAL.)
func (s sets) apply() error {
	header, data := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, new([2]unix.CapUserData)
	data[0] = unix.CapUserData{Effective: uint32(s.effective), Permitted: uint32(s.permitted), Inheritable: uint32(s.inheritable)}
	data[1] = unix.CapUserData{Effective: uint32(s.effective >> 32), Permitted: uint32(s.permitted >> 32), Inheritable: uint32(s.inheritable >> 32)}
	if _, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0); errno != 0 {
		return errno
	}
	return nil
}

// prctl does it on all threads.
func prctl(option, a, b uintptr) error {
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, option, a, b, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
