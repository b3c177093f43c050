// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/clientidentity/operator/test/bench/result"
)

// The plots, by the names of their files, in the order of the page.
const (
	growth = "performance-growth"
	within = "performance-within"
	effort = "performance-cpu"
)

var plotNames = []string{growth, within, effort}

// alternatives say what is to be seen, to who does not see it.
var alternatives = map[string]string{
	growth: "Identities issued a second by how many there are, of each subject",
	within: "Identities issued a second within one run, for each tenth of it",
	effort: "Milliseconds of the processor for each identity that is issued, by process",
}

// Colours that people tell apart who do not see all of them (Okabe and Ito). The ground is white, so that they and the text are
// readable on a dark page, too.
var (
	colours = map[result.Subject]color.RGBA{
		result.Operator:    {R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
		result.Bare:        {R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
		result.Floor:       {R: 0x99, G: 0x99, B: 0x99, A: 0xff},
		result.CertManager: {R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	}
	ofProcesses = []color.RGBA{
		{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, {R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, {R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
		{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, {R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	}
)

const width, height = 17 * vg.Centimeter, 9 * vg.Centimeter

// pictureLines are the lines of the page that show plots of the folder.
func pictureLines(names []string, folder string) string {
	if len(names) == 0 {
		return nothing
	}
	var lines []string
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("![%s](%s/%s.svg)\n", alternatives[name], folder, name))
	}
	return strings.Join(lines, "\n")
}

// plots returns those plots, as SVG, that there are results for.
func plots(runs []benchmark) (map[string][]byte, error) {
	all := cellsOf(runs)
	drawn := map[string][]byte{}
	for name, drawing := range map[string]func(cells) (*plot.Plot, error){growth: growthPlot, within: withinPlot, effort: effortPlot} {
		p, err := drawing(all)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}
		if p == nil {
			continue
		}
		if drawn[name], err = svg(p); err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}
	}
	return drawn, nil
}

// newPlot returns a plot from zero on, with a legend to its right.
func newPlot(title, x, y string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size, p.Title.TextStyle.Font.Weight = 11, xfont.WeightBold
	p.Title.Padding = 8
	p.Legend.Top, p.Legend.XOffs, p.Legend.YOffs = true, -6, -4
	p.Y.Tick.Marker = plot.TickerFunc(plainTicks)
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.Gray{Y: 0xdd}
	p.Add(grid)
	return p
}

// plainTicks label ticks as people write numbers.
func plainTicks(least, most float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(least, most)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = count(int(math.Round(ticks[i].Value)))
		}
	}
	return ticks
}

// finish begins at zero, and leaves room for the legend above what is drawn.
func finish(p *plot.Plot) *plot.Plot {
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.6
	return p
}

// line adds a line with its points.
func line(p *plot.Plot, name string, points plotter.XYs, colour color.Color) error {
	l, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	l.Color, l.Width = colour, 2
	dots.Color, dots.Shape, dots.Radius = colour, draw.CircleGlyph{}, 3
	p.Add(l, dots)
	p.Legend.Add(name, l, dots)
	return nil
}

// growthPlot tells what more identities in a run cost: nothing, where its lines are flat.
func growthPlot(all cells) (*plot.Plot, error) {
	sizes := all.sizes()
	if len(sizes) < 2 {
		return nil, nil
	}
	p := newPlot("Identities issued a second, by how many are made in a run", "identities in the run", "identities a second")
	var ticks plot.ConstantTicks
	for _, size := range sizes {
		ticks = append(ticks, plot.Tick{Value: float64(size), Label: count(size)})
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks
	for _, subject := range result.Subjects {
		var points plotter.XYs
		for _, size := range sizes {
			if value, measured := all.median(key{size, result.Issue, subject}, perSecond); measured {
				points = append(points, plotter.XY{X: float64(size), Y: value})
			}
		}
		if len(points) == 0 {
			continue
		}
		if err := line(p, string(subject), points, colours[subject]); err != nil {
			return nil, err
		}
	}
	p.X.Max *= 1.1 // the last label needs room
	return finish(p), nil
}

// withinPlot shows the curve within the longest run, of the first round of each subject.
func withinPlot(all cells) (*plot.Plot, error) {
	sizes := all.sizes()
	if len(sizes) == 0 {
		return nil, nil
	}
	most := sizes[len(sizes)-1]
	p := newPlot(fmt.Sprintf("Identities issued a second, within a run of %s", count(most)), "identities issued", "identities a second")
	p.X.Tick.Marker = plot.TickerFunc(plainTicks)
	drawn := false
	for _, subject := range result.Subjects {
		rounds := all[key{most, result.Issue, subject}]
		if len(rounds) == 0 {
			continue
		}
		first := slices.MinFunc(rounds, func(a, b measurement) int { return cmp.Compare(a.Round, b.Round) })
		var points plotter.XYs
		for _, point := range first.Curve {
			points = append(points, plotter.XY{X: float64(point.Identities), Y: point.PerSecond})
		}
		if len(points) == 0 {
			continue
		}
		drawn = true
		if err := line(p, string(subject), points, colours[subject]); err != nil {
			return nil, err
		}
	}
	if !drawn {
		return nil, nil
	}
	p.X.Min, p.X.Max = 0, 1.05*p.X.Max
	return finish(p), nil
}

// effortPlot stacks what an identity costs each process, while the operator issues.
func effortPlot(all cells) (*plot.Plot, error) {
	sizes := all.sizes()
	p := newPlot("Processor time for each identity that the operator issues", "identities in the run", "milliseconds")
	var names []string
	for _, size := range sizes {
		names = append(names, count(size))
	}
	var below *plotter.BarChart
	for i, process := range result.Processes {
		values, measured := make(plotter.Values, len(sizes)), false
		for j, size := range sizes {
			value, is := all.median(key{size, result.Issue, result.Operator}, cpu(process))
			values[j], measured = value, measured || is
		}
		if !measured {
			continue
		}
		bars, err := plotter.NewBarChart(values, 40)
		if err != nil {
			return nil, err
		}
		bars.Color, bars.LineStyle.Width = ofProcesses[i%len(ofProcesses)], 0
		if below != nil {
			bars.StackOn(below)
		}
		below = bars
		p.Add(bars)
		p.Legend.Add(process, bars)
	}
	if below == nil {
		return nil, nil
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.6, float64(len(sizes))-0.4
	return finish(p), nil
}

// svg draws a plot. Bytes depend on nothing but what is drawn.
func svg(p *plot.Plot) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	// Liberation Sans is as wide as Arial: where neither is there, something without serifs is.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}
