package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
)

// NetworkSignOptions are the flags and the argument of l2tun network sign.
type NetworkSignOptions struct {
	IO
	*target
	File string
	Key  bool // read a line of a key from standard input
	Yes  bool
}

func newNetworkSignCmd(o *NetworkSignOptions, runF func(context.Context, *NetworkSignOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "sign FILE",
		Short: "Add a signature to a head; needs no network and no running node",
		Long: `Show a head that another admin has signed (--draft of network grant, hub, admin and the like),
and add a signature to it. The signature is by this node's key, or with --key by one
that is read from standard input: the recovery key, or a line of "l2tun key backup".`,
		Args: exactly(1, "FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if !o.Key { // else it is about no node, of which several may run
				if err := o.note(c); err != nil {
					return err
				}
			}
			o.File = args[0]
			return runF(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.Key, "key", false, "read the line of a key from standard input and sign by that")
	c.Flags().BoolVarP(&o.Yes, "yes", "y", false, "sign without a question")
	return c
}

func runNetworkSign(_ context.Context, o *NetworkSignOptions) error {
	doc, err := readDocument(o.File)
	if err != nil {
		return err
	}
	text, err := netadmin.Describe(doc)
	if err != nil {
		return usagef("%s is no document of a network: %s", o.File, refusalText(err))
	}
	p := o.prompt()
	id, err := o.signer(p)
	if err != nil {
		return err
	}
	fmt.Fprint(o.Err, printableLines("", text))
	if !o.Yes {
		if p == nil {
			return usagef("read the head above and add --yes to sign it")
		}
		if yes, err := p.yes("Sign this?"); err != nil || !yes {
			return errors.Join(err, errors.New("not signed"))
		}
	}
	signed, n, err := netadmin.Countersign(doc, id)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.File, signed, 0o600); err != nil {
		return fmt.Errorf("cannot write %s: %w", o.File, errors.Unwrap(err))
	}
	_, err = fmt.Fprintf(o.Out, "%s is signed by %v; it has %s\n", o.File, id.DID(), count(uint64(n), "signature"))
	return err
}

// signer is this node's key, or the one that is typed.
func (o *NetworkSignOptions) signer(p *prompt) (*did.Identity, error) {
	if !o.Key {
		return config.LoadIdentity(o.configPath())
	}
	seed, err := o.keyLine(p)
	if err != nil {
		return nil, err
	}
	return did.NewIdentity(seed)
}

// maxKeyLine is more than a line with a key has, bytes.
const maxKeyLine = 1024

// keyLine reads a line with a key: never from the command line, which others can read.
func (o IO) keyLine(p *prompt) ([]byte, error) {
	lines := bufio.NewReader(io.LimitReader(o.In, maxKeyLine))
	if p != nil {
		fmt.Fprint(p.out, "Key: ")
		lines = p.lines
	}
	line, err := lines.ReadString('\n')
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("cannot read the key: %w", err)
	}
	seed, err := did.ParseKeyLine(line)
	if err != nil {
		return nil, usagef("%s", sentence(err))
	}
	return seed, nil
}
