package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
)

// waitPoll is how often the node is asked.
const waitPoll = 50 * time.Millisecond

// pingTime is how long the ping that wakes a sleeper may take.
const pingTime = 2 * time.Second

// exitState is the exit code of a wait in vain for a peer that is idle; the other
// states follow in the order of the list.
const exitState = 10

// states are the eight, spec/behaviour.md 6.1, in the order of their exit codes.
func states() []string {
	return []string{"idle", "handshake_initiated", "handshake_received", "established", "rotating", "degraded", "suspended", "failed"}
}

// connecting is the word of status for both states of a handshake.
const connecting = "connecting"

// WaitOptions are the flags and the argument of l2tun wait.
type WaitOptions struct {
	IO
	target
	Peer    string // DID, name or overlay address
	States  []string
	Timeout time.Duration
	JSON    bool
}

// waited is what --json prints.
type waited struct {
	control.Stamp
	DID     string `json:"did"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Reached bool   `json:"reached"`
}

func newWaitCmd(o *WaitOptions, runF func(context.Context, *WaitOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "wait PEER",
		Short: "Wait until the session with a peer is in a state",
		Long: `Wait until the session with a peer, given by DID, name or overlay address, is in
one of the states. Rotating counts as established: records flow. Connecting, the
word of status, stands for both states of a handshake. A session that sleeps is in
state idle; a wait for established wakes it.

Exit codes: 0 reached; 10-17 timed out in state idle (10), handshake_initiated
(11), handshake_received (12), established (13), rotating (14), degraded (15),
suspended (16) or failed (17); 1 and 64 as everywhere.`,
		Args:              exactly(1, "one peer"),
		ValidArgsFunction: o.peerNames,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.Peer = args[0]
			if err := o.check(); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringSliceVar(&o.States, "state", []string{"established"}, "`STATE` to wait for, or several with commas between")
	f.DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long to wait; 0 looks once")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o *WaitOptions) check() error {
	if err := noEmptyPeer(o.Peer); err != nil {
		return err
	}
	if o.Timeout < 0 {
		return usagef("--timeout %s: it must not be below 0", o.Timeout)
	}
	if slices.Contains(o.States, connecting) {
		o.States = slices.DeleteFunc(o.States, func(s string) bool { return s == connecting })
		o.States = append(o.States, "handshake_initiated", "handshake_received")
	}
	for _, s := range o.States {
		if !slices.Contains(states(), s) {
			return usagef("--state %s: choose %s", s, strings.Join(states(), ", "))
		}
	}
	if slices.Contains(o.States, "established") {
		o.States = append(o.States, "rotating")
	}
	return nil
}

// A stateError is a wait in vain.
type stateError struct {
	msg   string
	state string
}

func (e *stateError) Error() string { return e.msg }

// code is the state's.
func (e *stateError) code() int { return exitState + slices.Index(states(), e.state) }

func runWait(ctx context.Context, o *WaitOptions) error {
	client := o.connect()
	p, reached, err := o.await(ctx, client)
	if err != nil {
		return o.explain(err)
	}
	if o.JSON {
		if err := json.NewEncoder(o.Out).Encode(waited{control.NewStamp(), p.DID, p.Name, p.State, p.Reason, reached}); err != nil {
			return err
		}
	}
	if reached {
		return nil
	}
	why := ""
	if p.Reason != "" {
		why = " (" + p.Reason + ")"
	}
	return &stateError{fmt.Sprintf("timed out after %s; %s is in state %s%s", o.Timeout, o.Peer, p.State, why), p.State}
}

// await asks until the peer is in one of the states or the time is over.
func (o *WaitOptions) await(ctx context.Context, client *control.Client) (p control.Peer, reached bool, err error) {
	deadline := time.Now().Add(o.Timeout)
	for {
		p, err = o.look(ctx, client)
		if err != nil || slices.Contains(o.States, p.State) {
			return p, err == nil, err
		}
		if o.Timeout > 0 && health.Asleep(&p) && slices.Contains(o.States, "established") {
			client.Ping(ctx, p.DID, pingTime) // wakes it; what comes of it the status says
		}
		left := time.Until(deadline)
		if left <= 0 {
			return p, false, nil
		}
		select {
		case <-ctx.Done():
			return p, false, control.ErrInterrupted
		case <-time.After(min(waitPoll, left)):
		}
	}
}

func (o *WaitOptions) look(ctx context.Context, client *control.Client) (control.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return control.Peer{}, err
	}
	p, err := peerOf(s, o.Peer)
	if err != nil {
		return control.Peer{}, err
	}
	return *p, nil
}
