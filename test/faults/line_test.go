package faults

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// attributes collects what a test says.
type attributes struct{ said []string }

func (*attributes) Helper() {}
func (a *attributes) Attr(key, v string) {
	a.said = append(a.said, fmt.Sprintf(`{"Action":"attr","Test":"TestA/sub","Key":%q,"Value":%q}`, key, v))
}

// What tests say comes out as the case's line.
func TestLineOfACase(t *testing.T) {
	c := Case{ID: "X1", Promise: "kept", By: by("p TestA"), Rate: "faster"}
	for name, x := range map[string]struct {
		say  func(a *attributes)
		end  string
		want string
	}{
		"kept": {func(a *attributes) {
			Report(a, "X1", true, "%d\nof %d", 1, 2)
			Control(a, "X1", "none")
			Report(a, "X2", false, "another case's")
		}, "pass", `{"id":"X1","promise":"kept","measured":"1 of 2","control":"none","ok":true,"reason":"faster","tests":"p TestA","seconds":1.5}`},
		"not kept": {func(a *attributes) { Report(a, "X1", false, "9 s") }, "pass",
			`{"id":"X1","promise":"kept","measured":"9 s","ok":false,"reason":"the promise is not kept: 9 s; faster","tests":"p TestA","seconds":1.5}`},
		"failed":  {func(a *attributes) { Report(a, "X1", true, "1 s") }, "fail", `{"id":"X1","promise":"kept","measured":"1 s","ok":false,"reason":"TestA: failed: it broke; faster","tests":"p TestA","seconds":1.5}`},
		"skipped": {func(*attributes) {}, "skip", `{"id":"X1","promise":"kept","measured":"","ok":false,"reason":"TestA: skipped: it broke; faster","tests":"p TestA","seconds":1.5}`},
		"silent":  {func(*attributes) {}, "pass", `{"id":"X1","promise":"kept","measured":"","ok":false,"reason":"the tests passed and measured nothing; faster","tests":"p TestA","seconds":1.5}`},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := &Runner{Log: &log, Out: new(bytes.Buffer), outcomes: make(map[Test]outcome)}
			l := newListener(r, "p", c.By)
			var a attributes
			x.say(&a)
			feed := append(a.said, `{"Action":"output","Test":"TestA","Output":"    a_test.go:3: it broke\n"}`,
				fmt.Sprintf(`{"Action":%q,"Test":"TestA","Elapsed":1.5}`, x.end), "no event")
			for _, s := range feed {
				if err := l.line([]byte(s)); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			if err := c.line(r.outcomes).Write(&out); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(out.String()); got != x.want {
				t.Errorf("got  %s\nwant %s", got, x.want)
			}
		})
	}
}

func TestLinesOfWhatDoesNotRun(t *testing.T) {
	cut := Case{ID: "X1", Promise: "p", Cut: "no such thing"}.line(nil)
	cannot := Case{ID: "X2", Promise: "p", Cannot: "no suspend"}.line(nil)
	bad := Case{ID: "X3", Promise: "a | b", By: by("p TestA")}.line(map[Test]outcome{})
	if !cut.OK || !cannot.OK || bad.OK {
		t.Errorf("%+v %+v %+v", cut, cannot, bad)
	}
	var lines, page bytes.Buffer
	for _, l := range []Line{cut, cannot, bad} {
		if err := l.Write(&lines); err != nil {
			t.Fatal(err)
		}
	}
	back, err := ReadLines(&lines)
	if err != nil || len(back) != 3 || back[2] != bad {
		t.Fatalf("%v %+v", err, back)
	}
	if err := Table(&page, back, " (a test)"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 cases", "0 are kept, 1 are not, 1 fall away, 1 cannot run", `a \| b`, "**no**", "no suspend"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q:\n%s", want, page.String())
		}
	}
	if _, err := ReadLines(strings.NewReader(`{"id":"a"} {`)); err == nil {
		t.Error("half a line was read")
	}
}

