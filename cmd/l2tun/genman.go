package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/libertaria-project/l2tun/internal/control"
)

// newGenManCmd writes the man pages of all commands, for those who make packages.
// The same program writes the same bytes.
func newGenManCmd(io IO) *cobra.Command {
	return &cobra.Command{
		Use:    "gen-man DIR",
		Short:  "Write the man pages into a folder",
		Hidden: true,
		Args:   exactly(1, "one folder"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot make the folder: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			date := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) // the month stands in the footer
			head := &doc.GenManHeader{Title: "L2TUN", Section: "1", Date: &date, Source: control.Program(), Manual: "l2tun"}
			return doc.GenManTree(root, head, args[0])
		},
	}
}
