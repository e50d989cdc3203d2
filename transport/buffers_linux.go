package transport

import "github.com/libertaria-project/l2tun/internal/net/udp"

// Buffers are the socket buffers that this process would get, and those that it
// asks for, in bytes.
type Buffers = udp.Buffers

// ProbeBuffers opens a UDP socket as Listen does, on loopback, and looks.
func ProbeBuffers() (Buffers, error) { return udp.ProbeBuffers() }
