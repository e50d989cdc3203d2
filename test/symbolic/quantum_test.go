package symbolic

import (
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// TestQuantumAttackerGainsWhatTheTableSays: SPEC 5.1 "What an attacker with a
// quantum computer gains", the rows of full mode. Every X25519 and Ed25519 key is
// public from the start; short mode's row is the limit on its age (rotation
// TestNoShortHandshakeWithoutAFullOne).
func TestQuantumAttackerGainsWhatTheTableSays(t *testing.T) {
	taken, seen := active(0, unchanged), recorded(0, false, unchanged)
	short := active(2, unchanged)
	for _, c := range []struct {
		from        *answers
		goal, leaks string
		want        bool
	}{
		{taken, "I takes the attacker for R", "X25519", false},
		{taken, "R takes the attacker for I", "X25519", false},
		{taken, "I shows the attacker who it is", "X25519", false},
		{taken, "I takes a REFUSED for R's", "X25519", false},
		{seen, "data i2r", "X25519", false},
		{seen, "data r2i", "X25519", false},
		{seen, "rekey", "X25519", false},
		{seen, "identity of I (key of M1's key set)", "X25519", false},
		// With the ML-KEM key of R stolen as well, the prekey still stands: it is
		// signed by ML-DSA.
		{taken, "I takes the attacker for R", "X25519 D_R K_R S_R", false},
		{taken, "I shows the attacker who it is", "X25519 D_R K_R S_R", false},
		{taken, "I shows the attacker who it is", "X25519 D_R K_R S_R Q_R", true},
		// What is left.
		{taken, "R answers a claim to be I", "X25519", true},
		{short, "I takes the attacker for R", "X25519", false},
		{short, "R takes the attacker for I", "X25519", false},
		{short, "I takes the attacker for R", "X25519 psk", true},
		{short, "R takes the attacker for I", "X25519 psk", true},
	} {
		where := c.from.where[c.goal]
		if got := where.has(scenario{leaks: c.leaks}.number(c.from.leaks)); got != c.want {
			t.Errorf("%s, with %s: %v", c.goal, c.leaks, got)
		}
	}
	faults.Report(t, "S13", true, "all X25519 and Ed25519 keys public: nobody is impersonated, no record and no identity is read; a claim gets an answer")
}
