package main

import "github.com/spf13/cobra"

// newExitCodesTopic is what l2tun help exit-codes shows; docs/node.md 8.2 has the same.
func newExitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Exit codes of all commands:

  0   done
  1   what was tried failed: no node runs, the node or the system refused,
      a message was not acknowledged, a node did not let this one join
  64  what was typed or written is wrong: usage, config file, key file, link,
      a peer, a member or an invitation that is not there, a name that is taken

Of l2tun wait, when the peer is not in the state in time, by the state it is in:

  10  idle                   14  rotating
  11  handshake_initiated    15  degraded
  12  handshake_received     16  suspended
  13  established            17  failed

Of l2tun doctor: 0 nothing or notes only, 1 warnings, 2 errors.

An error is one line on standard error, "l2tun: " and a sentence.`,
	}
}
