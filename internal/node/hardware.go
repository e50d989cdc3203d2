package node

import "golang.org/x/sys/cpu"

// mark is the SO_MARK of our sockets ("l2tu"), so that policy routing can keep
// them out of the tunnel.
const mark = 0x6c327475

// hasAES reports whether the processor has the instructions that make
// AES-256-GCM the faster record cipher.
func hasAES() bool {
	return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
}
