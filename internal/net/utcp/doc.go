// Package utcp is μTCP (SPEC 3.6): TCP connections that carry streams, and records
// that are dropped rather than late, for networks where UDP does not pass.
//
// A Door listens and dials. Each connection has one goroutine that reads and one
// that waits for a full socket; the owner of the Door starts them (Options.Start)
// and waits for their end. An accepted connection is a stranger's until its method
// Proven is called: it buffers little, has a place among a bounded number, and is
// told nothing.
package utcp
