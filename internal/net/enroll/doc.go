// Package enroll is joining by invitation on the wire (SPEC 6.11): a node asks
// another one, which need not know it, and gets an answer; both have proven their
// DIDs by then, and no session comes of it. What requests and answers say is the
// callers' business (internal/app/invite).
package enroll
