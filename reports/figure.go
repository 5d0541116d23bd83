package reports

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"tqn/nets"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Figure is a grid of panels with one caption each and legends outside the data.
type Figure struct {
	Rows, Cols    int
	Width, Height vg.Length // of one panel without its legend; default 11 cm x 8 cm
	panels        []*Panel
}

// Panel is one plot with its legend, which is drawn to the right of the data.
type Panel struct {
	*plot.Plot
	keys []key
}

// key is an entry of a legend, with the points of a line.
type key struct {
	name   string
	thumb  plot.Thumbnailer
	xs, ys []float64
}

// NewFigure returns a figure of rows x cols panels, filled row by row with [Figure.Panel].
func NewFigure(rows, cols int) *Figure {
	return &Figure{Rows: rows, Cols: cols, Width: 11 * vg.Centimeter, Height: 8 * vg.Centimeter}
}

// Palette holds colours that are told apart by readers with colour-blindness
// (Okabe and Ito), in the order in which series are drawn.
var Palette = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{230, 159, 0, 255},
	color.RGBA{0, 0, 0, 255}, color.RGBA{120, 120, 120, 255},
}

// Panel adds the next panel.
func (f *Figure) Panel(title, x, y string) *Panel {
	p := &Panel{Plot: plot.New()}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = 11
	p.Title.Padding = 2 * vg.Millimeter
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	f.panels = append(f.panels, p)
	return p
}

// legend is the panel's legend.
func (p *Panel) legend() *plot.Legend {
	l := plot.NewLegend()
	l.Top, l.Left = true, true
	l.TextStyle.Font.Size = 9
	l.ThumbnailWidth = 7 * vg.Millimeter
	l.Padding = 1 * vg.Millimeter
	for _, k := range p.keys {
		l.Add(k.name, k.thumb)
	}
	return &l
}

// Epochs labels an axis that counts epochs: whole numbers only.
func Epochs(a *plot.Axis) { a.Tick.Marker = epochTicks{} }

type epochTicks struct{}

