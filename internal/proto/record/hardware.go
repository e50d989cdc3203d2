package record

import "golang.org/x/sys/cpu"

// HasAES reports whether the processor has the instructions that make
// AES-256-GCM the faster record cipher.
func HasAES() bool {
	return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
}
