package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func threeMessages() *fakeNode {
	return &fakeNode{messages: []control.Message{
		{Peer: "did:b", Name: "bob", Data: []byte("hello")},
		{Peer: "did:c", Data: []byte("\xff\n")},
		{Peer: "did:b", Name: "bob"},
	}}
}

func TestReceivePrintsMessagesAndTakesNoMore(t *testing.T) {
	node := threeMessages()
	socket := node.start(t)
	if got := must(t, "receive", "--socket", socket, "--count", "2"); got != "hello\n\xff\n\n" || node.asked != "" || len(node.messages) != 1 {
		t.Errorf("%q %q %d", got, node.asked, len(node.messages))
	}
	if got := must(t, "receive", "--socket", socket, "--count", "1", "bob"); got != "\n" || node.asked != "bob" || len(node.messages) != 0 {
		t.Errorf("%q %q %d", got, node.asked, len(node.messages))
	}
}

func TestReceivedJSONIsOneObjectALine(t *testing.T) {
	socket := threeMessages().start(t)
	lines := strings.SplitAfter(must(t, "receive", "--socket", socket, "--count", "3", "--json"), "\n")
	for i, want := range []map[string]any{
		{"peer": "did:b", "name": "bob", "text": "hello"},
		{"peer": "did:c", "name": "", "base64": "/wo="},
		{"peer": "did:b", "name": "bob", "text": ""},
	} {
		want["version"], want["program"], want["number"] = 1.0, control.Program(), float64(i+1)
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("message %d: %s is %v, want %v", i, k, got[k], v)
			}
		}
		if len(got) != len(want) {
			t.Error("more fields:", got)
		}
	}
}

// A message that could not be written is the next one for somebody else.
func TestAMessageThatCannotBeWrittenStays(t *testing.T) {
	node := threeMessages()
	socket := node.start(t)
	var errs bytes.Buffer
	code := run(t.Context(), []string{"receive", "--socket", socket}, IO{Out: fullDisk{}, Err: &errs}, nil)
	if code != 1 || errs.String() != "l2tun: no space left\n" {
		t.Error(code, errs.String())
	}
	if got := must(t, "receive", "--socket", socket, "--count", "1"); got != "hello\n" {
		t.Error(got)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// interrupter sends SIGINT once it has been written to.
type interrupter struct{ bytes.Buffer }

func (i *interrupter) Write(b []byte) (int, error) {
	defer syscall.Kill(syscall.Getpid(), syscall.SIGINT)
	return i.Buffer.Write(b)
}

func TestInterruptIsTheEndThatWasWaitedFor(t *testing.T) {
	node := threeMessages()
	node.messages = node.messages[:1]
	node.events = []control.Event{{To: "established"}}
	socket := node.start(t)
	for _, args := range [][]string{{"receive"}, {"events", "--follow"}} {
		var out interrupter
		var errs bytes.Buffer
		code := run(t.Context(), append(args, "--socket", socket), IO{Out: &out, Err: &errs}, nil)
		if code != 0 || errs.Len() > 0 || strings.Count(out.String(), "\n") != 1 {
			t.Error(args, code, errs.String(), out.String())
		}
	}
	if len(node.messages) != 0 {
		t.Error("what was written was not taken")
	}
}

func TestAnUnknownPeerIsOneSentence(t *testing.T) {
	socket := (&fakeNode{refuse: &control.APIError{Code: 404, Msg: `there is no peer "x"`}}).start(t)
	refused(t, exitUsage, `there is no peer "x"`, "receive", "--socket", socket, "x")
}
