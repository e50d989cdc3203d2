package e2e

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultBuffersEnv makes this test program run its arguments as a command whose
// sockets keep the kernel's default buffers.
const defaultBuffersEnv = "L2TUN_E2E_DEFAULT_BUFFERS"

// execWithDefaultBuffers becomes the command. It returns only if it fails.
func execWithDefaultBuffers(args []string) error {
	runtime.LockOSThread() // the filter is this thread's, and Exec keeps it
	file, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	if err := refuseBufferSizes(); err != nil {
		return err
	}
	return syscall.Exec(file, args, os.Environ())
}

// refuseBufferSizes lets this thread's setsockopt fail with EPERM for the four
// options that set the size of a socket's buffer, and for nothing else.
func refuseBufferSizes() error {
	const nr, level, option = 0, 16 + 8*1, 16 + 8*2 // offsets in struct seccomp_data; low halves
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	end := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	filter := []unix.SockFilter{
		load(nr), equal(unix.SYS_SETSOCKOPT, 0, 7),
		load(level), equal(unix.SOL_SOCKET, 0, 5),
		load(option), equal(unix.SO_RCVBUF, 4, 0), equal(unix.SO_RCVBUFFORCE, 3, 0), equal(unix.SO_SNDBUF, 2, 0), equal(unix.SO_SNDBUFFORCE, 1, 0),
		end(unix.SECCOMP_RET_ALLOW),
		end(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}
