package paths

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	scripts "github.com/libertaria-project/l2tun/test/script"
)

// A script drives one machine as a file of testdata says; Then has the actions.
type script struct {
	*scripts.Log
	t       *testing.T
	h       *host
	names   map[string]*way
	watch   []string      // ops that are printed; empty: all but beat, answered, drop
	traffic time.Duration // between packets; 0: none leave
	bytes   int           // of each
	talks   string        // path by which the peer sends
	brings  int           // bytes each time
	dialled bool
}

// Among the scripts: meet_second_try.txt, the silence after a meeting that failed, SPEC
// R-6.13-8; circuit_is_no_evidence.txt, SPEC R-6.13-10.
func TestScripts(t *testing.T) { scripts.Run(t, begin) }

// begin makes the machine of one script.
func begin(t *testing.T, l *scripts.Log) scripts.World {
	s := &script{t: t, Log: l, h: newHost(&clock{now: start0}, 1), names: make(map[string]*way)}
	s.h.note = s.print
	s.h.dial = func(Action) {
		if s.h.facts.Dialling = true; !s.dialled {
			s.dialled = true
		}
	}
	return s
}

func (s *script) Now() time.Time { return s.h.c.now }
func (s *script) End()           {}
func (s *script) String() string { return s.h.m.String() }

func (s *script) print(a Action) {
	quiet := []string{"beat", "answered", "drop"}
	if slices.Contains(s.watch, a.Op.String()) || len(s.watch) == 0 && !slices.Contains(quiet, a.Op.String()) {
		text := a.String()
		if w := s.h.find(a.ID); w != nil {
			text = strings.Replace(text, fmt.Sprintf(" %d", a.ID), " "+s.nameOf(w), 1)
		}
		s.Say(fmt.Sprintf("%v %s", s.Since(s.Now()), text))
	}
}

// nameOf is the name of a path in the script; direct ones that the machine asks
// for are named after their kind.
func (s *script) nameOf(w *way) string {
	for n, x := range s.names {
		if x == w {
			return n
		}
	}
	name := w.path.Kind.Name
	for n := 2; s.names[name] != nil; n++ {
		name = w.path.Kind.Name + strconv.Itoa(n)
	}
	s.names[name] = w
	return name
}

// named is a path that exists.
func (s *script) named(name string) *way {
	for _, w := range s.h.ways {
		s.nameOf(w)
	}
	w := s.names[name]
	if w == nil {
		s.t.Fatalf("no path %s", name)
	}
	return w
}

func (s *script) pass(d time.Duration) {
	for end := s.h.c.now.Add(d); s.h.c.now.Before(end); {
		step := end.Sub(s.h.c.now)
		if s.traffic > 0 || s.talks != "" {
			step = min(step, 20*time.Millisecond)
			if s.traffic > 0 {
				step = min(step, s.traffic)
			}
		}
		s.h.c.run(step, s.h)
		if s.traffic > 0 {
			s.h.packet(s.bytes)
		}
		if w := s.names[s.talks]; w != nil && !w.line.cut && s.h.find(w.id) != nil {
			w.load.Came += int64(s.brings)
			s.h.hear(w)
		}
	}
}

// Command runs one line.
func (s *script) Command(text string) {
	w := strings.Fields(text)
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	switch w[0] {
	case "pass":
		d, err := time.ParseDuration(arg(1))
		if err != nil {
			s.t.Fatal(err)
		}
		s.pass(d)
	case "watch":
		s.watch = w[1:]
	case "conn":
		s.conn(arg(1), arg(2), w[3:])
	case "heard", "open":
		o := map[string]Origin{"heard": Heard, "open": Shown}[w[0]]
		if x := s.h.add(Path{Kind: direct, Remote: netip.MustParseAddrPort(arg(2)), Local: s.h.addr, Origin: o, Room: 1232}); x != nil {
			s.names[arg(1)], x.line = x, &line{delay: 10 * time.Millisecond}
		} else {
			s.Say("refused " + arg(1))
		}
	case "brought":
		s.named(arg(1)).came += s.number(arg(2))
	case "handshake":
		x := s.named(arg(1))
		s.h.handshake(x, Completion{Won: slices.Contains(w, "won"), Fresh: slices.Contains(w, "fresh")})
		s.h.facts.Dialling = false
	case "again":
		x := s.named(arg(1))
		s.h.tell(func(now time.Time) []Action { return s.h.m.Revisit(now, x.id, Handshake) })
	case "line":
		s.line(s.named(arg(1)).line, w[2:])
	case "kind":
		s.line(s.h.lines[arg(1)], w[2:])
	case "gone":
		s.h.gone(s.named(arg(1)))
	case "follows":
		s.named(arg(1)).path.Remote = netip.MustParseAddrPort(arg(2))
	default:
		s.more(w, arg)
	}
}

