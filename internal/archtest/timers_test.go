package archtest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// notTimers are constants that are a unit and no timer.
func notTimers() []string { return []string{"cmd/l2tun.day", "internal/proto/settings.day"} }

// A timerRow is one line of the table of spec/behaviour.md 9.
type timerRow struct{ name, value, setting, section, constant string }

// timerTable reads the rows of the table under "## 9. Timers".
func timerTable(text string) (rows []timerRow) {
	_, text, _ = strings.Cut(text, "\n## 9. Timers\n")
	for line := range strings.Lines(text) {
		if f := strings.Split(line, "|"); len(f) == 7 && !strings.Contains(line, "---") {
			for i := range f {
				f[i] = strings.TrimSpace(f[i])
			}
			rows = append(rows, timerRow{f[1], f[2], strings.Trim(f[3], "`"), f[4], f[5]})
		}
	}
	return rows[min(1, len(rows)):] // without the head
}

// timersAstray returns a sentence for each row that is not as the code, and for
// each constant that has no row.
func timersAstray(table string, inCode map[string]time.Duration) (wrong []string) {
	listed := make(map[string]bool)
	for _, row := range timerTable(table) {
		listed[row.constant] = true
		value, err := time.ParseDuration(row.value)
		d, ok := inCode[row.constant]
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%q has no duration: %v", row.name, err))
		case row.constant == "" && row.setting == "":
			wrong = append(wrong, fmt.Sprintf("%q has neither a constant nor a setting", row.name))
		case row.constant != "" && !ok:
			wrong = append(wrong, fmt.Sprintf("%q: there is no constant %s", row.name, row.constant))
		case row.constant != "" && d != value:
			wrong = append(wrong, fmt.Sprintf("%q is %v, and %s is %v", row.name, value, row.constant, d))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(inCode)) {
		if !listed[name] && !slices.Contains(notTimers(), name) {
			wrong = append(wrong, fmt.Sprintf("%s = %v has no row", name, inCode[name]))
		}
	}
	return wrong
}

func TestEveryTimerIsInTheTable(t *testing.T) {
	text, err := os.ReadFile("../../spec/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range timersAstray(string(text), timers(t, tree(t))) {
		t.Errorf("spec/behaviour.md 9: %s", w)
	}
}

// A setting's row has the default that docs/node.md gives.
func TestSettingsInTheTableAreTheDefaults(t *testing.T) {
	behaviour, err1 := os.ReadFile("../../spec/behaviour.md")
	node, err2 := os.ReadFile("../../docs/node.md")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	defaults := settingDefaults(string(node))
	for _, row := range timerTable(string(behaviour)) {
		if row.setting == "" {
			continue
		}
		want, err1 := time.ParseDuration(defaults[row.setting])
		got, err2 := time.ParseDuration(row.value)
		if err1 != nil || err2 != nil || got != want {
			t.Errorf("%s is %s, and in docs/node.md %q", row.setting, row.value, defaults[row.setting])
		}
	}
}

// settingDefaults reads the table of settings, which session makes.
func settingDefaults(text string) map[string]string {
	defaults := make(map[string]string)
	_, text, _ = strings.Cut(text, "<!-- settings:begin -->")
	text, _, _ = strings.Cut(text, "<!-- settings:end -->")
	for line := range strings.Lines(text) {
		if f := strings.Split(line, "|"); len(f) == 6 {
			defaults[strings.Trim(f[1], " `")] = strings.TrimSpace(f[2])
		}
	}
	return defaults
}

func TestAStrayTimerIsNamed(t *testing.T) {
	const table = "\n## 9. Timers\n\n| timer | value | setting | section | constant |\n| --- | --- | --- | --- | --- |\n" +
		"| a | 1s | | 1 | p.a |\n| b | 2s | | 1 | p.b |\n| c | 1m | `c` | 1 | |\n| d | soon | | 1 | p.d |\n| e | 1s | | 1 | |\n| g | 1s | | 1 | p.g |\n"
	code := timers(t, readTree(t, fstest.MapFS{"p/p.go": {Data: []byte(
		"package p\nimport \"time\"\nconst (\n\ta = time.Second\n\tb = 3 * time.Second\n\td = 1\n\tf = 2 * 60 * time.Second\n\tn = 1 << 3\n)\n")}}))
	want := []string{
		`"b" is 2s, and p.b is 3s`,
		`"d" has no duration: time: invalid duration "soon"`,
		`"e" has neither a constant nor a setting`,
		`"g": there is no constant p.g`,
		`p.f = 2m0s has no row`,
	}
	if got := timersAstray(table, code); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
