// Package paths decides by which path a session sends (SPEC 6.3 and 6.10): which
// candidates there are, what proves them, when each is probed, whether the path
// in use answers (dead peer detection), how large its records may be (path MTU
// discovery, RFC 8899), which path is preferred, when a path is left (failover)
// and when it is taken again (hold-down, revertive switching).
//
// A Machine is pure: events go in with the time, a list of actions comes out, and
// the caller executes them in order. It starts no goroutine, reads no clock,
// touches no socket and knows paths by ID only. An action that fails is the next
// event, never an error in the list. The session's loop owns a machine; it is not
// safe for concurrent use. Deadline says when Tick is due. Packets are no events:
// before each event the caller hands over, with Observe, what its counters say.
//
// Each concern has a struct of its own, here called a room, in a file of its own,
// and each field is written in that file alone:
//
//	live    dead peer detection on the path in use
//	inflow  packets that came steadily and cease
//	slots   when heartbeats leave that many sessions send
//	size    path MTU discovery and black-hole detection on the path in use
//	probe   probes under way and the time of the next, a path
//	proof   what has been proven of a path, a path
//	hold    hold-down of a path that was lost, a path
//	roam    where the peer's records come from, a path
//	conn    which connections stay, a path
//	choice  the path in use and the phase of the session
//	seek    where a better path may be found
//	prefer  the order of kinds
//	meter   what a path's queue has carried, a path
//	contest which of two kinds has the better goodput
//	budget  candidates that nobody has proven
//	gate    which remotes may be sent to
//	hubs    nodes that can open a remote, and how far each has come with a meeting
//	meet    the meeting of the two ends, and when the next may be
//
// The machine's own files join them: events (events.go, meetings.go), moving between paths
// (failover.go), measuring (measure.go) and looking for better paths (search.go);
// above them asking hubs and answering them (reach.go), what leaves then (knock.go)
// and circuits (circuit.go). Above all are the words for why a path is not direct
// (why.go).
//
// Without a hub nothing of meetings and circuits ever happens.
//
// Limits: at most maxCandidates candidates of the direct kind from which records
// came and maxTold that were told, beside the path in use, at most maxPerLink
// connections of a link, maxCircuits circuits, maxHubs hubs and maxOpenings open
// remotes.
package paths
