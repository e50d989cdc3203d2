package faults

import (
	"encoding/json"
	"fmt"
	"strings"
)

// attrKey is the key of the attributes by which tests and the Runner speak.
const attrKey = "fault"

// A figure is what a test says about a case.
type figure struct {
	ID       string `json:"id"`
	Measured string `json:"measured,omitempty"`
	Control  string `json:"control,omitempty"`
	Over     bool   `json:"over,omitempty"` // the promise is not kept
}

// attrs is what of testing.TB is needed.
type attrs interface {
	Helper()
	Attr(key, value string)
}

// Report says what a test has measured for a case, and whether that keeps the
// promise. A test whose bound is wider than the promise passes with kept false,
// and the case does not. Several reports of a case are joined.
func Report(t attrs, id string, kept bool, format string, args ...any) {
	t.Helper()
	say(t, figure{ID: id, Measured: fmt.Sprintf(format, args...), Over: !kept})
}

// Control says what the same measure gives without the fault.
func Control(t attrs, id string, format string, args ...any) {
	t.Helper()
	say(t, figure{ID: id, Control: fmt.Sprintf(format, args...)})
}

func say(t attrs, f figure) {
	t.Helper()
	f.Measured, f.Control = oneLine(f.Measured), oneLine(f.Control)
	b, err := json.Marshal(f)
	if err != nil {
		panic("faults: internal error: " + err.Error())
	}
	t.Attr(attrKey, string(b))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