// A case is written when its last test has ended, not before.
func TestLinesComeAsTestsEnd(t *testing.T) {
	var out bytes.Buffer
	r := &Runner{Log: new(bytes.Buffer), Out: &out, outcomes: make(map[Test]outcome)}
	r.waiting = []Case{{ID: "X1", By: by("p TestA, p TestB")}, {ID: "X2", By: by("p TestA")}}
	for _, test := range by("p TestA, p TestB") {
		r.outcomes[test] = outcome{ended: "pass", took: time.Second}
		if err := r.flush(false); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := ReadLines(&out)
	if err != nil || len(lines) != 2 || lines[0].ID != "X2" || lines[1].Seconds != 2 {
		t.Errorf("%v %+v", err, lines)
	}
}

func TestLatestLines(t *testing.T) {
	lines, again := Latest([]Line{{ID: "F1"}, {ID: "R1", OK: true}, {ID: "F1", OK: true, Measured: "x"}, {ID: "F1", OK: true}})
	lines = InOrder(lines)
	if len(lines) != 2 || lines[0].ID != "R1" || lines[1] != (Line{ID: "F1", OK: true}) || len(again) != 1 || again[0] != "F1" {
		t.Errorf("%v, run again: %v", lines, again)
	}
}

// What go test has run is not run again; what it skipped or did not finish is.
func TestResultsOfARunThatWas(t *testing.T) {
	printed := strings.Join([]string{
		`{"Action":"attr","Package":"github.com/libertaria-project/l2tun/p","Test":"TestA","Key":"fault","Value":"{\"id\":\"X1\",\"measured\":\"1 s\"}"}`,
		`{"Action":"pass","Package":"github.com/libertaria-project/l2tun/p","Test":"TestA","Elapsed":1}`,
		`{"Action":"pass","Package":"github.com/libertaria-project/l2tun/q","Test":"TestSkipped"}`,
		`{"Action":"skip","Package":"github.com/libertaria-project/l2tun/p","Test":"TestSkipped"}`,
		`{"Action":"output","Package":"github.com/libertaria-project/l2tun/p","Test":"TestUnended","Output":"x"}`,
		"ok  \tno event\n",
	}, "\n")
	var out bytes.Buffer
	r := &Runner{Log: new(bytes.Buffer), Out: &out, outcomes: make(map[Test]outcome)}
	r.waiting = []Case{{ID: "X1", By: by("p TestA")}, {ID: "X2", By: slowly("p TestA, p TestSkipped")}, {ID: "X3", By: by("p TestUnended")},
		{ID: "X4", By: by("p TestA"), Race: true}}
	if err := r.take(strings.NewReader(printed)); err != nil {
		t.Fatal(err)
	}
	lines, err := ReadLines(&out)
	if err != nil || len(lines) != 1 || lines[0].ID != "X1" || lines[0].Measured != "1 s" || !lines[0].OK {
		t.Errorf("%v %+v", err, lines)
	}
	var left []string
	for _, b := range batches(r.waiting, r.outcomes) {
		left = append(left, fmt.Sprint(b.race, b.tests))
	}
	if s := strings.Join(left, " "); s != "false [p TestSkipped p TestUnended] true [p TestA]" {
		t.Errorf("left to run: %s", s)
	}
}

// A test that ran with and without the race detector failed if it failed once.
func TestATestThatRanTwice(t *testing.T) {
	for ends, want := range map[string]string{"pass fail": "fail", "fail pass": "fail", "skip pass": "pass", "pass skip": "pass", "fail skip": "fail"} {
		var printed string
		for _, end := range strings.Fields(ends) {
			printed += fmt.Sprintf(`{"Action":%q,"Package":"github.com/libertaria-project/l2tun/p","Test":"TestA"}`+"\n", end)
		}
		r := &Runner{Log: new(bytes.Buffer), Out: new(bytes.Buffer), outcomes: make(map[Test]outcome)}
		r.waiting = []Case{{ID: "X1", By: by("p TestA")}}
		if err := r.take(strings.NewReader(printed)); err != nil {
			t.Fatal(err)
		}
		if got := r.outcomes[by("p TestA")[0]].ended; got != want {
			t.Errorf("%s: %q, not %q", ends, got, want)
		}
	}
}
