package symbolic

// The questions. Each gives, for every scenario, whether the attacker succeeds.

// public is what everybody has: key sets, the prekey record, and what the
// attacker brings itself.
func (p parties) public() []*term {
	a := p.atom
	return []*term{p.setI(), p.setR(), p.keys(), p.vkq(p.QI), p.prekeyID, p.dates, p.linkLow, p.linkHigh,
		a("own x"), a("own k"), a("own coins"), a("own sid"), a("own params"), a("own prekey id"), a("reason")}
}

// fullLeaks are everything private that takes part in full mode.
func fullLeaks(p parties) []leak {
	return append(leaked(p.DI, p.KI, p.SI, p.DR, p.KR, p.SR, p.QR, p.Px, p.Pk, p.ex, p.ek, p.cs, p.cp, p.rx, p.ce, p.ci), broken()...)
}

func shortLeaks(p parties) []leak {
	return append(leaked(p.psk, p.DI, p.KI, p.SI, p.DR, p.KR, p.SR, p.ex, p.ek, p.rx, p.ce), broken()...)
}

// answers are named sets of scenarios over one list of leaks.
type answers struct {
	title string
	leaks []leak
	names []string
	where map[string]sets
}

func newAnswers(title string, leaks []leak) *answers {
	return &answers{title: title, leaks: leaks, where: map[string]sets{}}
}

// add says where a goal is reached; said twice, in one way or the other.
func (a *answers) add(goal string, where sets) {
	if a.where[goal] == nil {
		a.names = append(a.names, goal)
		a.where[goal] = newSets(len(a.leaks))
	}
	a.where[goal].or(where)
}

// recorded: two honest ends, every message is written down, and the leaks come
// before, during or after. bound leaks the binding to the connection only with a
// leak of its own, as on QUIC; otherwise it is public.
func recorded(mode byte, bound bool, c change) *answers {
	p := newParties(newSpace())
	return recordedOf(p, leaksOf(p, mode), mode, bound, c, nothing)
}

// recordedOf is recorded for some of the leaks and an attacker that has more than what
// is public.
func recordedOf(p parties, leaks []leak, mode byte, bound bool, c change, has also) *answers {
	given := append(p.public(), has(p, c)...)
	title := "recorded"
	if bound {
		leaks = append(leaks, leak{name: "exporter", terms: []*term{p.binding}})
		title = "recorded, bound to QUIC"
	} else {
		given = append(given, p.binding)
	}
	s := runMode(p, mode, c)
	for _, m := range s.messages {
		given = append(given, m)
	}
	k := saturate(p.space, given, leaks)
	a := newAnswers(title, leaks)
	for _, g := range []struct{ goal, key string }{
		{"identity of I (key of M1's key set)", "M1 key set"}, {"parameters of I", "M1 params"}, {"parameters of I", "M1r"},
		{"data i2r", "data i2r"}, {"data r2i", "data r2i"}, {"rekey", "rekey"},
		{"resume i2r", "resume i2r"}, {"resume r2i", "resume r2i"},
	} {
		if s.keys[g.key] != nil {
			a.add(g.goal, k.of(s.keys[g.key]))
		}
	}
	return a
}

// derived: keys and secrets of one session leak, and nothing else does; after
// it a rotation chains from rekey.
func derived(c change) *answers {
	p := newParties(newSpace())
	first := runMode(p, 0, c)
	q := second(p, first)
	next := runMode(q, 1, c)
	given := append(p.public(), p.binding, q.binding)
	for _, s := range []session{first, next} {
		for _, m := range s.messages {
			given = append(given, m)
		}
	}
	var leaks []leak
	goals := []struct {
		name string
		t    *term
	}{{"data i2r", first.keys["data i2r"]}, {"data r2i", first.keys["data r2i"]}, {"rekey", first.keys["rekey"]},
		{"resume i2r", first.keys["resume i2r"]}, {"resume r2i", first.keys["resume r2i"]},
		{"next data i2r", next.keys["data i2r"]}, {"next data r2i", next.keys["data r2i"]}, {"next rekey", next.keys["rekey"]}}
	for _, g := range goals {
		leaks = append(leaks, leak{name: g.name, terms: []*term{g.t}})
	}
	k := saturate(p.space, given, leaks)
	a := newAnswers("keys of a session and of the rotation after it leak", leaks)
	for _, g := range goals {
		a.add(g.name, k.of(g.t))
	}
	return a
}

// second are the parties of the rotation after a session, with ephemerals of
// their own.
func second(p parties, first session) parties {
	a := p.atom
	q := p
	q.ex, q.ek, q.rx, q.ce = a("ex'"), a("ek'"), a("rx'"), a("ce'")
	q.psk, q.binding = first.keys["rekey"], p.zeros(33)
	q.paramsI, q.paramsR = a("params_I'"), a("params_R'")
	return q
}

// chained: a full handshake and the rotation after it, both recorded, and whole
// groups of keys leak: forward secrecy and healing along the chain.
func chained(c change) *answers {
	p := newParties(newSpace())
	first := runMode(p, 0, c)
	q := second(p, first)
	next := runMode(q, 1, c)
	given := append(p.public(), p.binding, q.binding)
	for _, s := range []session{first, next} {
		for _, m := range s.messages {
			given = append(given, m)
		}
	}
	leaks := []leak{
		{name: "keys of I", terms: []*term{p.DI, p.KI, p.SI}}, {name: "keys of R", terms: []*term{p.DR, p.KR, p.SR}},
		{name: "prekey", terms: []*term{p.Px, p.Pk}},
		{name: "randomness of I", terms: []*term{p.ex, p.ek, p.cs, p.cp}}, {name: "randomness of R", terms: []*term{p.rx, p.ce, p.ci}},
		{name: "next randomness of I", terms: []*term{q.ex, q.ek}}, {name: "next randomness of R", terms: []*term{q.rx, q.ce}},
		{name: "rekey", terms: []*term{first.keys["rekey"]}},
	}
	leaks = append(leaks, broken()...)
	k := saturate(p.space, given, leaks)
	a := newAnswers("a session and the rotation after it, recorded", leaks)
	a.add("data i2r", k.of(first.keys["data i2r"]))
	a.add("next data i2r", k.of(next.keys["data i2r"]))
	a.add("next rekey", k.of(next.keys["rekey"]))
	return a
}

