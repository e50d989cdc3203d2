package symbolic

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/expected.txt anew; read the difference before you commit it")

// A row is one line of the table: what it is about, and the answer.
type row struct{ section, text string }

func (a *answers) rows(mode string) (all []row) {
	section := mode + ", " + a.title
	for _, goal := range a.names {
		all = append(all, row{section, fmt.Sprintf("%s: %s", goal, clauses(a.where[goal], a.leaks))})
	}
	return all
}

// schedule are the rows that need no attacker: what is mixed, and what each key
// is made of.
func scheduleRows(mode string, s session) (all []row) {
	for _, step := range s.steps {
		all = append(all, row{mode + ", steps", step})
	}
	labels := make([]string, 0, len(s.keys))
	different := map[*term]bool{}
	for label, k := range s.keys {
		labels = append(labels, label)
		different[k] = true
	}
	slices.Sort(labels)
	for _, label := range labels {
		all = append(all, row{mode + ", keys", label + ": " + s.from[label]})
	}
	return append(all, row{mode + ", keys", fmt.Sprintf("%d keys, %d different", len(labels), len(different))})
}

// agreementRows say for each key which inputs of a handshake it does not depend
// on. On all others two ends that have the key agree, so neither a relay nor
// another identity, connection, number or parameter can stand between them.
func agreementRows(mode string, number byte, c change) (rows []row) {
	s := newSpace()
	right := runMode(newParties(s), number, c)
	free := map[string][]string{}
	for _, name := range inputs(right) {
		other := runMode(newPartiesNamed(s, name), number, c)
		for label, k := range right.keys {
			if other.keys[label] == k {
				free[label] = append(free[label], name)
			}
		}
	}
	for label := range right.keys {
		text := label + " agrees on everything"
		if free[label] != nil {
			text = fmt.Sprintf("%s agrees on everything but %s", label, strings.Join(free[label], ", "))
		}
		rows = append(rows, row{mode + ", agreement", text})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.text, b.text) })
	return rows
}

// inputs are the names of the atoms in what was sent.
func inputs(s session) []string {
	names := map[string]bool{}
	var walk func(t *term)
	walk = func(t *term) {
		if t.op == opAtom {
			names[t.text] = true
		}
		for _, a := range t.args {
			walk(a)
		}
	}
	for _, m := range s.messages {
		walk(m)
	}
	return slices.Sorted(maps.Keys(names))
}

// A scenario is a set of leaks that has a name.
type scenario struct {
	name  string
	leaks string // names, separated by spaces
}

func fullScenarios() []scenario {
	const i, r = "D_I K_I S_I", "D_R K_R S_R Q_R"
	return []scenario{
		{"nothing", ""},
		{"all keys of I", i},
		{"all keys of R", r},
		{"all keys of R and the prekey", r + " Px Pk"},
		{"all keys of both (after the session: forward secrecy)", i + " " + r},
		{"all keys of both and the prekey", i + " " + r + " Px Pk"},
		{"randomness of I", "ex ek cs cp"},
		{"randomness of R", "rx ce ci"},
		{"randomness of both", "ex ek cs cp rx ce ci"},
		{"randomness and all keys of I", i + " ex ek cs cp"},
		{"randomness, all keys of R and the prekey", r + " Px Pk rx ce ci"},
		{"X25519 and Ed25519 broken", "X25519"},
		{"the same, and all keys of I", "X25519 " + i},
		{"the same, and all keys of R", "X25519 " + r},
		{"the same, and all keys of both and the prekey", "X25519 " + i + " " + r + " Px Pk"},
		{"the same, and all keys of R but Q_R", "X25519 D_R K_R S_R"},
		{"ML-KEM broken", "ML-KEM"},
		{"ML-KEM broken, and all keys of I", "ML-KEM " + i},
		{"ML-KEM broken, and all keys of R", "ML-KEM " + r},
		{"ML-KEM broken, and all keys of both and the prekey", "ML-KEM " + i + " " + r + " Px Pk"},
		{"X25519, Ed25519 and ML-KEM broken", "X25519 ML-KEM"},
	}
}

