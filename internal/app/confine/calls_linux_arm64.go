package confine

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_AARCH64

// deniedHere are calls of this machine beside those of denied.
var deniedHere = []uint32{unix.SYS_KEXEC_FILE_LOAD}
