// Package frames sends the control frames of a session, sealed, on a path, and has
// the packet side of sessions without a TUN device, which carry frames only. Their
// table has the labels of circuits too. The caller decides under which epoch and on
// which path. Send is safe for concurrent use; so are Planes.
package frames
