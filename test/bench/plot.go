package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A group is a place on the plot's axis: a metric, upside down where less is
// better, so that higher bars are better bars everywhere.
type group struct{ metric, label string }

func groups() []group {
	return []group{
		{"tcp-up", "TCP\nA to B"}, {"tcp-down", "TCP\nB to A"}, {"tcp4", "TCP\n4 streams"},
		{"tcp-up cpu", "GB per\nCPU second"}, {"udp1300", "UDP\n1300 bytes"}, {"udp64", "UDP\n64 bytes"},
		{"udp64 cpu", "64-byte pkts\nper CPU second"}, {"ping", "1 / ping\nidle"}, {"ping-load", "1 / ping\nbeside TCP"}, {"loss", "TCP, 1 % loss\nand 20 ms"},
	}
}

// A chart is what the program of test/plot draws, a module of its own.
type chart struct {
	Title, Y string
	Groups   []string
	Series   []bars
}

type bars struct {
	Name   string
	RGB    [3]uint8 // an array, so numbers in JSON
	Values []float64
}

// chart has a series for each carrier, each bar the ratio to wireguard-go.
func (r *Result) chart() chart {
	c := chart{Title: "l2tun beside wireguard-go (the line at 1); higher is better", Y: "ratio to wireguard-go"}
	for _, g := range groups() {
		c.Groups = append(c.Groups, g.label)
	}
	c.Series = []bars{
		{direct, [3]uint8{0x1b, 0x6c, 0xa8}, r.heights(direct)},
		{utcp, [3]uint8{0xe0, 0x8a, 0x1e}, r.heights(utcp)},
		{datagram, [3]uint8{0x8a, 0x8d, 0x91}, r.heights(datagram)},
	}
	return c
}

// heights are a contender's bars; what was not measured has none.
func (r *Result) heights(contender string) (v []float64) {
	less := make(map[string]bool)
	for _, m := range metrics() {
		less[m.id] = m.less
	}
	for _, g := range groups() {
		ratio := r.ratio(contender, wireguard, g.metric).median
		if less[g.metric] && ratio > 0 {
			ratio = 1 / ratio
		}
		v = append(v, ratio)
	}
	return v
}

// writePlot writes it as SVG, drawn by the program plot in a folder.
func (r *Result) writePlot(ctx context.Context, programs, file string) error {
	return draw(ctx, programs, r.chart(), file)
}

// draw writes a chart as SVG, drawn by the program plot in a folder.
func draw(ctx context.Context, programs string, what chart, file string) error {
	in, err := json.Marshal(what)
	if err != nil {
		return err
	}
	var svg, said bytes.Buffer
	c := exec.CommandContext(ctx, filepath.Join(programs, "plot"))
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &svg, &said
	if err := c.Run(); err != nil {
		return errors.Join(fmt.Errorf("bench: draw the plot: %w", err), errors.New(strings.TrimSpace(said.String())))
	}
	return os.WriteFile(file, svg.Bytes(), 0o644)
}
