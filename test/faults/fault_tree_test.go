//go:build faults

package faults

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script runs one of scripts/ and returns what it printed and its exit code.
func script(t *testing.T, name string, args ...string) (out string, code int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "./scripts/"+name, args...)
	c.Dir = "../.."
	b, err := c.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(b), code
}

// M5: a moment of fuzzing for each target.
func TestFaultFuzzing(t *testing.T) {
	seconds, start := "1", time.Now()
	if os.Getenv("L2TUN_FULL") == "1" {
		seconds = "5"
	}
	out, code := script(t, "fuzz", seconds)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	targets := 0
	for _, names := range fuzzTargets(t) {
		targets += len(names)
	}
	fuzzed, executions := regexp.MustCompile(`(?m)^ok .* (\d+) executions$`).FindAllStringSubmatch(out, -1), 0
	for _, m := range fuzzed {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		executions += n
	}
	Report(t, "M5", len(fuzzed) == targets && executions > 0, "%d targets fuzzed for %s s each, %d executions, no failure; %v with building them",
		len(fuzzed), seconds, executions, time.Since(start).Round(time.Second))
}

// M7: what govulncheck says of the program, where it can say anything.
func TestFaultKnownVulnerabilities(t *testing.T) {
	out, code := script(t, "vulnerabilities")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	switch code {
	case 0:
		Report(t, "M7", true, "govulncheck: %s", lines[len(lines)-1])
	case 77:
		Report(t, "M7", true, "govulncheck was not able to look (%s)", lines[len(lines)-1])
	default:
		t.Fatalf("exit code %d\n%s", code, out)
	}
}
