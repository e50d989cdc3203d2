// Package bench measures l2tun beside wireguard-go and the bare network, in
// network namespaces of one machine: what scripts/bench runs. Nothing that is
// shipped imports it.
//
//	host A                                        host B
//	iperf3 -c, ping ── tunnel ── eth0 ═══ veth ═══ eth0 ── tunnel ── iperf3 -s
//	                              └ IP relay (20 ms, 1 % loss) ┘
//
// A run consists of rounds. Each visits all contenders, one after the other and
// in another order than the round before; only the contender that is visited
// runs. So slow changes of the machine hit all alike, and a ratio compares
// figures of the same round. A figure that could not be taken is missing in the
// tables, never guessed.
//
// Run owns the lab, the daemons and every process that it starts; they are gone
// when it returns, and with this process if it is killed.
package bench
