package filter

// A Verdict is what becomes of a packet: Pass, or the reason for which it is dropped.
type Verdict uint8

const (
	Pass        Verdict = iota
	NotGranted          // nothing grants it
	Destination         // it goes to an address that the peer may not reach at all
	Scan                // a TCP segment that belongs to no flow: without SYN, ACK and RST, or SYN with FIN
	Reply               // an ICMP error about nothing that this host has sent
	Link                // a message that is for one link: neighbour discovery, routers, redirects
	Fragment            // no first fragment of it has passed, or the first is too short to be judged
	Malformed           // cut short, or with more extension headers than are looked at

	verdicts
)

var verdictNames = [verdicts]string{Pass: "pass", NotGranted: "not_granted", Destination: "destination", Scan: "scan", Reply: "reply",
	Link: "link_message", Fragment: "fragment", Malformed: "malformed"}

// String is the word in status and metrics, behind "filter_"; it stays.
func (v Verdict) String() string { return verdictNames[v] }

// Verdicts are all reasons for which packets are dropped.
func Verdicts() (all []Verdict) {
	for v := NotGranted; v < verdicts; v++ {
		all = append(all, v)
	}
	return all
}