func (epochTicks) Ticks(lo, hi float64) []plot.Tick {
	every := 1.0
	for _, e := range []float64{2, 5, 10, 20, 50, 100} {
		if (hi-lo)/every > 8 {
			every = e
		}
	}
	var ticks []plot.Tick
	for e := math.Ceil(lo); e <= hi; e++ {
		t := plot.Tick{Value: e}
		if math.Mod(e, every) == 0 {
			t.Label = fmt.Sprint(e)
		}
		if t.Label != "" || hi-lo <= 60 {
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// Logarithmic makes an axis logarithmic, with labels at powers of ten; where the range
// holds fewer than two, at 2 and 5 times them, or at evenly spaced values.
func Logarithmic(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	a.Tick.Marker = logTicks{}
}

type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	if !(lo > 0) {
		panic(fmt.Sprintf("reports: a logarithmic axis from %g: want positive values", lo))
	}
	from, to := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	powers := math.Floor(math.Log10(hi)) - math.Ceil(math.Log10(lo)) + 1
	every := max(1, int(math.Ceil(powers/8))) // at most eight labels
	var ticks []plot.Tick
	labels := 0
	for e := from; e <= to; e++ {
		for m := 1; m <= 9; m++ {
			v := float64(m) * math.Pow10(e)
			if v < lo*(1-1e-9) || v > hi*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if (m == 1 && e%every == 0) || (powers < 2 && (m == 2 || m == 5)) {
				t.Label = number(v)
			}
			if t.Label != "" {
				labels++
			}
			ticks = append(ticks, t)
		}
	}
	if labels < 2 {
		return plot.DefaultTicks{}.Ticks(lo, hi)
	}
	return ticks
}

// number is a tick's label: 0.01, 500, 1e-6, 2e4. (The font lacks most superscripts.)
func number(v float64) string {
	text := fmt.Sprintf("%.3g", v)
	mantissa, exponent, ok := strings.Cut(text, "e")
	if !ok {
		return text
	}
	digits := strings.TrimLeft(exponent, "+-0")
	if exponent[0] == '-' {
		digits = "-" + digits
	}
	return mantissa + "e" + digits
}

// Line adds a line (dashed if dashes are given) and its key. NaN and infinite points
// are left out, as are non-positive values of logarithmic axes: a gap in the line is
// shown as such.
func (p *Panel) Line(name string, colour color.Color, xs, ys []float64, dashes ...vg.Length) *plotter.Line {
	var shown *plotter.Line
	for _, run := range p.runs(xs, ys) {
		l, err := plotter.NewLine(run)
		if err != nil {
			panic("reports: Line: " + err.Error())
		}
		l.Color, l.Width, l.Dashes = colour, vg.Points(1.4), dashes
		p.Add(l)
		shown = l
	}
	if shown != nil && name != "" {
		p.keys = append(p.keys, key{name, shown, xs, ys})
	}
	return shown
}

// sameLine is the key of an earlier line with the same points; nil: there is none.
func (p *Panel) sameLine(xs, ys []float64) *key {
	for i := range p.keys {
		if k := &p.keys[i]; slices.Equal(k.xs, xs) && slices.Equal(k.ys, ys) {
			return k
		}
	}
	return nil
}

// Points adds markers and their key, leaving out what Line leaves out.
func (p *Panel) Points(name string, colour color.Color, shape draw.GlyphDrawer, xs, ys []float64) *plotter.Scatter {
	var all plotter.XYs
	for _, run := range p.runs(xs, ys) {
		all = append(all, run...)
	}
	if len(all) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(all)
	if err != nil {
		panic("reports: Points: " + err.Error())
	}
	s.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(2.5), Shape: shape}
	p.Add(s)
	if name != "" {
		p.keys = append(p.keys, key{name: name, thumb: s})
	}
	return s
}

// runs cuts a series at points that cannot be drawn.
func (p *Panel) runs(xs, ys []float64) []plotter.XYs {
	if len(xs) != len(ys) {
		panic(fmt.Sprintf("reports: %d x values and %d y values", len(xs), len(ys)))
	}
	drawable := func(a plot.Axis, v float64) bool {
		_, log := a.Scale.(plot.LogScale)
		return !math.IsNaN(v) && !math.IsInf(v, 0) && (!log || v > 0)
	}
	var runs []plotter.XYs
	var run plotter.XYs
	for i := range xs {
		if drawable(p.X, xs[i]) && drawable(p.Y, ys[i]) {
			run = append(run, plotter.XY{X: xs[i], Y: ys[i]})
			continue
		}
		if run != nil {
			runs = append(runs, run)
			run = nil
		}
	}
	if run != nil {
		runs = append(runs, run)
	}
	return runs
}

// Save draws the figure and writes it as a PNG, atomically.
func (f *Figure) Save(path string) error {
	data, err := f.PNG()
	if err != nil {
		return fmt.Errorf("reports: %s: %w", path, err)
	}
	return nets.WriteFile(path, data)
}

// PNG draws the figure.
func (f *Figure) PNG() (data []byte, err error) {
	if len(f.panels) > f.Rows*f.Cols {
		return nil, fmt.Errorf("%d panels in a grid of %d x %d", len(f.panels), f.Rows, f.Cols)
	}
	const dpi = 144
	// The legend column is as wide as the widest legend of its column of panels.
	keys := make([]vg.Length, f.Cols)
	probe := draw.New(vgimg.NewWith(vgimg.UseWH(100*vg.Centimeter, 100*vg.Centimeter), vgimg.UseDPI(4)))
	for i, p := range f.panels {
		if w := p.legend().Rectangle(probe).Size().X; w > 0 {
			keys[i%f.Cols] = max(keys[i%f.Cols], w+6*vg.Millimeter)
		}
	}
	var width vg.Length
	for _, k := range keys {
		width += f.Width + k
	}
	img := vgimg.NewWith(vgimg.UseWH(width, f.Height*vg.Length(f.Rows)), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	page := draw.New(img)
	var left vg.Length
	for col := range f.Cols {
		for row := range f.Rows {
			i := row*f.Cols + col
			if i >= len(f.panels) {
				continue
			}
			p := f.panels[i]
			top := page.Max.Y - vg.Length(row)*f.Height
			cell := draw.Canvas{Canvas: page.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: left, Y: top - f.Height}, Max: vg.Point{X: left + f.Width + keys[col], Y: top}}}
			p.Draw(draw.Crop(cell, 2*vg.Millimeter, -keys[col]-4*vg.Millimeter, 3*vg.Millimeter, -3*vg.Millimeter))
			p.legend().Draw(draw.Crop(cell, f.Width-1*vg.Millimeter, 0, 3*vg.Millimeter, -12*vg.Millimeter))
		}
		left += f.Width + keys[col]
	}
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
