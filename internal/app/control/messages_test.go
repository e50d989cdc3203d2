package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAMessageIsTextOrBase64(t *testing.T) {
	stamp := `{"version":1,"program":"` + Program() + `","number":7,"peer":"did:a","name":"bob",`
	for data, want := range map[string]string{
		"":                             `"text":""}`,
		"gr\u00fc\u00df\n<\u2028>\x00": `"text":"grüß\n\u003c\u2028\u003e\u0000"}`,
		"\xff\xfe":                     `"base64":"//4="}`,
		"ok\xc3":                       `"base64":"b2vD"}`,
		"\ufffd":                       `"text":"�"}`,
	} {
		m := Message{7, "did:a", "bob", []byte(data)}
		got, err := json.Marshal(m)
		if err != nil || string(got) != stamp+want {
			t.Errorf("%q: %s %v", data, got, err)
		}
		var back Message
		if err := json.Unmarshal(got, &back); err != nil || string(back.Data) != data || back.Number != 7 || back.Peer != "did:a" || back.Name != "bob" {
			t.Errorf("%q came back as %+v %v", data, back, err)
		}
	}
}

func TestSendPassesBytesPeerAndTimeout(t *testing.T) {
	var msg []byte
	var peer string
	var limit time.Duration
	_, c := start(t, &fakeNode{send: func(ctx context.Context, p string, m []byte) error {
		peer, msg, limit = p, m, 0
		if end, ok := ctx.Deadline(); ok {
			limit = time.Until(end)
		}
		return nil
	}})
	big := bytes.Repeat([]byte{0xff}, MaxMessage)
	for _, want := range [][]byte{{}, []byte("hello\n"), big} {
		if err := c.Send(t.Context(), "bob & co", want, 0); err != nil || !bytes.Equal(msg, want) || peer != "bob & co" || limit != 0 {
			t.Error(len(want), len(msg), peer, limit, err)
		}
	}
	if err := c.Send(t.Context(), "bob", nil, time.Hour); err != nil || limit < 59*time.Minute {
		t.Error(limit, err)
	}
}

func TestWrongSendsAreRefused(t *testing.T) {
	_, c := start(t, &fakeNode{send: func(context.Context, string, []byte) error { return errors.New("reached the node") }})
	var ae *APIError
	if err := c.Send(t.Context(), "bob", make([]byte, MaxMessage+1), 0); !errors.As(err, &ae) || ae.Code != 413 || !strings.Contains(ae.Msg, "1 MiB") {
		t.Error(err)
	}
	for _, timeout := range []string{"x", "-1s", "0s", "5"} {
		if err := c.call(t.Context(), "POST", "/v1/send?peer=bob&timeout="+timeout, nil); !errors.As(err, &ae) || ae.Code != 400 {
			t.Error(timeout, err)
		}
	}
}

// A program that gives up on a message lets the node know, which may still take
// it back.
func TestAnInterruptedSendReachesTheNode(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	_, c := start(t, &fakeNode{send: func(ctx context.Context, _ string, _ []byte) error {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-began
		cancel()
	}()
	if err := c.Send(ctx, "bob", []byte("x"), time.Minute); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
