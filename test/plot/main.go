// Command plot draws grouped bars: a chart as JSON on standard input, SVG on
// standard output. scripts/bench draws docs/bench.svg with it.
//
// It is a module of its own, so that the plotting library and what that requires
// are not among the requirements of l2tun.
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A chart has one bar a series in each group, and a line at 1. test/bench writes it.
type chart struct {
	Title  string
	Y      string   // label of the vertical axis
	Groups []string // labels on the horizontal axis
	Series []series
}

type series struct {
	Name   string
	RGB    [3]uint8
	Values []float64 // one a group; 0: no bar
}

const (
	width    = 26 * vg.Centimeter
	height   = 11 * vg.Centimeter
	barWidth = 0.42 * vg.Centimeter
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var c chart
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return err
	}
	p, err := c.plot()
	if err != nil {
		return err
	}
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	_, err = canvas.WriteTo(out)
	return err
}

func (c chart) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = c.Title, c.Y
	p.Y.Min = 0
	p.Legend.Top = true
	for i, s := range c.Series {
		if len(s.Values) != len(c.Groups) {
			return nil, fmt.Errorf("series %q has %d values for %d groups", s.Name, len(s.Values), len(c.Groups))
		}
		bars, err := plotter.NewBarChart(plotter.Values(s.Values), barWidth)
		if err != nil {
			return nil, err
		}
		bars.Color, bars.LineStyle.Width = color.RGBA{s.RGB[0], s.RGB[1], s.RGB[2], 0xff}, 0
		bars.Offset = vg.Length(i-len(c.Series)/2) * barWidth
		p.Add(bars)
		p.Legend.Add(s.Name, bars)
	}
	last := float64(len(c.Groups)) - 0.5
	one, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: 1}, {X: last, Y: 1}})
	if err != nil {
		return nil, err
	}
	p.Add(plotter.NewGrid(), one)
	p.NominalX(c.Groups...)
	p.X.Min, p.X.Max = -0.5, last
	p.Y.Max = max(p.Y.Max, 2) * 1.2 // room for the legend
	return p, nil
}
