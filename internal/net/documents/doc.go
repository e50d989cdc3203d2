// Package documents carries the documents of networks on a stream of a session
// (spec/network.md 10.6). Fetch is the end that asks, Serve the one that answers. Records are
// sealed and opened as those of the message channel. What is asked, given and taken is the
// caller's business: package gossip decides it.
//
// Each call runs until the stream is over or its context ends, holds at most one document
// beside those that it was given, and leaves no goroutine.
package documents
