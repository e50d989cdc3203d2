// Package control is how programs talk to a running node: HTTP and JSON over a
// unix socket that only its owner can open, the types that travel there, and
// the files under /run/l2tun that say which node runs (lock and socket).
//
//	GET  /v1/status   200 Status
//	POST /v1/down     202 {}; then the node stops, frees its lock last
//	POST /v1/reload   200 {} once the new config is in use; 422 if it is refused
//	POST /v1/rotate   200 one result a peer, after 5 s at most
//	POST /v1/send     200 {} once the peer has acknowledged the message
//	POST /v1/receive  200 a stream of messages, each acknowledged in the request
//	GET  /v1/events   200 a stream of state changes
//	POST /v1/ping     200 one round trip to a peer
//	POST /v1/prefer   200 {}; a carrier is preferred
//	POST /v1/capture  200 a stream of pcapng, until the caller's body ends
//	GET  /metrics     200 Prometheus' text
//	anything else     404 or 405; every error is {"error": "one sentence"}
//
// The socket has mode 0600, and a caller that is neither root nor the node's own
// user, as the kernel names him, gets 403 whatever the mode is by then.
//
// A Server belongs to the node; Close waits for the calls under way. The node
// frees its lock last, and Client.Down waits for that. A Client is for one
// command and safe for concurrent use. Each group of calls has a file of its own.
//
// Limits: 32 connections, a request of 64 KiB with its headers in 5 s, a call
// of 30 s. The calls that wait for something to happen (send, receive, events)
// take as long as the caller stays, 24 of them at a time.
package control
