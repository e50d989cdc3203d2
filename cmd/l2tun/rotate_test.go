package main

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func TestRotateSaysWhoHasNewKeysAndWhoHasNot(t *testing.T) {
	node := &fakeNode{rotated: []control.Rotated{{DID: "did:b", Name: "bob", Epoch: 4}, {DID: "did:c", Epoch: 9}}}
	socket := node.start(t)
	if got := must(t, "rotate", "--socket", socket); got != "bob: epoch 4\ndid:c: epoch 9\n" || node.asked != "" {
		t.Error(got, node.asked)
	}
	must(t, "rotate", "--socket", socket, "bob")
	if node.asked != "bob" {
		t.Error(node.asked)
	}
	node.rotated[0].Error = "not established but failed"
	node.rotated = append(node.rotated, control.Rotated{DID: "did:d", Error: "no new epoch in time"})
	out, errs, code := l2tun(t, "rotate", "--socket", socket)
	want := "l2tun: no new keys with bob (not established but failed), did:d (no new epoch in time)\n"
	if code != 1 || out != "did:c: epoch 9\n" || errs != want {
		t.Error(code, out, errs)
	}
	node.refuse = &control.APIError{Code: 404, Msg: `there is no peer "x"`}
	refused(t, exitUsage, `there is no peer "x"`, "rotate", "--socket", socket, "x")
}
