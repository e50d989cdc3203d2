// Command demo shows two nodes on this machine, brought up by the commands that
// a user would type, and what they do as it happens.
//
//	go run ./test/demo [-nat] [-duration 3s] [-l2tun PROGRAM]
//
// It builds l2tun, starts itself again in namespaces of its own (mounts, network,
// and users unless it is root), and runs the demo there. Its /run is a tmpfs, so
// every file, socket and lock of the demo, the program too, lies in memory that
// only it sees; test/lab holds the network namespaces by descriptors. All of that
// ends with the process, however it ends: nothing has to be cleaned up by hand,
// and no node of the machine is ever met.
//
//	demo ── demo -inside ─┬─ l2tun up   alice ─┐ 10.77.1.1
//	        (ping, rate)  └─ l2tun up   bob   ─┘ 10.77.1.2
//
// With -nat there are three: alice and bob are at home behind NATs, neither can be
// reached from outside, and a hub is where both can find it. It shows how they meet
// there and go on without it.
//
//	demo ── demo -inside ─┬─ l2tun up   alice ── NAT ─┐
//	       (ping)         ├─ l2tun up   bob ──── NAT ─┼─ core
//	                      └─ l2tun up   hub ──────────┘
//
// The parent owns the child, the child the nodes; each waits for what it owns
// and takes it along if it is killed. The demo never takes longer than a minute.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

const (
	exitFailed = 1
	exitUsage  = 64 // EX_USAGE
)

func main() { os.Exit(run(os.Args[1:])) }

// run ends at the first signal; others while it cleans up change nothing.
func run(args []string) int {
	o := Options{Out: os.Stdout, Color: term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""}
	if err := o.parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	show := Run
	if o.Outside != "" {
		show = Inside
	}
	if err := show(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		return exitFailed
	}
	return 0
}
