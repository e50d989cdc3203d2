package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// unmapping is what gives back the pages of the program that its start has used: reading
// the config, the first handshakes, the tables of the collector. They stay in the page
// cache, from which the kernel maps again what is still in use, 64 KiB at a time; what is
// not, the greater part, is not resident any more. The file of the process is read now:
// later the sandbox is shut.
func unmapping() func() {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return func() {}
	}
	spans := programSpans(string(text))
	return func() {
		for _, s := range spans {
			// It cannot fail but for a kernel that does not know it: then the pages stay.
			_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, uintptr(s.from), uintptr(s.to-s.from), unix.MADV_DONTNEED)
		}
	}
}
