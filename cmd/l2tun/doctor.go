package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/show/doctor"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

const doctorTime = time.Minute

// DoctorOptions are the flags and the argument of l2tun doctor.
type DoctorOptions struct {
	IO
	target
	Peer    string
	JSON    bool
	Offline bool
}

func newDoctorCmd(o *DoctorOptions, runF func(context.Context, *DoctorOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor [PEER]",
		Short: "Find problems of the node, and say what to do",
		Long: `Check config, key, clock, machine, routes, the running node, and the path to each
peer's endpoints, or to those of one PEER, by QUIC, TCP and plain datagrams. Each
finding has a stable code (docs/troubleshooting.md), says what to do, and gives
the commands that do it. Doctor changes nothing. Exit code: 0 nothing or notes only, 1 warnings, 2 errors.`,
		Args: between(0, 1, "at most one peer"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := optionalPeer(args, &o.Peer); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	c.Flags().BoolVar(&o.Offline, "offline", false, "send no probes")
	return c
}

func runDoctor(ctx context.Context, o *DoctorOptions) error {
	if err := hideMemory(); err != nil { // it reads the key file
		return err
	}
	r, err := o.examine(ctx)
	if err != nil {
		return err
	}
	if err := o.print(r); err != nil {
		return err
	}
	if code := r.Exit(); code != doctor.ExitOK {
		return &reportedError{code: code} // all has been said
	}
	return nil
}

// examine needs no config that can be read: that it cannot be is a finding.
func (o *DoctorOptions) examine(ctx context.Context) (*doctor.Report, error) {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	return doctor.Run(ctx, doctor.Options{ConfigPath: o.configPath(), Socket: o.at, Flag: o.upFlag(), NodeFlag: o.flagOf(), Peer: o.Peer, Offline: o.Offline}), nil
}

func (o *DoctorOptions) print(r *doctor.Report) error {
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	_, err := io.WriteString(o.Out, doctorText(r, o.width(), screen.Paint{Color: o.Color}))
	return err
}

// doctorText is the findings, the worst first, and what was checked.
func doctorText(r *doctor.Report, width int, p screen.Paint) string {
	var b strings.Builder
	for _, line := range screen.Findings(r.Findings, width, p) {
		b.WriteString(line + "\n")
	}
	checked := strings.Join(r.Checks, ", ")
	if len(r.Findings) == 0 {
		fmt.Fprintf(&b, "no problems found (checked %s)\n", checked)
	} else {
		fmt.Fprintf(&b, "%s (checked %s)\n", screen.Count(uint64(len(r.Findings)), "finding"), checked)
	}
	return b.String()
}
