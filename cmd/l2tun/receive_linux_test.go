package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/test/faults"
)

// shows runs the program with a terminal as its output and returns what arrives at
// it.
func shows(t *testing.T, args ...string) string {
	t.Helper()
	master, slave := terminalPair(t)
	if code := run(t.Context(), args, IO{Out: slave, Err: slave}, nil); code != 0 {
		t.Error("exit", code)
	}
	slave.WriteString("END")
	var b strings.Builder
	master.SetReadDeadline(time.Now().Add(30 * time.Second))
	for buf := make([]byte, 4096); !strings.HasSuffix(b.String(), "END"); {
		n, err := master.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSuffix(strings.ReplaceAll(b.String(), "\r\n", "\n"), "END")
}

const attack = "\x1b]0;owned\x07\x1b[2J\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\\r\u202eab\u009b2J\xff\nadmin: ok \\ ü"

// What a peer writes does not steer the terminal, and does not look like another
// peer's (security review, M7).
func TestMessagesDoNotSteerTheTerminal(t *testing.T) {
	send := func() string {
		return (&fakeNode{messages: []control.Message{{Peer: "did:b", Name: "bob", Data: []byte(attack)}}}).start(t)
	}
	got := shows(t, "receive", "--socket", send(), "--count", "1")
	const want = `bob: \x1b]0;owned\a\x1b[2J\x1b]8;;http://evil\x1b\click\x1b]8;;\x1b\\r\u202eab\u009b2J\xff` + "\n" + `bob: admin: ok \ ü` + "\n"
	kept := got == want
	if !kept {
		t.Errorf("%q, want %q", got, want)
	}
	if got := shows(t, "receive", "--socket", send(), "--count", "1", "bob"); got != strings.ReplaceAll(want, "bob: ", "") {
		kept = false
		t.Errorf("%q", got)
	}
	faults.Report(t, "S11", kept, "%d control characters reached the terminal", strings.Count(got, "\x1b"))
	if got := must(t, "receive", "--socket", send(), "--count", "1"); got != attack+"\n" {
		t.Errorf("a pipe gets other bytes: %q", got)
	}
	faults.Control(t, "S11", "a pipe gets the %d bytes as they were sent", len(attack))
}

// JSON leaves DEL, C1 controls and marks of direction as they are; they do not reach
// the terminal, and a program reads the same text.
func TestMessagesInJSONDoNotSteerTheTerminal(t *testing.T) {
	const text = "a\u009b2Jb\u009d0;owned\u0007c\u007f\u202ed\U000e0041 ü😀\u2028"
	socket := (&fakeNode{messages: []control.Message{{Peer: "did:b", Name: "bob", Data: []byte(text)}}}).start(t)
	got := shows(t, "receive", "--socket", socket, "--count", "1", "--json")
	loose := strings.IndexFunc(strings.TrimSuffix(got, "\n"), func(c rune) bool { return !unicode.IsPrint(c) })
	if loose >= 0 {
		t.Errorf("%q", got)
	}
	var m control.Message
	if err := json.Unmarshal([]byte(got), &m); err != nil || string(m.Data) != text {
		t.Errorf("%v: %q", err, m.Data)
	}
	faults.Report(t, "S44", loose < 0 && string(m.Data) == text, "C1 controls, DEL and marks of direction in a message: none reached the terminal by --json, and the text is the same")
}

// Errors may hold words of others: an endpoint's, a file's.
func TestErrorsDoNotSteerTheTerminal(t *testing.T) {
	_, errs, _ := l2tun(t, "join", "--config", "/nowhere/\x1b[2J.toml", "--yes", linkWith(""))
	if strings.Contains(errs, "\x1b") {
		t.Errorf("%q", errs)
	}
	if got := asks(invite.Link{Name: "a\x1b[2J", Endpoints: []string{"b\x1b]0;x\a:1"}}, nil, ""); strings.Contains(got, "\x1b") {
		t.Errorf("a link steers the terminal: %q", got)
	}
	if got := printable("a\tb\nc\x00\u200b é\xf0"); got != `a\tb\nc\x00\u200b é\xf0` {
		t.Errorf("%q", got)
	}
}

func TestEmptyInputIsNotSent(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var errs strings.Builder
	code := run(t.Context(), []string{"send", "--socket", "/nowhere", "bob"}, IO{In: null, Out: &errs, Err: &errs}, nil)
	if code != exitUsage || errs.String() != "l2tun: standard input is empty, so nothing was sent; l2tun send PEER \"\" sends an empty message\n" {
		t.Error(code, errs.String())
	}
}
