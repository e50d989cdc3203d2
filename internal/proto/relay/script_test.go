package relay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	scripts "github.com/libertaria-project/l2tun/test/script"
)

// A script drives one hub as a file of testdata says; Then has the actions. Peers are letters, labels of ends l and a number, labels that
// the hub draws h and a number.
type script struct {
	*scripts.Log
	*board
	names *strings.Replacer
}

// Among the scripts: admission.txt and not_from_here.txt, what is passed on at all, SPEC
// R-6.13-4; callee_does_not_want.txt and callee_is_silent.txt, the same word for every
// cause, SPEC R-6.13-5.
func TestScripts(t *testing.T) { scripts.Run(t, begin) }

// names replaces digests and labels by what scripts call them.
func names() *strings.Replacer {
	pairs := []string{fmt.Sprintf("%x", Label{}), "none"}
	for c := byte('a'); c <= 'z'; c++ {
		pairs = append(pairs, fmt.Sprintf("%x", []byte{c, 0, 0}), string(c))
	}
	for i := range uint64(300) {
		pairs = append(pairs, fmt.Sprintf("%x", drawn(i)), fmt.Sprintf("h%d", i), fmt.Sprintf("%x", label(i)), fmt.Sprintf("l%d", i))
	}
	return strings.NewReplacer(pairs...)
}

// begin makes the hub of one script.
func begin(t *testing.T, l *scripts.Log) scripts.World {
	return &script{Log: l, board: newBoard(t, Config{Mode: Peers, PeerCircuits: 3, Circuits: 5}), names: names()}
}

func (s *script) Now() time.Time { return s.now }
func (s *script) End()           { s.empty() }
func (s *script) String() string { return s.m.String() }

// Command runs one line, and what is due at once.
func (s *script) Command(text string) {
	s.command(text)
	s.settled()
}

// do prints what an event brings about, and performs it.
func (s *script) do(list []Action) {
	s.t.Helper()
	for _, a := range list {
		s.say("%v %v", s.Since(s.now), a)
	}
	s.perform(list)
}

func (s *script) say(format string, args ...any) {
	s.Say(strings.Split(s.names.Replace(strings.TrimRight(fmt.Sprintf(format, args...), "\n")), "\n")...)
}

// command runs one line.
func (s *script) command(text string) {
	w := append(strings.Fields(text), "", "", "", "", "")
	m := s.m
	meeting := func() Meeting { return Meeting{ID: uint32(s.number(w[3])), Other: peerOf(w[2])} }
	switch w[0] {
	case "up":
		s.rises(w)
	case "ended":
		delete(s.up, peerOf(w[1]))
		s.do(m.Ended(s.now, peerOf(w[1])))
	case "allow":
		s.mode = Mode(slices.Index(modeNames[:], w[1]))
		s.do(m.Allow(s.now, s.mode))
	case "rtt":
		m.Measured(peerOf(w[1]), s.duration(w[2]))
	case "moved":
		s.do(m.Moved(s.now, peerOf(w[1])))
	case "meet":
		s.do(m.Meet(s.now, peerOf(w[1]), meeting(), s.label(w[4])))
	case "met":
		s.do(m.Met(s.now, peerOf(w[1]), meeting(), s.label(w[4])))
	case "relabel":
		s.do(m.Relabel(s.now, peerOf(w[1]), meeting(), s.label(w[4]), s.label(w[5])))
	case "ready":
		s.do(m.Ready(s.now, peerOf(w[1]), uint32(s.number(w[2]))))
	case "not-met":
		s.do(m.NotMet(s.now, peerOf(w[1]), uint32(s.number(w[2])), peerOf(w[3])))
	case "home":
		s.do(m.Home(s.now, peerOf(w[1]), s.duration(w[2])))
	case "failed":
		s.do(m.Failed(s.now, Circuit(s.number(w[1]))))
	case "used":
		s.moved[Circuit(s.number(w[1]))] = true
	default:
		s.more(w)
	}
}

func (s *script) more(w []string) {
	switch w[0] {
	case "pass":
		s.wait(s.duration(w[1]))
	case "circuits": // between peers that are up, each under labels of its own
		a, b := peerOf(w[1]), peerOf(w[2])
		id := uint32(s.number(w[3]))
		s.perform(s.m.Meet(s.now, a, Meeting{id, b}, label(uint64(id))))
		s.perform(s.m.Met(s.now, b, Meeting{id, a}, label(uint64(id))))
	case "many": // MEET again and again: many a b 60
		for i := range s.number(w[3]) {
			s.do(s.m.Meet(s.now, peerOf(w[1]), Meeting{uint32(1000 + i), peerOf(w[2])}, label(uint64(100+i))))
		}
	case "state?":
		s.say("%v", s.m)
	case "home?":
		s.say("%v", s.m.AtHome(peerOf(w[1])))
	default:
		s.t.Fatalf("no command %s", w[0])
	}
}

// wait lets time pass, with a Tick at each deadline.
func (s *script) wait(d time.Duration) {
	end := s.now.Add(d)
	for at := s.m.Deadline(); !at.IsZero() && !at.After(end); at = s.m.Deadline() {
		s.now = at
		s.due()
	}
	s.now = end
}

// due performs what is due. What looks bring about is printed too.
func (s *script) due() {
	list := slices.Clone(s.m.Tick(s.now))
	for _, a := range list {
		s.say("%v %v", s.Since(s.now), a)
		s.one(a)
	}
	for _, a := range list {
		if a.Op == Look {
			used := s.moved[a.Circuit]
			delete(s.moved, a.Circuit)
			s.do(s.m.Used(s.now, a.Circuit, used))
		}
	}
}

// rises reports a session: up a static 20ms inc 2.
func (s *script) rises(w []string) {
	x := Session{Standing: Static, Incarnation: 1}
	for i, f := range w[2:] {
		if n := slices.Index(standingNames[:], f); n >= 0 {
			x.Standing = Standing(n)
		} else if d, err := time.ParseDuration(f); err == nil && f != "0" && strings.HasSuffix(f, "s") {
			x.RTT = d
		} else if f == "inc" {
			x.Incarnation = uint64(s.number(w[i+3]))
		}
	}
	s.up[peerOf(w[1])] = x
	s.do(s.m.Up(s.now, peerOf(w[1]), x))
}

func peerOf(name string) (d DID) {
	copy(d[:], name)
	return d
}

// label reads l7, h7 and, as a label without the form of one, bad or nothing.
func (s *script) label(name string) Label {
	if name == "bad" || name == "" {
		return Label{}
	}
	if n, ok := strings.CutPrefix(name, "h"); ok {
		return drawn(uint64(s.number(n)))
	}
	return label(uint64(s.number(strings.TrimPrefix(name, "l"))))
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}
