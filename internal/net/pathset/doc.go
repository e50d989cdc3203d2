// Package pathset executes what the path machine (internal/proto/paths) decides for
// one session: a Set has what carries each path of the machine, hands events over
// with the facts of the moment, and performs the actions in order. What an action
// brings about is the next event; its actions follow those that are still to be
// done.
//
// A Set belongs to the loop of its session and is for one goroutine. It reaches the
// session by the Owner, which must not block.
package pathset
