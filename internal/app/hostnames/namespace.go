package hostnames

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// namespace is the one of a kind that a process is in; empty if this one may not look.
func namespace(pid, kind string) string {
	is, _ := os.Readlink(fmt.Sprintf("/proc/%s/ns/%s", pid, kind))
	return is
}

// apart reports whether this process is in another network namespace than the first one of
// those that have the same files, which is the host's, or the container's.
func apart() bool {
	files, network := namespace("self", "mnt"), namespace("self", "net")
	for _, pid := range processes() {
		if namespace(pid, "mnt") == files && files != "" {
			return namespace(pid, "net") != network
		}
	}
	return false
}

// processes are the numbers of all processes, the oldest mostly first.
func processes() []string {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var numbers []int
	for _, e := range all {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var pids []string
	for _, n := range numbers {
		pids = append(pids, strconv.Itoa(n))
	}
	return pids
}

// CheckPlace reports why the names of a node in this network namespace are no business of
// the host whose files it has: the addresses lead nowhere there. A node with files of its
// own (a mount namespace, as ip netns exec makes one) is not meant.
func CheckPlace() error {
	if apart() {
		return errors.New("this node is in a network namespace of its own and shares /etc with the host, where its addresses lead nowhere")
	}
	return nil
}
