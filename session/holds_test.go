package session

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The figures of spec/behaviour.md 6.5 are those of the constants.
func TestWhatOthersMakeUsHold(t *testing.T) {
	const mib = 1 << 20
	spec, err := os.ReadFile("../spec/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		fmt.Sprintf("| one peer's messages that nobody takes, and ours to it | 2 x %d MiB |", defaults.MessageQueueBytes/mib),
		fmt.Sprintf("| one peer's packets that wait for a path | %d MiB |", defaults.QueueBytes/mib),
	} {
		if !strings.Contains(string(spec), row) {
			t.Errorf("spec/behaviour.md does not have\n%s", row)
		}
	}
	if maxPerLink != 2 {
		t.Errorf("%d connections of a link: the rows of a peer say 2", maxPerLink)
	}
}