// active: the attacker takes the place of one end, towards the other, which is
// honest. Everything else is public, the binding too: the attacker has both
// connections.
func active(mode byte, c change) *answers { return activeWith(mode, c, nothing) }

// activeWith is active for an attacker that has more than what is public.
func activeWith(mode byte, c change, has also) *answers {
	p := newParties(newSpace())
	leaks := leaksOf(p, mode)
	a := newAnswers("the attacker takes part", leaks)
	for _, strategy := range asResponder(mode, has) {
		strategy(a, c)
	}
	for _, strategy := range asInitiator(mode, has) {
		strategy(a, c)
	}
	return a
}

type strategy func(*answers, change)

// An also is what an attacker has beside what is public, of the space of parties.
type also func(parties, change) []*term

func nothing(parties, change) []*term { return nil }

// messagesOf are the names of the three messages of a mode.
func messagesOf(mode byte) (m1, m2, m3 string) {
	if mode == 0 {
		return "M1", "M2", "M3"
	}
	return "M1r", "M2r", "M3r"
}

// leaksOf are the leaks of a mode, of honest parties.
func leaksOf(honest parties, mode byte) []leak {
	if mode == 0 {
		return fullLeaks(honest)
	}
	return shortLeaks(honest)
}

// asResponder: towards an honest I, with every choice of the attacker's X25519
// key (its own or somebody's public key), of ciphertexts (its own or those that
// the true R answers to the same M1), and of the prekey (the true one, or its
// own if it can sign it, twice).
func asResponder(mode byte, has also) (all []strategy) {
	for _, x := range []string{"own x", "rx", "D_R", "D_I", "Px", "ex"} {
		for _, coins := range []bool{true, false} {
			for _, prekey := range []bool{false, true} {
				if prekey && (mode != 0 || x != "own x") {
					continue
				}
				all = append(all, responderStrategy(mode, x, coins, prekey, has))
			}
		}
	}
	return all
}

func responderStrategy(mode byte, x string, ownCoins, ownPrekey bool, has also) strategy {
	return func(a *answers, c change) {
		p := newParties(newSpace())
		honest := p
		p.rx, p.sidR, p.paramsR = p.atom(x), p.atom("own sid"), p.atom("own params")
		if ownCoins {
			p.ce, p.ci = p.atom("own coins"), p.atom("own coins")
		}
		if ownPrekey {
			p.Px, p.Pk, p.prekeyID = p.atom("own x"), p.atom("own k"), p.atom("own prekey id")
		}
		s := runMode(p, mode, c)
		m1, m2, _ := messagesOf(mode)
		given := append(honest.public(), p.binding, s.messages[m1])
		given = append(given, has(honest, c)...)
		if !ownPrekey { // the true R answers the same M1
			given = append(given, runMode(honest, mode, c).messages[m2])
		}
		var no *term
		if mode == 0 {
			no = runRefused(p, c).messages["REFUSED"]
		}
		record := p.keys() // both signatures, and the key that the DID commits to
		k := saturate(p.space, given, leaksOf(honest, mode))
		may := k.of(record)
		if mode != 0 {
			may = always(len(a.leaks))
		}
		a.add("I takes the attacker for R", and(may, k.of(s.messages[m2])))
		if mode == 0 {
			a.add("I takes a REFUSED for R's", and(may, k.of(no)))
			a.add("I shows the attacker who it is", and(may, k.of(s.keys["M1 key set"])))
		}
	}
}

// asInitiator: towards an honest R, in I's name, with every choice of the
// attacker's ephemeral keys (its own, or public ones), or I's own recorded M1
// sent again.
func asInitiator(mode byte, has also) (all []strategy) {
	for _, x := range []string{"own x", "ex", "D_R", "D_I", "Px"} {
		for _, k := range []string{"own k", "ek"} {
			all = append(all, initiatorStrategy(mode, x, k, "own", has))
		}
	}
	return append(all, initiatorStrategy(mode, "ex", "ek", "", has))
}

// own is the prefix of the attacker's coins and parameters, or empty for those
// of a recorded M1.
func initiatorStrategy(mode byte, x, ek, own string, has also) strategy {
	return func(a *answers, c change) {
		p := newParties(newSpace())
		honest := p
		m1, m2, m3 := messagesOf(mode)
		given := append(honest.public(), p.binding, runMode(honest, mode, c).messages[m1]) // one that I sent
		given = append(given, has(honest, c)...)
		p.ex, p.ek = p.atom(x), p.atom(ek)
		if own != "" {
			p.cs, p.cp = p.atom(own+" coins"), p.atom(own+" coins")
			p.sidI, p.paramsI = p.atom(own+" sid"), p.atom(own+" params")
		}
		s := runMode(p, mode, c)
		before := saturate(p.space, given, leaksOf(honest, mode))
		answered := before.of(s.messages[m1])
		after := saturate(p.space, append(given, s.messages[m2]), leaksOf(honest, mode))
		if own != "" {
			a.add("R answers a claim to be I", answered)
		}
		a.add("R takes the attacker for I", and(answered, after.of(s.messages[m3])))
	}
}
