// Package frames sends the control frames of a session, sealed, on a path, and has
// the packet side of sessions without a TUN device, which carry frames only, and the
// labels of circuits. The
// caller decides under which epoch and on which path. Send is safe for concurrent
// use; so are Planes.
package frames
