package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
)

func newKeyCmd(io IO) *cobra.Command {
	t := &target{}
	c := &cobra.Command{
		Use:   "key",
		Short: "Keep a copy of this node's key, and bring it back",
		Args:  wantCommand,
		RunE:  noCommand,
	}
	t.flags(c)
	c.AddCommand(
		newKeyBackupCmd(&KeyBackupOptions{IO: io, target: t}, runKeyBackup),
		newKeyRestoreCmd(&KeyRestoreOptions{IO: io, target: t}, runKeyRestore),
	)
	return c
}

// KeyBackupOptions are the argument of l2tun key backup.
type KeyBackupOptions struct {
	IO
	*target
	File string // empty: standard output
}

func newKeyBackupCmd(o *KeyBackupOptions, runF func(context.Context, *KeyBackupOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Print the line of this node's key, or write it to a new file",
		Long: `Print one line that holds this node's key, to be kept on paper or off this machine.
Whoever has it is this node: in a network that it administers, he can change that.`,
		Args: between(0, 1, "at most one FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if len(args) == 1 {
				o.File = args[0]
			}
			return runF(c.Context(), o)
		},
	}
}

func runKeyBackup(_ context.Context, o *KeyBackupOptions) error {
	seed, err := config.Seed(o.configPath())
	if err != nil {
		return err
	}
	line := did.KeyLine(seed) + "\n"
	if o.File == "" {
		_, err := fmt.Fprint(o.Out, line)
		return err
	}
	f, err := createNew(o.File)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// KeyRestoreOptions are those of l2tun key restore.
type KeyRestoreOptions struct {
	IO
	*target
}

func newKeyRestoreCmd(o *KeyRestoreOptions, runF func(context.Context, *KeyRestoreOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "restore",
		Short: "Read the line of a key from standard input and make it the key of a node",
		Long: `Read the line that "l2tun key backup" has printed from standard input and write the
key file of --config. A key that is there is never replaced. The node's networks and
peers are in its config and the folder beside it: bring those back too, or join anew.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
}

func runKeyRestore(_ context.Context, o *KeyRestoreOptions) error {
	seed, err := o.keyLine(o.prompt())
	if err != nil {
		return err
	}
	id, err := config.RestoreKey(o.configPath(), seed)
	if err != nil {
		return err
	}
	return printIdentity(o.Out, id.DID(), false)
}
