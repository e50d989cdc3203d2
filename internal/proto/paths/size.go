package paths

import "time"

const (
	wideGap     = 500 * time.Millisecond // between questions while large records leave
	messageGap  = 5 * time.Second        // the same while messages are not acknowledged
	doubtGap    = 100 * time.Millisecond // between a round of doubt that was judged and the next
	askAgainGap = time.Second            // after a round without any answer
	recheckGap  = 10 * time.Minute       // full size on the direct path
	recheckTry  = 3                      // rounds without a full-size echo that shrink a path
)

// sizing is path MTU discovery on the path in use (RFC 8899). A black hole loses
// large records while small ones pass, heartbeats among them, and no ICMP says
// so: it is noticed from what does not arrive. SPEC 6.10.
type sizing struct {
	at      time.Time // next question; zero: none
	asked   time.Time // last question
	recheck time.Time // when the full size is asked anyway; zero: never
	tries   int       // rounds of sizes since the path's proof began
	left    int       // largest record that has left since the last question
	wide    int       // largest record that has left and is not known to have arrived
	doubt   bool      // such a one has not, or the full size had no echo
	misses  int       // rounds of doubt that only smaller sizes came back from
	best    int       // the largest of these
	judged  bool      // what came back since the last judgement was asked for by a round
	size    int       // the largest of that
	settle  time.Time // when it is judged; zero: nothing came back
}

// begin prepares a path that is used from now on. Where the peer has not told how
// it sees us it is asked at once.
func (z *sizing) begin(p *path, now time.Time) {
	*z = sizing{tries: p.probe.rounds, size: p.probe.largest, settle: p.probe.settles}
	if !p.Kind.Conn {
		z.recheck = p.probe.next
	}
	z.at = z.recheck
	if !p.proof.seen.IsValid() && !p.circuit() {
		z.at = now
	}
}

// end forgets everything: no path is in use.
func (z *sizing) end() { *z = sizing{} }

// sent notes the largest record that has left.
func (z *sizing) sent(bytes int) { z.left = max(z.left, bytes) }

// watch sees to it that large records are followed by a question, and messages
// that are not acknowledged by one for the full size.
func (z *sizing) watch(p *path, messages bool, now time.Time) {
	var at time.Time
	switch {
	case max(z.wide, z.left) > p.Kind.Safe:
		at = latest(now, z.asked.Add(wideGap))
	case p.Room > p.Kind.Safe && messages:
		at = latest(now, z.asked.Add(messageGap))
		z.recheck = earliest(z.recheck, at)
	default:
		return
	}
	z.at = earliest(z.at, at)
}

// ask plans a round. While nothing is in doubt a small probe does: its echo tells
// whether what has left has come. A round of doubt, and now and then another,
// asks for the sizes themselves, the smallest last.
func (z *sizing) ask(p *path, s Slots, now time.Time) (round []probe) {
	z.asked = now
	z.wide, z.left = max(z.wide, z.left), 0
	if !z.doubt && !due(z.recheck, now) {
		round = []probe{{bytes: smallProbe, at: now, alone: true, large: z.wide}}
	} else {
		z.tries++
		z.recheck = z.nextRecheck(p, s, now)
		for _, size := range sizesOf(p) {
			round = append(round, probe{bytes: size, at: now, judge: true})
		}
	}
	switch z.at = z.recheck; {
	case z.doubt:
		z.at = now.Add(askAgainGap)
	case !p.proof.seen.IsValid() && !p.circuit():
		z.at = earliest(z.recheck, now.Add(candidateGap))
	}
	return round
}

// nextRecheck is when the full size of the direct path is asked again: soon while
// large probes may have been lost by chance.
func (z *sizing) nextRecheck(p *path, s Slots, now time.Time) time.Time {
	switch {
	case p.Kind.Conn:
		return time.Time{}
	case z.tries < firstRounds:
		return now.Add(candidateGap)
	}
	return s.early(now.Add(recheckGap), recheckGap)
}

// sizesOf are what a round asks for: the packets of a connection have one size.
func sizesOf(p *path) []int {
	if p.Kind.Conn {
		return []int{p.Room, smallProbe}
	}
	return append(p.sizes(), smallProbe)
}

// echo takes an answer on the path in use.
func (z *sizing) echo(pr probe, p *path, widest int, now time.Time) {
	switch {
	case !pr.alone:
		if z.size = max(z.size, pr.bytes); widest >= p.Room {
			z.size = max(z.size, p.Room)
		}
		z.judged = z.judged || pr.judge
		if z.settle.IsZero() {
			z.settle = now.Add(settleTime)
		}
	case pr.large <= p.Kind.Safe || widest >= pr.large:
		z.wide = 0
	case !z.doubt:
		z.doubt, z.at = true, now
	}
}

// judge closes a round of sizes of which something came back. What was lost by
// chance shrinks nothing. Pass is the largest size that came back; hole reports
// that larger ones are lost for good, and best what passes then.
func (z *sizing) judge(room int, now time.Time) (pass, best int, hole bool) {
	pass = z.size
	judged := z.judged
	z.size, z.judged, z.settle = 0, false, time.Time{}
	switch {
	case pass >= room:
		*z = sizing{asked: z.asked, recheck: z.recheck, at: z.recheck, tries: z.tries, left: z.left}
	case judged:
		z.doubt, z.misses, z.best = true, z.misses+1, max(z.best, pass)
		z.at = now.Add(doubtGap)
	}
	return pass, z.best, judged && pass < room && z.misses >= recheckTry
}

// shrunk begins anew with a smaller room, which is asked about again soon.
func (z *sizing) shrunk(now time.Time) {
	*z = sizing{asked: now, recheck: now.Add(candidateGap), at: now.Add(candidateGap), tries: 1, left: z.left}
}

func (z *sizing) deadline() time.Time { return earliest(z.settle, z.at) }
