// Package slumber executes what the machines of sleep (internal/proto/sleep) decide, SPEC
// 6.13: a Sleep for one session, and Sleepers for what the sessions of a node have in
// common.
//
// A Sleep belongs to the loop of its session and is for one goroutine. It reaches the
// session by the Session, which must not block. Sleepers have a goroutine of their own;
// their calls return at once, and any goroutine may make them.
package slumber