func shortScenarios() []scenario {
	const i, r = "D_I K_I S_I", "D_R K_R S_R"
	return []scenario{
		{"nothing", ""},
		{"the secret chained from", "psk"},
		{"all keys of both", i + " " + r},
		{"the secret and all keys of I", "psk " + i},
		{"the secret and all keys of R", "psk " + r},
		{"the secret and all keys of both (after the session: forward secrecy)", "psk " + i + " " + r},
		{"randomness of both", "ex ek rx ce"},
		{"randomness of both and the secret", "ex ek rx ce psk"},
		{"X25519 and Ed25519 broken", "X25519"},
		{"X25519 and Ed25519 broken, and the secret", "X25519 psk"},
		{"the same, and all keys of both", "X25519 psk " + i + " " + r},
		{"ML-KEM broken", "ML-KEM"},
		{"ML-KEM broken, and the secret", "ML-KEM psk"},
		{"ML-KEM broken, the secret, and all keys of both", "ML-KEM psk " + i + " " + r},
		{"X25519, Ed25519 and ML-KEM broken", "X25519 ML-KEM"},
		{"the same, and the secret", "X25519 ML-KEM psk"},
	}
}

// number is the scenario among the subsets of the leaks.
func (sc scenario) number(leaks []leak) (n int) {
	for _, name := range strings.Fields(sc.leaks) {
		at := slices.IndexFunc(leaks, func(l leak) bool { return l.name == name })
		if at < 0 {
			panic("symbolic: no leak " + name)
		}
		n |= 1 << at
	}
	return n
}

// columns are the goals of the table of named scenarios, and their headings.
func columns() [][2]string {
	return [][2]string{{"data i2r", "data"}, {"resume i2r", "secrets"}, {"identity of I (key of M1's key set)", "identity"},
		{"I shows the attacker who it is", "identity*"}, {"I takes the attacker for R", "as R"}, {"R takes the attacker for I", "as I"},
		{"R answers a claim to be I", "claim"}}
}

func scenarioRows(mode string, all []scenario, both ...*answers) (rows []row) {
	section := mode + ", named sets of leaks, and what the attacker gets"
	for _, sc := range all {
		text := fmt.Sprintf("%-70s", sc.name)
		for _, c := range columns() {
			for _, a := range both {
				if w := a.where[c[0]]; w != nil {
					got := "-"
					if w.has(sc.number(a.leaks)) {
						got = c[1]
					}
					text += fmt.Sprintf(" %-*s", len(c[1]), got)
				}
			}
		}
		rows = append(rows, row{section, strings.TrimRight(text, " ")})
	}
	return rows
}

// table is every row, for schedules that c has changed.
func table(c change) (rows []row) {
	fullRun := runMode(newParties(newSpace()), 0, c)
	rows = append(rows, scheduleRows("full", fullRun)...)
	rows = append(rows, agreementRows("full", 0, c)...)
	seen, taken := recorded(0, false, c), active(0, c)
	rows = append(rows, scenarioRows("full", fullScenarios(), seen, taken)...)
	rows = append(rows, seen.rows("full")...)
	rows = append(rows, recorded(0, true, c).rows("full")...)
	rows = append(rows, taken.rows("full")...)

	rows = append(rows, scheduleRows("short", runMode(newParties(newSpace()), 2, c))...)
	rows = append(rows, agreementRows("short", 2, c)...)
	seen, taken = recorded(2, false, c), active(2, c)
	rows = append(rows, scenarioRows("short", shortScenarios(), seen, taken)...)
	rows = append(rows, seen.rows("short")...)
	rows = append(rows, recorded(2, true, c).rows("short")...)
	rows = append(rows, taken.rows("short")...)

	rows = append(rows, derived(c).rows("full and short")...)
	return append(rows, chained(c).rows("full and short")...)
}

func text(rows []row) string {
	var b strings.Builder
	section := ""
	for _, r := range rows {
		if r.section != section {
			fmt.Fprintf(&b, "\n== %s\n", r.section)
			section = r.section
		}
		fmt.Fprintln(&b, r.text)
	}
	return b.String()
}

const expected = "testdata/expected.txt"

// preface is what stands above the first section of the file.
func preface(file string) (head, body string) {
	at := strings.Index(file, "\n== ")
	if at < 0 {
		return file, ""
	}
	return file[:at], file[at:]
}

// TestTable holds every answer against the written one.
func TestTable(t *testing.T) {
	start := time.Now()
	made := text(append(append(table(unchanged), hubRows()...), joinRows()...))
	t.Logf("%s\n(computed in %v)", made, time.Since(start).Round(time.Millisecond))
	file, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	head, body := preface(string(file))
	if *update {
		if err := os.WriteFile(expected, []byte(head+made), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(body, "\n"), strings.Split(made, "\n")
	for n := range max(len(want), len(got)) {
		if n >= len(want) || n >= len(got) || want[n] != got[n] {
			t.Fatalf("%s, line %d after the preface:\nwritten  %s\ncomputed %s", expected, n+1, at(want, n), at(got, n))
		}
	}
}

func at(lines []string, n int) string {
	if n < len(lines) {
		return lines[n]
	}
	return "(nothing)"
}
