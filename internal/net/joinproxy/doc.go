// Package joinproxy passes joins on through a hub, a join proxy as in RFC 8995
// (SPEC 6.11). A Proxy is both ends of it: at a hub, Ask sends what a joining node has
// sealed in the session with the inviting node, and waits for the answer; at an inviting
// node, what a hub brings is decided about, and answered.
//
// Frames come from the loops of sessions, which never wait: what is to be decided is
// put into a queue, and one goroutine of the Proxy, which ends when the queue is empty,
// takes one after the other. Close waits for it.
//
// Limits: maxQueue requests wait, perSecond of a hub are taken each second; at a hub
// maxAsks joins wait for an answer, maxAsksOf of them for one inviting node, askFor at
// most.
package joinproxy
