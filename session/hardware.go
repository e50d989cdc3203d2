package session

import "golang.org/x/sys/cpu"

// hasAES reports whether the processor has the instructions that make
// AES-256-GCM the faster record cipher.
func hasAES() bool {
	return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
}
