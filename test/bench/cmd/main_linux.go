// Command bench is what scripts/bench runs; its options are explained by
// scripts/bench -h. It exits with 1 if a figure is missing or a goal is not
// met, with 2 for wrong options.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/test/bench"
)

// reachDelay is each way between a home and the hub.
const reachDelay = 20 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	var o bench.Options
	var rows, contenders string
	f := flag.NewFlagSet("scripts/bench", flag.ContinueOnError)
	f.IntVar(&o.Rounds, "n", 5, "`ROUNDS`; each visits all contenders")
	seconds := f.Int("t", 3, "`SECONDS` of a throughput measurement")
	idle := f.Int("idle", 60, "`SECONDS` of watching an idle node, in the first round")
	f.StringVar(&rows, "rows", "", "`ROWS` to measure, by commas: idle,ping,tcp-up,tcp-down,tcp4,udp1300,udp64,ping-load,rotating,lost-peer,loss (default all)")
	f.StringVar(&contenders, "contenders", "", "`NAMES`, by commas: veth,wireguard-go,direct,datagram,utcp, default, l2tun with all of them, which is only watched idle, and datagram+utcp, of which it uses the better one on the lossy line; NAME@N runs it with GOMAXPROCS=N (default all, and wireguard-go@1,direct@1 for throughput)")
	f.StringVar(&o.Out, "out", "docs", "`FOLDER` for bench.md and bench.svg")
	f.StringVar(&o.JSON, "json", "", "`FILE` for the raw samples")
	f.StringVar(&o.Programs, "programs", "", "`FOLDER` with l2tun, wireguard and plot (set by the script)")
	f.StringVar(&o.Commit, "commit", "unknown", "`NAME` of what is measured (set by the script)")
	r := bench.ReachOptions{Delay: reachDelay}
	reach := f.Bool("reach", false, "how homes behind NATs meet through a hub instead")
	f.IntVar(&r.Trials, "trials", 20, "with -reach, `TRIALS` of each pair, of each thing that happens to a flow and of each wake")
	f.IntVar(&r.Sprays, "sprays", 50, "with -reach, `TRIALS` of each pair with the spray")
	f.IntVar(&r.Lanes, "lanes", 10, "with -reach, `NETWORKS` side by side, half of them for times; TCP through a hub and many homes run alone")
	kinds := f.String("kinds", "", "with -reach, `KINDS` of NATs for the matrix, by commas (default all)")
	f.IntVar(&r.Rounds, "rounds", 5, "with -reach, `ROUNDS` of TCP through a hub")
	parts := f.String("parts", "", "with -reach, `PARTS` of it, by commas: "+strings.Join(bench.PartNames(), ",")+" (default all)")
	pairs := f.String("pairs", "", "with -reach, `PAIRS` whose times are measured, by commas: CALLER:CALLEE of kinds, :6 behind for IPv6")
	var p bench.PeersOptions
	f.IntVar(&p.Peers, "peers", 0, "what a node costs that has `PEERS` in its config, instead; it is watched for -idle seconds")
	f.IntVar(&p.Awake, "awake", 50, "with -peers, `PEERS` of them that run")
	micro := f.Bool("micro", false, "the benchmarks of the packages instead; the argument is a pattern")
	if err := f.Parse(os.Args[1:]); err != nil {
		return 2
	}
	o.Time, o.Idle = time.Duration(*seconds)*time.Second, time.Duration(*idle)*time.Second
	o.Rows, o.Contenders = list(rows), list(contenders)
	if *micro && f.NArg() <= 1 {
		return done(bench.Micro(ctx, f.Arg(0), o, os.Stderr))
	}
	if *reach && f.NArg() == 0 {
		r.Time, r.Parts = o.Time, list(*parts)
		r.Kinds, r.Pairs, r.Programs, r.Commit, r.Out, r.JSON = list(*kinds), list(*pairs), o.Programs, o.Commit, o.Out, o.JSON
		return checked(r.Check(), func() error { return bench.Reach(ctx, r, os.Stderr) })
	}
	if p.Peers != 0 && f.NArg() == 0 {
		p.Idle, p.Programs = o.Idle, o.Programs
		return checked(p.Check(), func() error { return bench.Peers(ctx, p, os.Stderr) })
	}
	err := o.Check()
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("bench: %q is no option", f.Arg(0))
	}
	return checked(err, func() error { return bench.Run(ctx, o, os.Stderr) })
}

// checked runs what has no wrong options.
func checked(err error, run func() error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return done(run())
}

func done(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
