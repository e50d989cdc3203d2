package bench

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A Machine is where and what was measured. It names no host and no folder.
type Machine struct {
	Date       string `json:"date"`
	Kernel     string `json:"kernel"`
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	Congestion string `json:"congestion_control"` // of the kernel's TCP
	Go         string `json:"go"`
	Commit     string `json:"commit"`
	WireGuard  string `json:"wireguard_go"`
}

// describe says what the kernel and the two programs say of themselves.
func describe(o Options) Machine {
	return Machine{Date: time.Now().Format(time.DateOnly), CPUs: runtime.NumCPU(), CPU: model(),
		Kernel: series(sysctl("kernel/osrelease")), Congestion: sysctl("net/ipv4/tcp_congestion_control"),
		Commit: o.Commit, WireGuard: versionOf(o.Programs, "wireguard"), Go: runtime.Version()}
}

// versionOf is that of a program's module.
func versionOf(programs, name string) string {
	if b, err := buildinfo.ReadFile(filepath.Join(programs, name)); err == nil {
		return b.Main.Version
	}
	return "unknown"
}

func sysctl(key string) string {
	text, err := os.ReadFile("/proc/sys/" + key)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// series is a kernel's version without what its builder adds: 6.18 of 6.18.5-name.
func series(release string) string {
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func model() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("unknown %s", runtime.GOARCH)
}
