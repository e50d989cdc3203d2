package control

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRotateAnswersForEachPeer(t *testing.T) {
	want := []Rotated{{DID: "did:a", Name: "bob", Epoch: 4}, {DID: "did:b", Error: "not established"}}
	var asked string
	_, c := start(t, &fakeNode{rotate: func(ctx context.Context, peer string) ([]Rotated, error) {
		asked = peer
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > RotateTime {
			return nil, errors.New("no limit of 5 s")
		}
		return want, nil
	}})
	for _, peer := range []string{"", "did:morpheus:z1", "bob & co?"} {
		got, err := c.Rotate(t.Context(), peer)
		if err != nil || asked != peer {
			t.Errorf("%q became %q: %v", peer, asked, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestAHandlersErrorHasItsOwnStatus(t *testing.T) {
	unknown := &APIError{404, `there is no peer "x"`}
	_, c := start(t, &fakeNode{
		rotate:  func(context.Context, string) ([]Rotated, error) { return nil, unknown },
		send:    func(context.Context, string, []byte) error { return unknown },
		receive: func(context.Context, string, func(Message) error) error { return unknown },
	})
	_, rotate := c.Rotate(t.Context(), "x")
	send := c.Send(t.Context(), "x", nil, 0)
	receive := c.Receive(t.Context(), "x", 0, func(Message) error { return nil })
	for what, err := range map[string]error{"rotate": rotate, "send": send, "receive": receive} {
		var ae *APIError
		if !errors.As(err, &ae) || *ae != *unknown {
			t.Errorf("%s: %v", what, err)
		}
	}
}
