package paths

import (
	"fmt"
	"net/netip"
	"strings"
)

// An Op is what the session is asked to do.
type Op uint8

const (
	// Probe sends a PROBE with Nonce in a record of Size bytes on ID. With Charged
	// it leaves only if as many bytes have come by the path and are not spent yet;
	// else the session reports Denied.
	Probe Op = iota + 1
	// Beat sends a HEARTBEAT with Nonce on ID.
	Beat
	// Use sends everything on ID from now on; with 0 packets wait.
	Use
	// Resize takes Size as the largest record of ID.
	Resize
	// Open makes the direct path to Remote, if there is such a carrier, and reports
	// Add with Origin, or Revisit if the path is known.
	Open
	// Dial starts an attempt that dials Links, or joins the one that runs: at Remotes
	// alone if there are any, and through the circuit of Hub if there is one. Without Links the next handshake of a session that is out of reach leaves now.
	Dial
	// Hangup closes the connection of ID, because of Why. Drop follows. With Silent no
	// packet says so: the remote is closed.
	Hangup
	// Drop forgets ID.
	Drop
	// Avoid dials Remote with small packets only, for a while.
	Avoid
	// Unpin lets records on ID leave from the local address that the system's
	// routes choose, until the peer is heard on it again.
	Unpin
	// Rotate asks for a new epoch: a record id must not link two addresses.
	Rotate
	// Lost says that no path answers.
	Lost
	// Restored says that one answers again; it is in use already.
	Restored
	// Answered and Missed say so of the newest heartbeat. Missed has the Count in
	// a row, and Quick if traffic waits for an answer.
	Answered
	Missed
	// BlackHole says that records above Size are lost on ID, of which it took more.
	BlackHole
	// Ask sends a MEET to Hub, for the Count-th time, with this end's candidates; with
	// Bare without them, because only a circuit is asked for; with Plain it asks for no
	// openers. The caller collects the candidates. Part is this end's in a spray; Spray
	// asks for one.
	Ask
	// Answer answers the peer's MEET at Hub: with Yes by a MET with this end's
	// candidates, and the caller Adds the circuit, or gives the one that the hub has new
	// labels; else by a NOT_MET. Part as of Ask; Spray agrees to one.
	Answer
	// Ready sends a READY by Hub: full packets have left.
	Ready
	// Openers sends one opener to each of Remotes, and reports Opened.
	Openers
	// Knock sends a knock to each of Remotes.
	Knock
	// OpenPorts opens many ports towards Remote, with an opener from each, and reports
	// Sprayed. KnockPorts knocks at many ports of the address of Remote, which has opened
	// them. StopPorts ends either, but for the port that was heard.
	OpenPorts
	KnockPorts
	StopPorts
	// Suspect says that Hub, or what it forwards, gives no answer: its session is to
	// find out at once.
	Suspect
	// Unmet says that a meeting has failed, in Why: a word as those for a path that is not
	// direct.
	Unmet
	// Compare says how the trial of ID by its goodput goes, in Why: it begins, ID is
	// better, or not, or that is undecided, with Size bytes a second at best, or the time
	// of that verdict is over. Count is the goodput of the kind that was left.
	Compare
)

var opNames = [...]string{Probe: "probe", Beat: "beat", Use: "use", Resize: "resize", Open: "open", Dial: "dial",
	Hangup: "hangup", Drop: "drop", Avoid: "avoid", Unpin: "unpin", Rotate: "rotate", Lost: "lost", Restored: "restored",
	Answered: "answered", Missed: "missed", BlackHole: "black-hole", Ask: "ask", Answer: "answer",
	Ready: "ready", Openers: "openers", Knock: "knock", OpenPorts: "open-ports", KnockPorts: "knock-ports", StopPorts: "stop-ports", Suspect: "suspect", Unmet: "unmet", Compare: "compare"}

func (o Op) String() string { return opNames[o] }

// An Action is one step for the session. Fields that its Op does not name are
// zero.
type Action struct {
	Op      Op
	ID      ID
	Nonce   uint64
	Size    int // bytes of the record, header and tag among them
	Count   int
	Charged bool
	Quick   bool
	Hub     Hub
	Yes     bool
	Bare    bool
	Plain   bool
	Silent  bool
	Spray   bool
	Part    Part
	Origin  Origin
	Remote  netip.AddrPort
	Remotes []netip.AddrPort
	Links   []Link
	Why     string
}

// String is for logs and tests: "probe 2 1452", "dial quic".
func (a Action) String() string {
	switch a.Op {
	case Probe:
		if a.Charged {
			return fmt.Sprintf("probe %d %d charged", a.ID, a.Size)
		}
		return fmt.Sprintf("probe %d %d", a.ID, a.Size)
	case Resize, BlackHole:
		return fmt.Sprintf("%v %d %d", a.Op, a.ID, a.Size)
	case Ask, Answer, Ready, Openers, Knock, Suspect:
		return a.meeting()
	case Open:
		return fmt.Sprintf("open %v %v", a.Remote, a.Origin)
	case Avoid, OpenPorts, KnockPorts:
		return fmt.Sprintf("%v %v", a.Op, a.Remote)
	case Dial:
		return strings.TrimSpace("dial " + joinLinks(a.Links) + joinRemotes(a.Remotes) + through(a.Hub))
	case Hangup:
		return fmt.Sprintf("hangup %d %s", a.ID, a.Why)
	case Compare:
		return strings.TrimSuffix(fmt.Sprintf("compare %d %s %d", a.ID, a.Why, a.Size), " 0")
	case Missed:
		return fmt.Sprintf("missed %d", a.Count)
	case Lost, Restored, Rotate, Answered, StopPorts:
		return a.Op.String()
	}
	return fmt.Sprintf("%v %d", a.Op, a.ID)
}

// meeting prints what meetings ask for: "ask h1 2 plain", "knock 192.0.2.1:4242".
func (a Action) meeting() string {
	text := a.Op.String() + joinRemotes(a.Remotes)
	if a.Hub != 0 {
		text += fmt.Sprintf(" h%d", a.Hub)
	}
	if a.Op == Ask {
		text += fmt.Sprintf(" %d", a.Count)
	}
	if a.Op == Answer && !a.Yes {
		text += " no"
	}
	if a.Bare {
		text += " bare"
	}
	if a.Plain {
		text += " plain"
	}
	if a.Part != NoPart {
		text += " " + a.Part.String()
	}
	if a.Spray {
		text += " spray"
	}
	return text
}

func through(h Hub) string {
	if h == 0 {
		return ""
	}
	return fmt.Sprintf(" through h%d", h)
}

func joinRemotes(remotes []netip.AddrPort) (text string) {
	for _, r := range remotes {
		text += " " + r.String()
	}
	return text
}

func joinLinks(links []Link) string {
	names := make([]string, len(links))
	for i, l := range links {
		names[i] = string(l)
	}
	return strings.Join(names, " ")
}
