package control

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A panicLog fails the test if the server says that a handler panicked: net/http
// would hide it.
type panicLog struct{ t testing.TB }

func (p panicLog) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("panic")) {
		p.t.Errorf("the server says %s", b)
	}
	return len(b), nil
}

// patient answers every call at once.
func patient() *fakeNode {
	return &fakeNode{
		status: &Status{Peers: []Peer{{Name: "n"}}}, downs: make(chan struct{}, 1<<20),
		rotate: func(context.Context, string) ([]Rotated, error) { return []Rotated{{}}, nil },
		send:   func(context.Context, string, []byte) error { return nil },
		receive: func(_ context.Context, _ string, give func(Message) error) error {
			return give(Message{Data: []byte("x")})
		},
		events: func(_ context.Context, _ bool, show func(Event) error) error { return show(Event{}) },
	}
}

// FuzzServer writes its input to the control socket and ends its side. Whatever
// it was, the server answers HTTP or nothing, and goes on serving.
func FuzzServer(f *testing.F) {
	path := filepath.Join(f.TempDir(), "n.sock")
	s, err := NewServer(path, patient(), slog.New(slog.NewTextHandler(panicLog{f}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		f.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	f.Cleanup(func() { s.Close(); <-served })
	for _, request := range []string{
		"GET /v1/status", "POST /v1/down", "POST /v1/reload", "POST /v1/rotate?peer=n&timeout=1s", "POST /v1/send?peer=n&timeout=1ms",
		"POST /v1/receive?peer=%00", "GET /v1/events?follow=1", "GET /v1/../x", "DELETE /v1/status",
	} {
		f.Add([]byte(request + " HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"number\": 1}\n"))
	}
	f.Add([]byte("POST /v1/receive HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"number\":9}\n\r\n0\r\n\r\n"))
	f.Add([]byte("GET /v1/status HTTP/1.0\r\n\r\nGET /v1/status HTTP/1.1\r\n\r\n"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		if got := talk(t, path, request); len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.")) {
			t.Fatalf("%q is answered %.200q", request, got)
		}
		got := talk(t, path, []byte("GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
		if _, body, ok := strings.Cut(string(got), "\r\n\r\n"); !ok || !json.Valid([]byte(body)) {
			t.Fatalf("after %q the status is %.200q", request, got)
		}
	})
}

// talk writes to the socket, ends its side and reads the answer.
func talk(t *testing.T, path string, request []byte) []byte {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(request); err == nil {
		c.(*net.UnixConn).CloseWrite()
	}
	got, err := io.ReadAll(c)
	if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
		t.Fatalf("%q keeps the connection open", request)
	}
	return got
}

// FuzzAnswers: whatever comes out of a node's socket, a program gets values or
// an error, one line for each.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"version":1,"time":"2026-01-01T00:00:00Z","from":"idle"}` + "\n" + `{"error":"x"}` + "\n"))
	f.Add([]byte(`{"number":1,"peer":"did:x","name":"n","text":"hi"}` + "\n" + `{"number":2,"base64":"AAE="}`))
	f.Add([]byte(`{"number":1e99}` + "\n[]\nnull\n\"x\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New("/nowhere")
		lines := bytes.Count(b, []byte("\n")) + 1
		n := 0
		readLines(c, bytes.NewReader(b), func(Event) error { n++; return nil })
		if n > lines {
			t.Fatalf("%d events in %d lines", n, lines)
		}
		n = 0
		readLines(c, bytes.NewReader(b), func(m Message) error {
			n++
			again, err := json.Marshal(m)
			var back Message
			if err != nil || json.Unmarshal(again, &back) != nil || !bytes.Equal(back.Data, m.Data) {
				t.Fatalf("message %+v becomes %s, %v", m, again, err)
			}
			return nil
		})
		if n > lines {
			t.Fatalf("%d messages in %d lines", n, lines)
		}
	})
}
