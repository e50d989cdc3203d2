package symbolic

import "strings"

// A session is what a run of a schedule gives, as terms.
type session struct {
	messages map[string]*term
	keys     map[string]*term // by label, of tags too

	steps []string          // what was mixed, in order, in words
	from  map[string]string // for each key, the steps that its h and its root are after
}

// A change alters the lines of a schedule before they are run: a mutation, or
// unchanged. mode is 0 for full mode.
type change func(mode byte, lines []line) []line

func unchanged(_ byte, lines []line) []line { return lines }

// runMode runs the schedule of a mode of the headers: 0 full, 1 rotation, 2
// resumption.
func runMode(p parties, mode byte, c change) session {
	p.modeByte = mode
	schedule := full
	if mode != 0 {
		schedule = short
	}
	name, lines := schedule(p)
	return run(p.space, name, c(mode, lines))
}

// runRefused is full mode up to M1, and the other answer.
func runRefused(p parties, c change) session {
	name, lines := full(p)
	lines = c(0, lines)
	for n, l := range lines {
		if l.do == "send" && l.name == "M1" {
			return run(p.space, name, append(lines[:n+1:n+1], refused(p)...))
		}
	}
	panic("symbolic: internal error: no M1")
}

// run follows the lines.
func run(s *space, name string, lines []line) session {
	n := s.hash(s.bytes(name))
	r := runner{space: s, ck: n, root: n, h: n, sealed: map[string]*term{},
		out: session{messages: map[string]*term{}, keys: map[string]*term{}, from: map[string]string{}}}
	for _, l := range lines {
		r.follow(l)
	}
	return r.out
}

type runner struct {
	*space
	ck, root, h *term
	sealed      map[string]*term
	out         session

	lastHash, lastMix string
}

func (r *runner) follow(l line) {
	switch l.do {
	case "hash":
		r.mixHash(l.name, l.parts...)
	case "mix":
		prk := r.make(opExtract, l.name, r.ck, l.secret, r.hash(l.parts...))
		r.ck = r.make(opExpand, "l2tun/1 ck", prk)
		r.root = r.make(opExpand, "l2tun/1 root", prk)
		r.out.steps = append(r.out.steps, "mixKey("+l.name+", "+words(l.secret)+": "+words(l.parts...)+")")
		r.lastMix = l.name
	case "seal":
		r.seal(l)
	case "keys":
		for _, label := range l.parts {
			r.key(label.text)
		}
	case "send":
		r.out.messages[l.name] = r.cat(r.filled(l.parts)...)
	default:
		panic("symbolic: internal error: line " + l.do)
	}
}

func (r *runner) mixHash(name string, parts ...*term) {
	r.h = r.make(opMixHash, "", r.h, r.cat(parts...))
	r.out.steps = append(r.out.steps, "mixHash("+name+": "+words(parts...)+")")
	r.lastHash = name
}

func (r *runner) key(label string) *term {
	k := r.make(opExpand, "l2tun/1 "+label, r.root, r.h)
	r.out.keys[label] = k
	r.out.from[label] = "h after " + r.lastHash + ", root after " + r.lastMix
	return k
}

func (r *runner) seal(l line) {
	plain := l.parts
	if l.signer != nil {
		sig := r.sig(l.signer, r.cat(r.bytes(l.signLabel), r.h))
		plain = append([]*term{sig}, plain...)
	}
	c := r.make(opSeal, "", r.key(l.name), r.cat(plain...), r.h)
	r.sealed[l.name] = c
	r.mixHash("{"+l.name+"}", c)
}

// filled puts ciphertexts into their slots. A slot whose line is gone is empty.
func (r *runner) filled(parts []*term) (all []*term) {
	for _, p := range parts {
		if p.op == opSlot {
			p = r.sealed[p.text]
		}
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// words are terms for people, not unique.
func words(terms ...*term) string {
	var all []string
	for _, t := range terms {
		all = append(all, word(t))
	}
	return strings.Join(all, " ")
}

func word(t *term) string {
	switch t.op {
	case opAtom:
		return t.text
	case opConst:
		return "const"
	case opCat:
		return "(" + words(t.args...) + ")"
	case opHash:
		if strings.HasPrefix(t.args[0].text, "did:morpheus l2tun keyset") {
			return "did(" + words(t.args[1].args[1]) + ")"
		}
	case opSig:
		return "sig(" + words(t.args[0]) + ")"
	case opSeal:
		return "{" + words(t.args[1]) + "}"
	}
	return string(t.op) + "(" + words(t.args...) + ")"
}
