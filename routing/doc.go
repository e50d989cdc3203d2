// Package routing maps addresses to peers and installs kernel routes.
//
// Table maps prefixes to owners, longest match first: the owner of a packet's
// destination gets it, and a packet from a peer is accepted only if that peer
// owns its source. Readers take no lock; writers replace an immutable table.
// Kernel puts routes of one interface into the main routing table and takes
// them out again. Watch reports changes of the host's addresses and routes.
//
// Journal is the file of what Kernel has put, for the case that a device outlives
// the process: UndoJournal takes out what is left.
//
// Limits: nothing here lives longer than the process. Routes belong to an
// interface and vanish with it, after kill -9 too; they carry route protocol
// 108 so that `ip route show proto 108` shows them. Kernel and Watch are Linux.
package routing
