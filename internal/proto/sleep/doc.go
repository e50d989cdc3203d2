// Package sleep decides when a session sleeps, when sleeping sessions are woken and
// which hubs are a node's homes (SPEC 6.13). A sleeping session has no keys in
// use, no path and no timer; a packet, a message or a meeting wakes it.
//
// Its machines are pure: events go in with the time, actions come out, and the
// caller executes them in order. They start no goroutine and read no clock. An action
// that fails is the next event. One goroutine owns a machine. Deadline says when Tick
// is due.
//
//	Machine  the sleep of one session
//	Wakes    how many sessions a node wakes at once
//	Homes    the hubs that keep a session with this node awake
//
// How two ends fall asleep:
//
//	A -- SLEEP ask ----> B    nothing was used for IdleAfter, and B can wake A
//	A <-- SLEEP agree -- B    A can wake B; B sends nothing any more, and receives for 5 s
//	A sends nothing any more, and receives for 5 s
//
// An end that has agreed and wants to send within 2 s does so under the keys that
// there are; later it sleeps first and is woken like any other. The other end
// receives for longer than that by a round trip of up to 3 s, so nothing is sent to
// an end that has gone. What comes in wakes at once. Whoever wakes says so by SLEEP
// refuse, which wakes the other end too: it may have nothing to send.
//
// An ask is repeated every second, five times. An end that hears nothing then does not
// know whether the other sleeps, and has it asked by a heartbeat.
package sleep
