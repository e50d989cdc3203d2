package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/libertaria-project/l2tun/test/lab"
)

// enter makes the namespaces that Run started this process in fit for the demo.
// outside is the mount namespace of Run: in that one nothing is ever mounted.
func enter(outside string) error {
	if !isolatedFrom(outside) {
		return errors.New("-inside is for the demo itself, in namespaces of its own; run: go run ./test/demo")
	}
	unprivileged := mapped()
	if err := coverRun(); err != nil {
		return refused(err, unprivileged)
	}
	if err := takeProgram(); err != nil {
		return fmt.Errorf("cannot copy the program: %w", err)
	}
	tun, err := os.OpenFile(lab.TUN, os.O_RDWR, 0)
	if err != nil {
		return noTUN(err, unprivileged)
	}
	return tun.Close()
}

// isolatedFrom reports whether this process is in another mount namespace than
// the one named, as "mnt:[4026531841]".
func isolatedFrom(outside string) bool {
	var id uint64
	_, wrong := fmt.Sscanf(outside, "mnt:[%d]", &id)
	here, err := os.Readlink(mounts)
	return wrong == nil && err == nil && here != outside
}

// coverRun gives this process and its children a /run of their own.
func coverRun() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return err
	}
	return syscall.Mount("l2tun-demo", private, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0700,size=128m")
}

// mapped reports whether the root that this process is, is one of a user
// namespace with one user: the one that isolated makes.
func mapped() bool {
	m, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, size uint64
	if err == nil {
		_, err = fmt.Sscan(string(m), &inside, &outside, &size)
	}
	return err == nil && size == 1
}

// refused is the sentence for a system that does not give us namespaces.
func refused(err error, unprivileged bool) error {
	if unprivileged {
		return fmt.Errorf("without root the demo needs a user namespace, which this system does not give it (%w); run it as root: go run ./test/demo", err)
	}
	return fmt.Errorf("the demo needs network and mount namespaces, which this system does not give even to root (%w); run it outside of the container, or in one started with --privileged", err)
}

// noTUN is the sentence for a system without a TUN device for us.
func noTUN(err error, unprivileged bool) error {
	switch {
	case errors.Is(err, os.ErrPermission) && unprivileged:
		return fmt.Errorf("only root may open %s here; run it as root: go run ./test/demo", lab.TUN)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("opening %s is not allowed; give the container that device: --device %s", lab.TUN, lab.TUN)
	}
	return fmt.Errorf("the kernel has no TUN device (%w); run: sudo modprobe tun", err)
}
