package main

import (
	"regexp"
	"testing"

	"github.com/libertaria-project/l2tun/test/lab"
)

// The demo with NATs shows how two homes meet through the hub and go on without it.
func TestDemoOfNATs(t *testing.T) {
	lab.Require(t, lab.TUN, "nft")
	bin := program(t)
	s := newShowing(t, bin, command(bin, "-nat")...)
	if code := s.code(t); code != 0 || s.errs.String() != "" {
		t.Fatalf("exit %d\n%s%s", code, s.out.String(), s.errs.String())
	}
	for _, want := range []string{
		`alice  \$ l2tun peer add .*--hub --endpoint `, `hub    \$ l2tun up `,
		`\d s  alice  bob: established, direct to [0-9.]+:\d+`, `\d s  bob    alice: established, direct to [0-9.]+:\d+`,
		`\d s  alice  answer from fd[0-9a-f:]+: seq=5 time=`,
		`\nSummary\n  first      packet at bob [1-9]\d* ms after alice was told of him\n  direct     after [1-9]\d* ms, from [0-9.]+:\d+ to [0-9.]+:\d+\n` +
			`  lost       \d+ packets of alice's, 0 came twice\n  ping       fd[0-9a-f:]+: 5 of 5 answered, .*\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(s.out.String()) {
			t.Errorf("%s is not shown:\n%s", want, s.out.String())
		}
	}
	s.leavesNothing(t)
}
