package udp

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// Buffers are the socket buffers that this process would get, and those that it
// asks for, in bytes.
type Buffers struct{ Receive, Send, WantReceive, WantSend int }

// ProbeBuffers opens a UDP socket as Listen does, on loopback, and looks.
func ProbeBuffers() (b Buffers, err error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return b, err
	}
	defer c.Close()
	rc, err := c.SyscallConn()
	if err != nil {
		return b, err
	}
	b.WantReceive, b.WantSend = receiveBuffer, sendBuffer
	var errs [2]error
	err = rc.Control(func(fd uintptr) {
		setBuffer(int(fd), unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
		setBuffer(int(fd), unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
		b.Receive, errs[0] = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		b.Send, errs[1] = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	b.Receive, b.Send = b.Receive/2, b.Send/2 // the kernel shows twice what it grants
	return b, errors.Join(err, errs[0], errs[1])
}
