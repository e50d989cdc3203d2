package hostnames

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/libertaria-project/l2tun/internal/app/hosts"
)

// namespace is the one of a kind that a process is in; empty if this one may not look.
func namespace(pid, kind string) string {
	is, _ := os.Readlink(fmt.Sprintf("/proc/%s/ns/%s", pid, kind))
	return is
}

// apart reports whether this process is in another network namespace than the first one
// that it may look at, which is the host's or the container's, and shares is whether both
// have one /etc/hosts.
func apart() (elsewhere, shares bool) {
	for _, pid := range processes() {
		network := namespace(pid, "net")
		if network == "" {
			continue
		}
		theirs, err := os.Stat("/proc/" + pid + "/root" + hosts.File)
		own, ownErr := os.Stat(hosts.File)
		return network != namespace("self", "net"), err == nil && ownErr == nil && os.SameFile(theirs, own)
	}
	return false, false
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
// the host whose /etc/hosts it has: the addresses lead nowhere there. A node with a file of
// its own, as /etc/netns gives one, is not meant.
func CheckPlace() error {
	if elsewhere, shares := apart(); elsewhere && shares {
		return errors.New("this node is in a network namespace of its own and has the /etc/hosts of the host, where its addresses lead nowhere")
	}
	return nil
}
