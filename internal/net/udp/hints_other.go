//go:build !linux

package udp

import "syscall"

// maxPending is none: without IP_RECVERR no errors wait on the socket.
const maxPending = 0

func isICMP(error) bool { return false }

func isUnreachable(error) bool { return false }

// An errorQueue is empty here.
type errorQueue struct{ report report }

func newErrorQueue(syscall.RawConn) *errorQueue { return new(errorQueue) }

func (q *errorQueue) next() bool { return false }
