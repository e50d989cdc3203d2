// Package msgchan is the message channel between two nodes (SPEC 6.7): messages
// of at most 1 MiB, exactly once and in order for a pair of incarnations, across
// rotation, changes of path and outages. It needs a stream to write to and the
// epochs of the session, and nothing else of it.
//
// A Channel is both directions; its methods are safe for concurrent use. It
// starts a goroutine for the second direction of each stream that Carry and Serve
// are given, and ends it before they return. A Runner belongs to the loop of the
// session and keeps the sending end on the connection in use.
package msgchan
