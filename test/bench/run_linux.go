package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

const (
	// settle is how long a fresh tunnel is left alone: paths get their full size.
	settle = 2 * time.Second
	// restful is how long until a node is idle.
	restful = 20 * time.Second
)

// The lossy line, each way.
const (
	lineDelay = 20 * time.Millisecond
	lineLoss  = 0.01
)

// A bench is a run under way.
type bench struct {
	o     Options
	net   *lab.Net
	said  io.Writer // progress
	begun time.Time
	r     Result
}

// ErrIncomplete: some figures could not be taken; the report names them.
var ErrIncomplete = errors.New("bench: some figures are missing")

// Run measures and writes the report. Progress goes to said. It needs root, or
// the root of a user namespace with the network namespace.
func Run(ctx context.Context, o Options, said io.Writer) (err error) {
	if err := o.Check(); err != nil {
		return err
	}
	net, err := lab.Lay("bench", lab.Shape{})
	if err != nil {
		return fmt.Errorf("bench: lay the network: %w", err)
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	b := &bench{o: o, net: net, said: said, begun: time.Now(),
		r: Result{Machine: describe(o), Rounds: o.Rounds, Seconds: o.Time.Seconds()}}
	if err := b.rounds(ctx); err != nil {
		return err
	}
	return b.report(ctx)
}

func (b *bench) rounds(ctx context.Context) error {
	all := make([]contender, len(b.o.Contenders))
	for i, name := range b.o.Contenders {
		c, err := parseContender(name)
		if err != nil {
			return err
		}
		all[i] = c
	}
	for round := range b.o.Rounds {
		for _, c := range order(all, round) {
			b.visit(ctx, c, round)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// visit takes all figures of a contender in a round. What fails is noted.
func (b *bench) visit(ctx context.Context, c contender, round int) {
	v := &visit{bench: b, contender: c, round: round}
	fast, slow := v.rows()
	if len(fast) > 0 {
		a, z := b.net.CableA.A, b.net.CableA.B
		v.on(ctx, way{a: a.Host, b: z.Host, ipA: a.IP4.Addr(), ipB: z.IP4.Addr()}, fast)
	}
	if len(slow) == 0 {
		return
	}
	relay, err := b.net.RelayIP(b.net.A, b.net.B, uint64(round)+1) // the same fates for every contender
	if err != nil {
		v.missing("loss", err)
		return
	}
	defer relay.Close()
	relay.Set(lab.Both, lab.Disturbance{Delay: lineDelay, Drop: lineLoss})
	v.on(ctx, way{a: b.net.A, b: b.net.B, ipA: relay.A.IP4.Addr(), ipB: relay.B.IP4.Addr(), slow: true}, slow)
}

// report writes what Options ask for.
func (b *bench) report(ctx context.Context) error {
	if err := os.MkdirAll(b.o.Out, 0o755); err != nil {
		return err
	}
	if b.o.JSON != "" {
		if err := b.r.writeJSON(b.o.JSON); err != nil {
			return err
		}
	}
	text := b.r.markdown(b.o)
	if err := os.WriteFile(filepath.Join(b.o.Out, "bench.md"), []byte(text), 0o644); err != nil {
		return err
	}
	if err := b.r.writePlot(ctx, b.o.Programs, filepath.Join(b.o.Out, "bench.svg")); err != nil {
		return err
	}
	fmt.Fprintln(b.said)
	fmt.Fprint(os.Stdout, text)
	if len(b.r.Missing) > 0 {
		return ErrIncomplete
	}
	return b.r.judged()
}

// rows splits the rows by the topology that they need.
func (v *visit) rows() (fast, slow []string) {
	for _, name := range rowNames() {
		switch {
		case !slices.Contains(v.o.Rows, name) || !v.contender.measures(name, v.round):
		case name == "loss":
			slow = append(slow, name)
		default:
			fast = append(fast, name)
		}
	}
	return fast, slow
}