func (s *script) more(w []string, arg func(int) string) {
	m := s.h.m
	switch w[0] {
	case "state":
		i := slices.Index(phaseNames[:], arg(1))
		s.h.state(Phase(i))
	case "records":
		x := s.named(arg(1))
		s.h.hear(x)
		s.h.tell(func(now time.Time) []Action { return m.Moved(now, x.id) })
	case "probed":
		x := s.named(arg(1))
		s.h.tell(func(now time.Time) []Action { return m.Probed(now, x.id) })
	case "beaten":
		x := s.named(arg(1))
		s.h.tell(func(now time.Time) []Action { return m.Beaten(now, x.id) })
	case "prefer":
		k := map[string]Kind{"direct": direct, "datagram": datagram, "utcp": utcp}[arg(1)]
		s.h.tell(func(now time.Time) []Action { return m.Prefer(now, k) })
	case "hint":
		s.h.tell(func(now time.Time) []Action { return m.Hint(now, netip.MustParseAddrPort(arg(1))) })
	case "host":
		s.h.tell(m.Host)
	case "address":
		s.h.addr = netip.MustParseAddrPort(arg(1))
	case "restarted":
		s.h.tell(m.Restarted)
	case "clear":
		s.h.perform(m.Clear())
		s.h.ways, s.h.using = nil, nil
	case "queue":
		if s.h.facts.Queued = arg(1) == "on"; s.h.facts.Queued {
			s.h.tell(m.Demand)
		}
	case "traffic":
		s.traffic, s.bytes = 0, 0
		if arg(1) != "off" {
			s.traffic, s.bytes = 20*time.Millisecond, s.number(arg(1))
		}
		if arg(2) != "" { // the distance
			var err error
			if s.traffic, err = time.ParseDuration(arg(2)); err != nil {
				s.t.Fatal(err)
			}
		}
	case "peer":
		if s.talks, s.brings = arg(1), 0; arg(2) != "" {
			s.brings = s.number(arg(2))
		}
	case "only":
		m.cfg.Kinds = nil
		for _, name := range w[1:] {
			m.cfg.Kinds = append(m.cfg.Kinds, map[string]Kind{"direct": direct, "datagram": datagram, "utcp": utcp}[name])
		}
	case "hub":
		h, _ := strconv.Atoi(strings.TrimPrefix(arg(1), "h"))
		x := HubState{Up: arg(2) == "up", RTT: 20 * time.Millisecond}
		if arg(4) != "" { // how likely the peer and this node are at home there
			x.Theirs, x.Ours = uint64(s.number(arg(3))), uint64(s.number(arg(4)))
		}
		s.h.tell(func(now time.Time) []Action { return m.Hub(now, Hub(h), x) })
	case "configured":
		s.h.tell(func(time.Time) []Action { return m.Configured([]netip.AddrPort{netip.MustParseAddrPort(arg(1))}) })
	case "asked", "met", "notmet", "readied", "knocked":
		s.meeting(w)
	case "circuit":
		h, _ := strconv.Atoi(strings.TrimPrefix(arg(2), "h"))
		x := s.h.add(Path{Kind: circuit, Via: Hub(h), Origin: Forwarded, Room: circuitSafe})
		x.line = &line{delay: 20 * time.Millisecond}
		s.names[arg(1)] = x
	case "caller":
		m.cfg.Caller = true
	case "why?":
		s.Say(fmt.Sprintf("%v why %q", s.Since(s.Now()), m.Summary().Why))
	case "told":
		s.h.tell(func(now time.Time) []Action { return m.Told(now, candidates(w[1:])) })
	case "state?":
		s.Say(strings.Split(strings.TrimRight(m.String(), "\n"), "\n")...)
	default:
		s.fact(w[0], arg(1))
	}
}

