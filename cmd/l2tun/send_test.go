package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// sendFrom runs "l2tun send" with a standard input.
func sendFrom(t *testing.T, in io.Reader, args ...string) (errs string, code int) {
	t.Helper()
	var e bytes.Buffer
	code = run(t.Context(), append([]string{"send"}, args...), IO{In: in, Out: io.Discard, Err: &e}, nil)
	return e.String(), code
}

func TestSendTakesItsTextOrStandardInputAsItIs(t *testing.T) {
	var msg []byte
	var end time.Time
	node := &fakeNode{send: func(ctx context.Context, _ string, m []byte) error {
		end, _ = ctx.Deadline()
		msg = m
		return nil
	}}
	socket := node.start(t)
	big := strings.Repeat("\xff\n", control.MaxMessage/2)
	for _, c := range []struct {
		args     []string
		in, want string
	}{
		{[]string{"bob", "hello  world"}, "not this", "hello  world"},
		{[]string{"bob", ""}, "not this", ""},
		{[]string{"bob", "--", "-x"}, "", "-x"},
		{[]string{"bob"}, "two\nlines\n", "two\nlines\n"},
		{[]string{"bob"}, big, big},
	} {
		errs, code := sendFrom(t, strings.NewReader(c.in), append([]string{"--socket", socket}, c.args...)...)
		if code != 0 || errs != "" || string(msg) != c.want || node.asked != "bob" || time.Until(end) < sendTime/2 {
			t.Errorf("%v: %d %s %.20q", c.args, code, errs, msg)
		}
	}
	if _, code := sendFrom(t, nil, "--socket", socket, "bob", "x", "--timeout", "0"); code != 0 || !end.IsZero() {
		t.Error(code, end)
	}
}

func TestWhatCannotBeSentIsSaid(t *testing.T) {
	node := &fakeNode{send: func(context.Context, string, []byte) error {
		return &control.APIError{Code: 504, Msg: "the message to bob was not acknowledged in time; it may still arrive"}
	}}
	socket := node.start(t)
	refused(t, 1, "the message to bob was not acknowledged in time; it may still arrive", "send", "--socket", socket, "bob", "x")
	errs, code := sendFrom(t, strings.NewReader(strings.Repeat("x", control.MaxMessage+1)), "--socket", socket, "bob")
	if code != 1 || errs != "l2tun: a message has at most 1 MiB (1048576 bytes); what standard input has is longer; nothing was sent\n" {
		t.Error(code, errs)
	}
	errs, code = sendFrom(t, iotest.ErrReader(errors.New("broken")), "--socket", socket, "bob")
	if code != 1 || errs != "l2tun: cannot read the message: broken\n" {
		t.Error(code, errs)
	}
	none := filepath.Join(t.TempDir(), "none.sock")
	refused(t, 1, "no node runs (no socket at "+none+")", "send", "--socket", none, "bob", "x")
}

func TestAnInterruptedSendSaysWhatMayHaveHappened(t *testing.T) {
	node := &fakeNode{send: func(ctx context.Context, _ string, _ []byte) error {
		syscall.Kill(syscall.Getpid(), syscall.SIGINT)
		<-ctx.Done()
		return ctx.Err()
	}}
	socket := node.start(t)
	refused(t, 1, "interrupted; the message was withdrawn unless it was on its way already, then it may still arrive",
		"send", "--socket", socket, "bob", "x")
}
