package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

// Offices, groups and routes by the commands, where no node runs; names of members complete.
func TestOfficesOnTheCommandLine(t *testing.T) {
	_, at, _ := netNode(t)
	do := func(args ...string) string { return must(t, append(append([]string{"network"}, args...), at...)...) }
	fails := func(want string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		code := run(t.Context(), append(append([]string{"network"}, args...), at...), IO{In: strings.NewReader(""), Out: &out, Err: &errs}, nil)
		if code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: %d %s", args, code, errs.String())
		}
	}
	has := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	seed := [did.SeedSize]byte{7}
	key, err := did.NewIdentity(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	other := key.DID().String()
	has(do("admin", "add", other), "is an admin; 1 of 3")
	fails("4 admins cannot sign", "threshold", "4")
	has(do("issuer", "add", other, "--group", "phone", "--routes"), "groups phone, routes yes")
	first := regexp.MustCompile(`10\.\d+\.0\.0/16`).FindString(do("issuer", "add", other, "--no-routes"))
	if first == "" || first == "10.20.0.0/16" || regexp.MustCompile(`10\.\d+\.0\.0/16`).FindString(do("issuer", "add", other, "--group", "*")) != first {
		t.Errorf("prefix %q of a second issuer", first)
	}
	has(do("issuer", "remove", other), "may not invite any more")
	has(do("set", "one", "--group", "server", "--route", "192.168.1.0/24"), "one has groups server and routes 192.168.1.0/24")
	has(do("set", "one", "--no-groups"), "groups none and routes 192.168.1.0/24")
	fails("what is to be changed?", "set", "one")
	fails("was not removed", "restore", other)
	fails(`no member "nobody"`, "admin", "add", "nobody")
	has(do("admin", "remove", other), "1 of 2")
	for _, args := range [][]string{{"remove"}, {"rename"}, {"extend"}, {"set"}, {"hub", "add"}, {"admin", "add"}, {"issuer", "add"}, {"succeed"}} {
		var out, errs strings.Builder
		args = append(append(append([]string{"__complete", "network"}, args...), at...), "")
		if run(t.Context(), args, IO{In: strings.NewReader(""), Out: &out, Err: &errs}, nil); !strings.HasPrefix(out.String(), "one\n") {
			t.Errorf("%q completes with %q", args, out.String())
		}
	}
}