// meeting is what a hub brings: "met h1 192.0.2.1:4242 plain".
func (s *script) meeting(w []string) {
	e := MeetEvent{Step: map[string]MeetStep{"asked": Asked, "met": Met, "notmet": NotMet, "readied": Readied, "knocked": Knocked}[w[0]]}
	if e.Step == Knocked {
		e.Remote = netip.MustParseAddrPort(w[1])
		w = w[:1]
	}
	h := 0
	if len(w) > 1 {
		h, _ = strconv.Atoi(strings.TrimPrefix(w[1], "h"))
		if rest := slices.Clone(w[2:]); len(rest) > 0 {
			n := len(rest)
			rest = slices.DeleteFunc(rest, func(x string) bool { return x == "plain" })
			e.Plain = len(rest) < n
			e.Part, e.Spray, rest = sprayWords(rest)
			e.Candidates = candidates(rest)
		}
	}
	s.h.tell(func(now time.Time) []Action { return s.h.m.Meeting(now, Hub(h), e) })
}

// candidates reads addresses; "near" and "ours" belong to the one before.
func candidates(words []string) (out []Candidate) {
	for _, w := range words {
		switch last := len(out) - 1; w {
		case "near":
			out[last].Near = true
		case "ours":
			out[last].Ours = true
		case "seen":
			out[last].Origin = AtHub
		default:
			out = append(out, Candidate{Remote: netip.MustParseAddrPort(w), Origin: Told})
		}
	}
	return out
}

// fact sets one of the facts.
func (s *script) fact(name, value string) {
	on, f := value != "off", &s.h.facts
	switch name {
	case "keys":
		f.Keys = on
	case "keep":
		f.Keep = on
	case "dialling":
		f.Dialling = on
	case "yields":
		f.Yields = on
	case "messages":
		f.Messages = on
	case "part":
		f.Part, _, _ = sprayWords([]string{value})
	case "ports": // what has come of OpenPorts
		step := map[string]SprayStep{"open": PortsOpen, "refused": PortsRefused, "heard": PortHeard}[value]
		s.h.tell(func(now time.Time) []Action { return s.h.m.Sprayed(now, step) })
	default:
		s.t.Fatalf("no command %s", name)
	}
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// conn makes a connection whose handshake is under way.
func (s *script) conn(name, kind string, rest []string) {
	k := map[string]Kind{"datagram": datagram, "utcp": utcp}[kind]
	p := Path{Kind: k, Remote: netip.MustParseAddrPort("10.0.0.2:1"), Local: s.h.addr, Origin: Handshake, Room: 1415, Inbound: slices.Contains(rest, "inbound")}
	if len(rest) > 0 && rest[0] != "inbound" && rest[0] != "via" {
		p.Remote = netip.MustParseAddrPort(rest[0])
	}
	if k == utcp {
		p.Room = 16384
	}
	if i := slices.Index(rest, "via"); i >= 0 {
		h, _ := strconv.Atoi(strings.TrimPrefix(rest[i+1], "h"))
		p.Via, p.Remote, p.Room = Hub(h), netip.AddrPort{}, 1163
	}
	if x := s.h.add(p); x != nil {
		x.line = &line{delay: 10 * time.Millisecond}
		s.names[name] = x
	}
}

// line changes what a line does: "cut", "heals", "limit 1400", "delay 1s",
// "rate 50000".
func (s *script) line(l *line, w []string) {
	switch w[0] {
	case "cut":
		l.cut = true
	case "heals":
		l.cut, l.limit, l.rate = false, 0, 0
	case "rate":
		l.rate = s.number(w[1])
	case "limit":
		l.limit = s.number(w[1])
	case "delay":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			s.t.Fatal(err)
		}
		l.delay = d
	}
}
