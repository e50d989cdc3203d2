// Package relay is the side of a hub: who may meet whom through it, which circuits
// stand and by which labels they run, and how many bytes each source may send
// through it.
//
// A Machine is pure: events go in with the time, a list of actions comes out, and
// the caller executes them in order. It starts no goroutine, reads no clock, touches
// no socket and knows sessions by DID, circuits by handle and datagrams not at all:
// its actions fill and empty the table by which others forward. An action that fails
// is the next event, never an error in the list. One goroutine owns a machine; it is
// not safe for concurrent use. Deadline says when Tick is due.
//
// A meeting, with the frames that the events and actions stand for:
//
//	A -- MEET --> hub -- MEET --> B    Meet, SendMeet: if both are admitted
//	A <-- MET --- hub <-- MET --- B    Met, Fill, SendMet: from here on the circuit stands
//	A -- READY -> hub -- READY -> B    Ready, SendReady
//
// The hub keeps nothing of what MEET and MET carry beside labels: a MEET that is
// repeated goes to B again, and B answers it again. Two nodes have one meeting at a
// time: when both ask, the one with the smaller digest stays the caller. They have
// one circuit, which later meetings keep.
//
// A label is drawn by who receives under it: a circuit has two at the hub and one at
// each end. A leg is the path by which the hub sends to a peer now. When it moves,
// both labels of the leg change, so that they do not link two places: the hub draws
// another one and says so (SendLabel) until the peer has said that it sends under it;
// the peer draws another one and says so (Relabel) until the hub has said that it
// sends under it. Each receives under its old label meanwhile, the hub for a limited
// time. Both frames have both labels of the leg, so whatever is lost, repeated or out
// of order, the two agree in the end.
//
// A caller learns nothing about others without their consent: every refusal is
// Absent, but what the hub's own limits cause. Limits of the callee are judged when
// it has answered.
//
// Each concern has a struct of its own, here called a room, in a file of its own,
// and each field is written in that file alone:
//
//	facts   the session with a peer
//	budget  the rate of a peer's meetings
//	places  how many circuits and meetings a peer has
//	home    whether a peer is at home here, and until when
//	asking  the meeting of a pair that is under way
//	circuit the circuit of a pair and when it was used
//	leg     the labels of a circuit towards one end
//	timers  what is due next
//
// A Meter is the other half: it judges bytes on the packet path, takes the time as an
// argument too, and is safe for concurrent use. It has a token bucket for each source and
// one for all, and a model of fair queueing (fluid) that says who is above its share.
//
// Limits: PeerCircuits circuits a peer, maxAsks meetings that it has asked for and
// maxAsked for which it was asked; Circuits circuits and as many meetings in all;
// meetRate meetings a second a peer. Everything of a peer goes with its session.
package relay
