package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/bugreport"
)

// BugreportOptions are the flags and the argument of l2tun bugreport.
type BugreportOptions struct {
	IO
	target
	File string
	Log  string
}

func newBugreportCmd(o *BugreportOptions, runF func(context.Context, *BugreportOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "bugreport [FILE]",
		Short: "Collect diagnostics of a node in an archive, without its secrets",
		Long: `Write a tar.gz with the node's status, events and metrics, what doctor finds, the
config and the end of the log. The node's key, tokens and whatever looks like a
secret are taken out; names, DIDs and addresses of peers are in it: read it
before you pass it on.`,
		Args: between(0, 1, "at most one file"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if len(args) > 0 {
				o.File = args[0]
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.Log, "log-file", "", "the node's log `FILE` (default that of a detached node)")
	return c
}

func runBugreport(ctx context.Context, o *BugreportOptions) error {
	if err := hideMemory(); err != nil {
		return err
	}
	now := time.Now()
	folder := "l2tun-report-" + now.UTC().Format("20060102-150405")
	if o.File == "" {
		o.File = folder + ".tar.gz"
	}
	var b bytes.Buffer
	if err := bugreport.Write(&b, folder, now, bugreport.NewCleaner(o.secrets()...), o.collect(ctx)); err != nil {
		return err
	}
	if err := writeNewFile(o.File, b.Bytes()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.Out, "%s\nIt names your peers and their addresses: read it before you pass it on.\n", o.File)
	return err
}

// writeNewFile writes a file that was not there, or leaves none.
func writeNewFile(path string, data []byte) error {
	f, err := createNew(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// secrets are what must not get into the bundle: the words of the key file.
func (o *BugreportOptions) secrets() (all []string) {
	text, err := os.ReadFile(config.KeyPath(o.configPath()))
	if err != nil {
		return nil
	}
	for _, word := range strings.Fields(string(text)) {
		if !strings.HasPrefix(word, "l2tun-key") {
			all = append(all, word)
		}
	}
	return all
}

// collect gathers what there is; what cannot be had is said in its place.
func (o *BugreportOptions) collect(ctx context.Context) []bugreport.File {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	d := &DoctorOptions{IO: o.IO, target: o.target}
	report, err := d.examine(ctx)
	files := []bugreport.File{
		{Name: "about.txt", Data: fmt.Appendf(nil, "%s\n%s %s/%s\n%s\n", control.Program(), runtime.Version(), runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format(time.RFC3339))},
		asJSON("doctor.json", report, err),
		fromFile("config.toml", o.configPath()),
		fromFile("kernel.txt", "/proc/version"),
		fromFile("log.txt", o.logPath()),
	}
	client := o.connect()
	status, err := client.Status(ctx)
	files = append(files, asJSON("status.json", status, err))
	if err != nil {
		return files
	}
	var events, metrics bytes.Buffer
	lines := json.NewEncoder(&events)
	if err := client.Events(ctx, false, func(e control.Event) error { return lines.Encode(e) }); err != nil {
		fmt.Fprintln(&events, err)
	}
	if err := client.Metrics(ctx, &metrics); err != nil {
		fmt.Fprintln(&metrics, err)
	}
	return append(files, bugreport.File{Name: "events.ndjson", Data: events.Bytes()}, bugreport.File{Name: "metrics.txt", Data: metrics.Bytes()})
}

func (o *BugreportOptions) logPath() string {
	if o.Log != "" {
		return o.Log
	}
	return strings.TrimSuffix(o.at, ".sock") + ".log"
}

func asJSON(name string, v any, err error) bugreport.File {
	if err != nil {
		return bugreport.File{Name: name, Data: fmt.Appendln(nil, err)}
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		text = []byte(err.Error())
	}
	return bugreport.File{Name: name, Data: append(text, '\n')}
}

func fromFile(name, path string) bugreport.File {
	data, err := readEnd(path)
	if err != nil {
		data = fmt.Appendln(nil, err)
	}
	return bugreport.File{Name: name, Data: data}
}

// readEnd reads the last lines of a file that may be long.
func readEnd(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cut := false
	if info, err := f.Stat(); err == nil && info.Size() > bugreport.MaxFile {
		_, err := f.Seek(-bugreport.MaxFile, io.SeekEnd)
		cut = err == nil
	}
	data, err := io.ReadAll(io.LimitReader(f, 2*bugreport.MaxFile))
	if _, rest, ok := bytes.Cut(data, []byte("\n")); cut && ok {
		data = rest // a line that is cut may hold half a secret
	}
	return data, err
}
