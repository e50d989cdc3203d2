package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// IO is where a command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Color    bool // Out is a terminal that shows colours

	ConfigDir  string // of configs; empty: /etc/l2tun
	RuntimeDir string // of the nodes' sockets; empty: this user's
}

// Annotations of the root command with IO's folders for all commands.
const (
	configDir  = "config-dir"
	runtimeDir = "runtime-dir"
)

func main() {
	std := IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Color: !color.NoColor}
	os.Exit(run(context.Background(), os.Args[1:], std, runNode))
}

// run is the whole program but for the exit.
func run(ctx context.Context, args []string, io IO, node nodeRunner) int {
	root := newRootCmd(io, node)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" { // else the command has said all
		fmt.Fprintln(io.Err, "l2tun: "+printable(sentence(err)+rights(err, os.Geteuid())))
	}
	return exitCode(err)
}

func newRootCmd(io IO, node nodeRunner) *cobra.Command {
	root := &cobra.Command{
		Use:           "l2tun",
		Short:         "An overlay network whose peers are identified by their public keys",
		Args:          wantCommand,
		Annotations:   map[string]string{configDir: io.ConfigDir, runtimeDir: io.RuntimeDir},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	addVersion(root)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newInitCmd(&InitOptions{IO: io}, runInit),
		newIDCmd(&IDOptions{IO: io}, runID),
		newPeerCmd(io),
		newUpCmd(&UpOptions{IO: io, Node: node}, runUp),
		newDownCmd(&DownOptions{IO: io}, runDown),
		newStatusCmd(&StatusOptions{IO: io}, runStatus),
		newTopCmd(&TopOptions{IO: io}, runTop),
		newPingCmd(&PingOptions{IO: io}, runPing),
		newWhyCmd(&WhyOptions{IO: io}, runWhy),
		newNetcheckCmd(&NetcheckOptions{IO: io}, runNetcheck),
		newDoctorCmd(&DoctorOptions{IO: io}, runDoctor),
		newBugreportCmd(&BugreportOptions{IO: io}, runBugreport),
		newMetricsCmd(&MetricsOptions{IO: io}, runMetrics),
		newCaptureCmd(&CaptureOptions{IO: io}, runCapture),
		newEventsCmd(&EventsOptions{IO: io}, runEvents),
		newRotateCmd(&RotateOptions{IO: io}, runRotate),
		newSendCmd(&SendOptions{IO: io}, runSend),
		newReceiveCmd(&ReceiveOptions{IO: io}, runReceive),
		newInviteCmd(&InviteOptions{IO: io}, runInvite),
		newJoinCmd(&JoinOptions{IO: io}, runJoin),
		newNetworkCmd(io), newKeyCmd(io),
		newReloadCmd(&ReloadOptions{IO: io}, runReload),
		newConfirmCmd(&ConfirmOptions{IO: io}, runConfirm),
		newHostsCmd(&HostsOptions{IO: io}, runHosts),
		newKeepNamesCmd(&KeepNamesOptions{IO: io}, runKeepNames),
		newPreferCmd(&PreferOptions{IO: io}, runPrefer),
		newWaitCmd(&WaitOptions{IO: io}, runWait),
		newExitCodesTopic(),
		newGenManCmd(io),
	)
	root.SetHelpCommand(newHelpCmd(root))
	strictCompletion(root)
	return root
}

// flagError is the sentence for a flag that is unknown, or has no such value.
func flagError(c *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && e.GetFlag().Value.Type() == "duration" {
		if _, err := duration(e.GetValue()); err != nil {
			return usagef("--%s: %v", e.GetFlag().Name, err)
		}
	}
	if !c.HasParent() {
		return usagef("%v; flags of a command stand behind it: %s COMMAND --help lists them", err, c.CommandPath())
	}
	return usagef("%v; %s --help lists the flags", err, c.CommandPath())
}

// wantCommand and noCommand are the arguments and the action of a command that
// only holds others.
func wantCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("%s has no command %q; %s", c.CommandPath(), args[0], instead(c, args[0]))
}

// instead is what may have been meant, or where to look.
func instead(c *cobra.Command, word string) string {
	c.SuggestionsMinimumDistance = 1
	if len(word) > 4 {
		c.SuggestionsMinimumDistance = 2
	}
	near := c.SuggestionsFor(word)
	for _, topic := range c.Commands() { // which cobra leaves out
		if topic.IsAdditionalHelpTopicCommand() && len(word) > 2 && strings.HasPrefix(topic.Name(), word) {
			near = append(near, topic.Name())
		}
	}
	if len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	return c.CommandPath() + " --help lists them"
}

// addVersion is --version. The one of cobra takes a template for what it prints, and with
// text/template in the program the linker keeps each exported method of each type: a
// fifth of the program, which is resident in every node.
func addVersion(root *cobra.Command) {
	asked := root.Flags().BoolP("version", "v", false, "version for l2tun")
	root.RunE = func(c *cobra.Command, args []string) error {
		if !*asked {
			return noCommand(c, args)
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), control.Program())
		return err
	}
}

func noCommand(c *cobra.Command, _ []string) error {
	return usagef("which command? %s --help lists them", c.CommandPath())
}

// exactly takes n arguments; what names them in the message.
func exactly(n int, what string) cobra.PositionalArgs { return between(n, n, what) }

// between takes from low to high arguments.
func between(low, high int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < low:
			return usagef("%s is missing: %s", strings.Fields(c.Use)[1+len(args)], strings.TrimSuffix(c.UseLine(), " [flags]"))
		case len(args) > high:
			return usagef("%s takes %s (%d given)", c.CommandPath(), what, len(args))
		}
		return nil
	}
}
