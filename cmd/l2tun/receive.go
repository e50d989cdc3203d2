package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// ReceiveOptions are the flags and the argument of l2tun receive.
type ReceiveOptions struct {
	IO
	target
	Peer  string // DID, name or overlay address; empty: all
	Count int    // 0: no end
	JSON  bool
}

func newReceiveCmd(o *ReceiveOptions, runF func(context.Context, *ReceiveOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "receive [PEER]",
		Short: "Print messages from a peer, or from all peers, as they arrive",
		Long: `Print each message from a peer, given by DID, name or overlay address, or from all
peers, followed by a newline, until --count messages have arrived or Ctrl-C. A
message leaves the node's queue after it was written; until then it is the next one
for any caller. Several commands at once share the messages: each gets different
ones.

On a terminal control characters are escaped and, without PEER, each line begins
with the name of the peer that sent it. Into a file or a pipe the bytes go as
they are; --json says who sent what.`,
		Example: `  l2tun receive berlin --count 1 > config.tar
  l2tun receive --json | jq -r '.name + ": " + .text'`,
		Args: between(0, 1, "at most one peer"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := o.parse(c, args); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	c.Flags().IntVar(&o.Count, "count", 0, "end after `N` messages (default: do not end)")
	c.Flags().BoolVar(&o.JSON, "json", false, "print one JSON object a line, docs/node.md 8.1")
	return c
}

func (o *ReceiveOptions) parse(c *cobra.Command, args []string) error {
	if c.Flags().Changed("count") && o.Count < 1 {
		return usagef("--count %d: it must be 1 or more", o.Count)
	}
	return optionalPeer(args, &o.Peer)
}

func runReceive(ctx context.Context, o *ReceiveOptions) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	client := o.connect()
	return o.explain(client.Receive(ctx, o.Peer, o.Count, o.print))
}

// print writes a message and its newline at once, so that nobody sees half.
func (o *ReceiveOptions) print(m control.Message) error {
	if o.JSON {
		return o.encode(m)
	}
	text := m.Data
	if o.terminal() { // a peer has no right to move the cursor, or to speak as another
		from := ""
		if o.Peer == "" {
			from = cmp.Or(m.Name, m.Peer) + ": "
		}
		text = []byte(printableLines(from, string(m.Data)))
	}
	_, err := o.Out.Write(append(text, '\n'))
	return err
}

// encode writes a message as JSON in which everything that does not print is escaped:
// encoding/json leaves DEL, the C1 controls and marks of direction as they are, and a
// terminal obeys them. It is the same JSON to a program.
func (o *ReceiveOptions) encode(m control.Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = o.Out.Write(append(escapeJSON(text), '\n'))
	return err
}

func escapeJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range string(text) {
		if unicode.IsPrint(c) {
			out = utf8.AppendRune(out, c)
			continue
		}
		for _, half := range utf16.AppendRune(nil, c) {
			out = fmt.Appendf(out, "\\u%04x", half)
		}
	}
	return out
}
