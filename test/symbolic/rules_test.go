package symbolic

import "testing"

// TestRulesOfTheAttacker: what each rule gives, and what nothing gives.
func TestRulesOfTheAttacker(t *testing.T) {
	s := newSpace()
	x, y, k, r, sk, m, key := s.atom("x"), s.atom("y"), s.atom("k"), s.atom("r"), s.atom("sk"), s.atom("m"), s.atom("key")
	X25519, MLKEM := leak{name: "X25519", broke: "X25519"}, leak{name: "ML-KEM", broke: "ML-KEM"}
	sealed := s.make(opSeal, "", key, m, s.bytes("ad"))
	for _, c := range []struct {
		name  string
		given []*term
		leaks []leak
		goal  *term
		want  string
	}{
		{"a pair is read", []*term{s.cat(x, y)}, nil, y, "always"},
		{"a hash is made", nil, leaked(x, y), s.hash(x, y), "[x] [y]"},
		{"a hash is not read", []*term{s.hash(x)}, leaked(y), x, "never"},
		{"agreement by either end", []*term{s.xpub(x), s.xpub(y)}, leaked(x, y, m), s.dh(x, y), "[x | y]"},
		{"a public key is needed", nil, leaked(x, y), s.dh(x, y), "[x] [y]"},
		{"broken X25519", []*term{s.xpub(x), s.xpub(y)}, []leak{X25519, MLKEM}, s.dh(y, x), "[X25519]"},
		{"decapsulation, and coins", []*term{s.ek(k), s.ct(k, r)}, leaked(k, r), s.ss(k, r), "[k | r]"},
		{"a ciphertext alone", []*term{s.ek(k), s.ct(k, r)}, leaked(x), s.ss(k, r), "never"},
		{"broken ML-KEM", []*term{s.ek(k), s.ct(k, r)}, []leak{X25519, MLKEM}, s.ss(k, r), "[ML-KEM]"},
		{"a key opens", []*term{sealed}, leaked(key, x), m, "[key]"},
		{"sealing needs the key", []*term{m}, leaked(key), sealed, "[key]"},
		{"a signature is not made", []*term{s.vk(sk), s.sig(sk, x)}, leaked(sk, x), s.sig(sk, m), "never"},
		{"a signature is made", []*term{s.vk(sk), m}, append(leaked(sk), X25519), s.sig(sk, m), "[sk | X25519]"},
		{"expansion is one way", []*term{s.make(opExpand, "a", x)}, leaked(y), s.make(opExpand, "b", x), "never"},
		{"a secret in a secret", []*term{sealed, s.make(opSeal, "", m, y, s.bytes(""))}, leaked(key, x), y, "[key]"},
	} {
		leaks := c.leaks
		if leaks == nil {
			leaks = leaked(r)
		}
		if got := clauses(saturate(s, c.given, leaks).of(c.goal), leaks); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// The clauses are the answer: a scenario is in exactly if it has one of each.
func TestClausesSayEveryScenario(t *testing.T) {
	a := recorded(2, true, unchanged)
	where := a.where["data i2r"]
	have := map[string]int{}
	for n, l := range a.leaks {
		have[l.name] = n
	}
	groups := [][]string{{"psk"}, {"D_R", "ex", "X25519"}, {"ex", "rx", "X25519"}, {"ek", "ce", "ML-KEM"}, {"D_I", "rx", "X25519"}, {"exporter"}}
	for n := range 1 << len(a.leaks) {
		in := true
		for _, g := range groups {
			some := false
			for _, name := range g {
				some = some || n>>have[name]&1 != 0
			}
			in = in && some
		}
		if in != where.has(n) {
			t.Fatalf("scenario %b: %v, want %v", n, where.has(n), in)
		}
	}
}
