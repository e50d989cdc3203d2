package main

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// firstPassedFD is the first descriptor that a caller can pass (systemd's rule
// too): those before it are the standard ones.
const firstPassedFD = 3

func checkTunFD(fd int) error {
	if fd == 0 {
		return nil
	}
	if fd >= firstPassedFD {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) != nil {
			return usagef("--tun-fd %d: this descriptor is not open", fd)
		}
		return nil
	}
	return usagef("--tun-fd %d: the descriptor of a TUN device is %d or more", fd, firstPassedFD)
}

// passTunFD gives the descriptor on to a command, which finds it under a number
// of its own.
func passTunFD(c *exec.Cmd, fd int) {
	if fd == 0 {
		return
	}
	c.Args = append(c.Args, "--tun-fd", strconv.Itoa(firstPassedFD+len(c.ExtraFiles)))
	c.ExtraFiles = append(c.ExtraFiles, os.NewFile(uintptr(fd), "tun"))
}
