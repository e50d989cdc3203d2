package bench

import (
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
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

const (
	plotWidth  = 26 * vg.Centimeter
	plotHeight = 11 * vg.Centimeter
	barWidth   = 0.42 * vg.Centimeter
)

// newPlot draws grouped bars, each the ratio to wireguard-go.
func (r *Result) newPlot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "l2tun beside wireguard-go (the line at 1); higher is better"
	p.Y.Label.Text = "ratio to wireguard-go"
	p.Y.Min = 0
	p.Legend.Top = true
	carriers := []struct {
		name string
		fill color.Color
	}{{direct, color.RGBA{0x1b, 0x6c, 0xa8, 0xff}}, {utcp, color.RGBA{0xe0, 0x8a, 0x1e, 0xff}}, {datagram, color.RGBA{0x8a, 0x8d, 0x91, 0xff}}}
	for i, c := range carriers {
		bars, err := plotter.NewBarChart(r.heights(c.name), barWidth)
		if err != nil {
			return nil, err
		}
		bars.Color, bars.LineStyle.Width, bars.Offset = c.fill, 0, vg.Length(i-1)*barWidth
		p.Add(bars)
		p.Legend.Add(c.name, bars)
	}
	one, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: 1}, {X: float64(len(groups())) - 0.5, Y: 1}})
	if err != nil {
		return nil, err
	}
	p.Add(plotter.NewGrid(), one)
	var labels []string
	for _, g := range groups() {
		labels = append(labels, g.label)
	}
	p.NominalX(labels...)
	p.X.Min, p.X.Max = -0.5, float64(len(labels))-0.5
	p.Y.Max = max(p.Y.Max, 2) * 1.2 // room for the legend
	return p, nil
}

// heights are a contender's bars; what was not measured has none.
func (r *Result) heights(contender string) (v plotter.Values) {
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

// writePlot writes it as SVG.
func (r *Result) writePlot(file string) error {
	p, err := r.newPlot()
	if err != nil {
		return err
	}
	canvas := vgsvg.New(plotWidth, plotHeight)
	p.Draw(draw.New(canvas))
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := canvas.WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}
