package symbolic

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A mutation is one schedule with one thing changed.
type mutation struct {
	name   string
	mode   byte // 0 full, 2 short
	change change
	must   string // the kind of row that must notice: "answers" for those about the attacker, or any
}

// mutate alters line n of a mode: gone if f returns none.
func mutate(mode byte, n int, f func(line) []line) change {
	return func(m byte, lines []line) []line {
		if (m == 0) != (mode == 0) {
			return lines
		}
		return slices.Concat(lines[:n], f(lines[n]), lines[n+1:])
	}
}

func gone(line) []line { return nil }

// mutations of a mode: each line left out, each part of each line left out, each
// signature left out, each key given the label of the one before it, each two
// neighbours in the other order.
func mutations(mode byte) (all []mutation) {
	name, lines := "full", []line(nil)
	if mode == 0 {
		_, lines = full(newParties(newSpace()))
	} else {
		name = "short"
		_, lines = short(newParties(newSpace()))
	}
	add := func(what, must string, n int, f func(line) []line) {
		all = append(all, mutation{fmt.Sprintf("%s: %s", name, what), mode, mutate(mode, n, f), must})
	}
	for n, l := range lines {
		switch l.do {
		case "hash":
			add("no mixHash("+l.name+")", "", n, gone)
		case "mix":
			add("no mixKey("+l.name+")", "answers", n, gone)
		case "keys":
			add(fmt.Sprintf("%s twice", l.parts[0].text), "", n, func(l line) []line {
				l.parts = append(slices.Clone(l.parts[:1]), append([]*term{l.parts[0]}, l.parts[2:]...)...)
				return []line{l}
			})
			continue
		case "send":
			continue
		}
		if l.signer != nil {
			add("no signature in {"+l.name+"}", "answers", n, func(l line) []line { l.signer = nil; return []line{l} })
		}
		for at := range l.parts {
			add(fmt.Sprintf("%s(%s) without part %d", l.do, l.name, at+1), "", n, func(l line) []line {
				l.parts = slices.Delete(slices.Clone(l.parts), at, at+1)
				return []line{l}
			})
		}
		// mixHash and mixKey do not touch the same state: their order is free.
		if next := lines[n+1]; (next.do == "mix") == (l.do == "mix") && next.do != "send" && next.do != "keys" {
			all = append(all, mutation{fmt.Sprintf("%s: %s after %s", name, l.name, next.name), mode, func(m byte, ls []line) []line {
				if (m == 0) != (mode == 0) {
					return ls
				}
				return slices.Concat(ls[:n], []line{ls[n+1], ls[n]}, ls[n+2:])
			}, ""})
		}
	}
	return all
}

// some are the rows that a mutation may change, as far as they are computed
// quickly: steps, keys, and a recorded session for the leaks that matter there
// (signing keys do not); with attacks on request.
func some(mode byte, c change, attacks bool) (rows []row) {
	name := "full"
	if mode != 0 {
		name = "short"
	}
	rows = scheduleRows(name, runMode(newParties(newSpace()), mode, c))
	rows = append(rows, agreementRows(name, mode, c)...)
	p := newParties(newSpace())
	leaks := slices.DeleteFunc(leaksOf(p, mode), func(l leak) bool { return strings.HasPrefix(l.name, "S_") })
	rows = append(rows, recordedOf(p, leaks, mode, true, c, nothing).rows(name)...)
	if attacks {
		rows = append(rows, active(mode, c).rows(name)...)
	}
	return rows
}

// noticed lists the rows of the written table that a mutation contradicts, or
// that it has too many.
func (m mutation) noticed(right []row, attacks bool) (wrong []string) {
	made := some(m.mode, m.change, attacks)
	for _, pair := range [][2][]row{{right, made}, {made, right}} {
		for _, r := range pair[0] {
			if !slices.Contains(pair[1], r) {
				goal, _, _ := strings.Cut(r.text, ":")
				wrong = append(wrong, r.section+": "+goal)
			}
		}
	}
	if wrong == nil && !slices.Equal(made, right) {
		return []string{"order of the steps"}
	}
	slices.Sort(wrong)
	return slices.Compact(wrong)
}

// aboutAttacker are the rows that say what an attacker gets, or on what two
// ends agree.
func aboutAttacker(wrong []string) (all []string) {
	for _, w := range wrong {
		if w != "order of the steps" && !strings.Contains(w, ", steps") && !strings.Contains(w, ", keys:") {
			all = append(all, w)
		}
	}
	return all
}

// TestEveryLineIsNeeded: whatever is changed in a schedule, the model is no
// longer the product, and the table no longer the written one. Leaving out a
// mixKey or a signature changes what an attacker can do, not only the list of
// steps.
func TestEveryLineIsNeeded(t *testing.T) {
	runs := map[byte][]trial{0: {fullTrial(t)}, 2: {shortTrial(t, 1), shortTrial(t, 2)}}
	for mode, trials := range runs {
		right := some(mode, unchanged, true)
		quick := some(mode, unchanged, false)
		for _, m := range mutations(mode) {
			for _, tr := range trials {
				if tr.difference(m.change) == "" {
					t.Errorf("%s: the product still agrees with the model", m.name)
				}
			}
			wrong := m.noticed(quick, false)
			if m.must != "" && len(aboutAttacker(wrong)) == 0 {
				wrong = m.noticed(right, true)
			}
			if len(wrong) == 0 || m.must != "" && len(aboutAttacker(wrong)) == 0 {
				t.Errorf("%s: the table does not notice", m.name)
			}
			if testing.Verbose() {
				t.Logf("%-55s %d rows about the attacker, %d in all", m.name, len(aboutAttacker(wrong)), len(wrong))
			}
		}
	}
}
