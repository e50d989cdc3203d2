package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// endProcessesIn kills what is left inside the hosts, a daemon that left its
// process group for example, and waits until it is gone. A private namespace is
// entered only by what we started, so nothing else can be hit; this process
// itself lives elsewhere.
func endProcessesIn(hosts []*Host) error {
	deadline := time.Now().Add(3 * time.Second)
	for {
		left := processesIn(hosts)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lab: processes %v do not end", left)
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// processesIn lists the other processes whose network namespace is one of the
// hosts'. A zombie has none any more.
func processesIn(hosts []*Host) (pids []int) {
	inside := make(map[string]bool)
	for _, h := range hosts {
		inside[fmt.Sprintf("net:[%d]", h.inode)] = true
	}
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		var pid int
		_, _ = fmt.Sscanf(link, "/proc/%d/", &pid)
		target, _ := os.Readlink(link)
		if inside[target] && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
