package main

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// handWritten are the pages that are about more than one command.
//
//go:embed man
var handWritten embed.FS

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
			date := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) // the month stands in the footer
			if err := genCommands(c.Root(), args[0], date); err != nil {
				return err
			}
			return genPages(args[0], date)
		},
	}
}

// genCommands writes a page for each command below the root.
func genCommands(root *cobra.Command, dir string, date time.Time) error {
	root.DisableAutoGenTag = true
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() || c.Name() == "powershell" { // no l2tun runs there
			continue
		}
		var page bytes.Buffer
		head := &doc.GenManHeader{Section: "1", Date: &date, Source: control.Program(), Manual: "l2tun"}
		head.Title = strings.ToUpper(strings.ReplaceAll(c.CommandPath(), " ", "-"))
		if err := doc.GenMan(c, head, &page); err != nil {
			return err
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-")
		if err := os.WriteFile(filepath.Join(dir, name+".1"), finish(c, page.Bytes()), 0o644); err != nil {
			return err
		}
		if err := genCommands(c, dir, date); err != nil {
			return err
		}
	}
	return nil
}

// finish says of flags what they are given, in place of defaults that are empty,
// and adds what cobra knows nothing of.
func finish(c *cobra.Command, page []byte) []byte {
	page = regexp.MustCompile(`(?m)=""$|=\[\]$|\[=false\]$`).ReplaceAll(page, nil)
	more := sections(c)
	at := bytes.Index(page, []byte("\n.SH SEE ALSO"))
	if at < 0 {
		return append(page, more...)
	}
	return append(append(append([]byte{}, page[:at]...), more...), page[at:]...)
}

// sections are EXIT STATUS, and FILES where a command is about some.
func sections(c *cobra.Command) string {
	name := strings.TrimPrefix(c.CommandPath(), "l2tun ")
	special := map[string]string{
		"doctor":  "0 without problems or with notes only, 1 with warnings, 2 with errors, 64 for wrong usage.",
		"wait":    "0 when the session is in the state; 10 to 17 if not in time, by the state it is in; 1 if no node runs, 64 for wrong usage.",
		"ping":    "0 if a probe was answered, 1 if none was or no node runs, 64 for wrong usage.",
		"join":    "0 when joined; 1 if the other node refused or did not answer, or the question was answered no; 64 for a link that is none, or one that needs \\-\\-yes.",
		"send":    "0 when the peer has acknowledged the message, 1 if not, 64 for wrong usage.",
		"receive": "0 after \\-\\-count messages or at Ctrl\\-C, 1 if the node stopped, 64 for wrong usage.",
		"up":      "0 when stopped (with \\-\\-detach: when up); 1 if the system refused or the start was not confirmed; 64 for a wrong config, key or usage.",
	}
	usual := "0 on success, 1 if what was tried failed, 64 for wrong usage, config, key or link."
	text := "\n.SH EXIT STATUS\n" + cmp.Or(special[name], usual) + " See \\fBl2tun\\-exit\\-codes(7)\\fP.\n\n"
	config := "\n.SH FILES\n\\fI/etc/l2tun/NAME.toml\\fP, described in \\fBl2tun.toml(5)\\fP, and \\fI/etc/l2tun/NAME.key\\fP"
	switch name {
	case "init", "id", "join", "peer add", "peer set", "peer remove", "peer list", "reload":
		text += config + ".\n\n"
	case "invite", "invite list", "invite remove":
		text += config + "; \\fI/etc/l2tun/NAME.invitations\\fP has the invitations of the last seven days, without their tokens.\n\n"
	case "up", "down", "status":
		text += config + "; \\fI/run/l2tun/NAME.sock\\fP is the control socket, \\fI/run/l2tun/NAME.log\\fP the log of a node in the background.\n\n"
	}
	return text
}

// genPages writes the pages that people wrote.
func genPages(dir string, date time.Time) error {
	all, err := handWritten.ReadDir("man")
	if err != nil {
		return err
	}
	fill := strings.NewReplacer("@DATE@", date.Format("Jan 2006"), "@PROGRAM@", control.Program())
	for _, e := range all {
		text, err := handWritten.ReadFile("man/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), []byte(fill.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}
