// Package hub executes what the hub's side of meetings and circuits decides
// (internal/proto/relay): a Hub turns frames of sessions into events of the machine,
// its actions into frames and into entries of the table of record ids, and forwards
// the datagrams of circuits.
//
// One goroutine owns the machine. Sessions post to its mailbox and never wait for it;
// what waits is bounded for each peer and in all. Forwarding does not pass that
// goroutine: an entry of the table is a link.DatagramReceiver, which the goroutine
// that has received a run of datagrams calls. It checks the source, charges the run to
// it, writes the other label over each datagram's and sends all of them with one call
// on the path by which the hub sends to the other end. It allocates nothing and holds
// no lock meanwhile. What a path does not take at once is dropped, so that forwarded
// datagrams do not wait in front of the hub's own.
//
// Limits: maxWaiting frames of a peer and maxWaitingAll in all wait for the goroutine;
// the machine has its own.
package hub
