// Package datapath owns both packet loops and their buffers.
//
//	out  TUN read -> peer by destination -> seal into one buffer per peer -> one Send
//	in   one receive -> epoch by record id -> open -> source check -> one TUN write
//	                 -> or who has the label of a circuit
//
// A super-packet is sealed segment by segment, each one's headers written over the
// tail of the segment before, and put together again by opening each record so
// that its payload lands behind the one before. On utcp it is one record and one
// write, and small packets share a record.
//
// It decides nothing: sessions tell each Peer which epoch and path to use, and the
// loops read that through one atomic pointer. No lock is held
// across a system call, nothing is allocated per packet, and nothing goes to
// another goroutine but frames, which are copied. Packets without a path are
// queued per peer, so that no peer delays another. SPEC section 7.
package datapath
