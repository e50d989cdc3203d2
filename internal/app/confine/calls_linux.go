package confine

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// denied are system calls that a node has no use for, and that lead out of its
// process: programs, other processes, mounts, namespaces, the kernel itself, and
// the modes and owners of files, which Landlock leaves alone.
var denied = []uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_TKILL,
	unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, // would pass by this filter
	unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_MKNODAT, unix.SYS_PERSONALITY,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
	unix.SYS_SETPRIORITY, unix.SYS_IOPRIO_SET, // of any process of the same user
	unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETPARAM, unix.SYS_SCHED_SETATTR,
	unix.SYS_SOCKETPAIR,
}

// newest is the last system call of the tables that this list was made from: what a
// later kernel adds (setxattrat, open_tree_attr, file_setattr, ...) does what it
// refuses under another number. All architectures number alike up there.
const newest = unix.SYS_FCHMODAT2

// Offsets into struct seccomp_data; arguments are of 64 bits, and the lower half
// comes first on the machines that have an arch below.
const (
	atCall  = 0
	atArch  = 4
	atArg0  = 16
	x32Mark = 0x40000000 // system calls of the x32 ABI, on amd64 alone
)

// Calls denies the process, on all threads, the system calls that lead out of it
// (seccomp): those of denied; processes, but not threads, of its own; signals to
// others; sockets but those of IP and netlink. A call is answered with EPERM, clone3,
// after which everybody falls back to clone, and calls that are newer than the list
// with ENOSYS, as on an older kernel. A call by the
// table of another architecture ends the process.
func Calls() error {
	if arch == 0 {
		return nil // a machine without a table of calls here
	}
	raw, err := bpf.Assemble(filter(uint32(os.Getpid())))
	if err != nil {
		return fmt.Errorf("confine: system calls: %w", err)
	}
	prog := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		prog[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("confine: system calls: %w", errno)
	}
	unix.Umask(0o022) // a file has its mode when it is made: none is changed any more
	return nil
}

// filter is the program: each call that is looked at is a block of its own, which
// ends in a verdict or goes on with the number of the call.
func filter(self uint32) []bpf.Instruction {
	allow := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	kill := bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
	refuse := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	unknown := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}

	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: atArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		kill,
		bpf.LoadAbsolute{Off: atCall, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Mark, SkipTrue: 1},
		kill,
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE3, SkipTrue: 1},
		unknown,
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newest, SkipTrue: 1},
		unknown,
	}
	for _, call := range append(append([]uint32(nil), denied...), deniedHere...) {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 1}, refuse)
	}
	// when looks at the lower half of an argument of a call.
	when := func(call, arg uint32, verdict ...bpf.Instruction) {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: uint8(len(verdict) + 1)}, bpf.LoadAbsolute{Off: arg, Size: 4})
		p = append(p, verdict...)
	}
	only := func(values ...uint32) (v []bpf.Instruction) {
		for i, value := range values {
			v = append(v, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: uint8(len(values) - i)})
		}
		return append(v, refuse, allow)
	}
	when(unix.SYS_CLONE, atArg0, bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_THREAD, SkipTrue: 1}, refuse, allow)
	when(unix.SYS_PRLIMIT64, atArg0, only(0, self)...) // a limit of CPU time kills
	when(unix.SYS_KILL, atArg0, only(self)...)
	when(unix.SYS_TGKILL, atArg0, only(self)...)
	when(unix.SYS_SOCKET, atArg0, only(unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)...)
	return append(p, allow)
}
