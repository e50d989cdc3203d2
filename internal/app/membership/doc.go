// Package membership owns the networks of a running node: the documents, their files and
// how they spread (spec/network.md 10.5, 10.6). Package network judges documents, netstore
// keeps them, gossip decides who is told and asked; an Owner is the goroutine between the
// three and the sessions.
//
// What it publishes are Networks, which never change: who is a member, by documents that are
// on disk. Whoever uses members reads them with Owner.Networks and is called by
// Config.Changed, on the owner's goroutine, before other nodes hear of the change: a member
// that was removed has no session any more when the first of them does.
//
// The owner's goroutine alone reads the clock and touches States, store and machine. Fetches
// and answers run in goroutines of their own, which end with Close.
package membership
