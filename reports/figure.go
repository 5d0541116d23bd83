package reports

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"tqn/runfolder"
)

// Figure is a page of panels under a title and one line that says what the panels show. The page is at most
// [PageWidth] wide: the panels stand side by side while each keeps a readable width, and below each other otherwise.
type Figure struct {
	Title      string
	Conclusion string    // what the picture shows, in one sentence; computed from the data where it depends on them
	Cols       int       // panels in a row, at most; fewer where they would become too narrow
	Height     vg.Length // of a panel
	KeysBelow  bool      // one list of keys below all panels, though the panels' keys differ: names and looks must agree
	panels     []*Panel
}

const (
	// PageWidth is 900 pixels of a PNG, the width of a page of text in a browser.
	PageWidth = 900 * vg.Inch / dpi
	dpi       = 96

	narrowest = 6.4 * vg.Centimeter // a panel's width below which the panels of a row are stacked
	widest    = 15 * vg.Centimeter  // a panel alone in its row is not stretched beyond this width
)

// Formats are the picture formats that [Figure.Save] can write.
var Formats = []string{"png", "svg", "pdf"}

// CheckFormats returns an error that names the first format that cannot be written.
func CheckFormats(formats []string) error {
	for _, f := range formats {
		if !slices.Contains(Formats, f) {
			return fmt.Errorf("picture format %q: want some of %s", f, strings.Join(Formats, ", "))
		}
	}
	return nil
}

// Panel is one plot. Its keys are drawn outside the data: to the right of the panel, or once below all panels where one
// panel has the keys of all others too.
type Panel struct {
	*plot.Plot
	keys []key
}

// key is an entry of a legend, with the points of a line.
type key struct {
	name   string
	thumbs []plot.Thumbnailer
	xs, ys []float64
}

// NewFigure returns a figure with at most cols panels in a row, filled row by row with [Figure.Panel].
func NewFigure(cols int) *Figure {
	return &Figure{Cols: cols, Height: 7.4 * vg.Centimeter}
}

// Palette holds colours that are told apart by readers with colour-blindness
// (Okabe and Ito), in the order in which series are drawn.
var Palette = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{230, 159, 0, 255},
	color.RGBA{0, 0, 0, 255}, color.RGBA{120, 120, 120, 255},
}

// Style is how a series looks: its colour, dashes and marker differ from every other series' of the picture, so that it is
// recognised without colour too.
type Style struct {
	Colour color.Color
	Dashes []vg.Length
	Shape  draw.GlyphDrawer
}

func dashes(points ...float64) []vg.Length {
	d := make([]vg.Length, len(points))
	for i, p := range points {
		d[i] = vg.Points(p)
	}
	return d
}

// methodStyles give every training method the same look in all pictures of the project.
var methodStyles = map[string]Style{
	"adam":   {color.Gray{20}, nil, draw.PlusGlyph{}},
	"bc":     {Palette[0], nil, draw.CircleGlyph{}},
	"sr":     {Palette[1], dashes(7, 2.5), draw.PyramidGlyph{}},
	"big-sr": {Palette[2], dashes(2.5, 2), draw.BoxGlyph{}},
	"r":      {Palette[3], dashes(6, 2, 1.5, 2), draw.CrossGlyph{}},
}

// otherStyles are for further series, such as a method at another batch size.
var otherStyles = []Style{
	{Palette[4], dashes(9, 2, 2, 2, 2, 2), draw.RingGlyph{}},
	{Palette[5], dashes(4, 4), draw.SquareGlyph{}},
	{Palette[7], dashes(1.5, 2), draw.TriangleGlyph{}},
	{color.RGBA{130, 80, 30, 255}, dashes(10, 3), draw.CrossGlyph{}},
	{color.RGBA{90, 60, 150, 255}, dashes(3, 1.5), draw.PlusGlyph{}},
}

// methodStyle is the look of a training method, and false for a name that is none.
func methodStyle(method string) (Style, bool) {
	s, ok := methodStyles[method]
	return s, ok
}

// Panel adds the next panel.
func (f *Figure) Panel(title, x, y string) *Panel {
	p := &Panel{Plot: plot.New()}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = 11
	p.Title.Padding = 2 * vg.Millimeter
	p.X.Label.TextStyle.Font.Size, p.Y.Label.TextStyle.Font.Size = 11, 11
	p.X.Tick.Marker, p.Y.Tick.Marker = plainTicks{}, plainTicks{}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	f.panels = append(f.panels, p)
	return p
}

// plainTicks are gonum's with labels as short as the numbers allow: 25, not 25.00.
type plainTicks struct{}

func (plainTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = number(ticks[i].Value)
		}
	}
	return ticks
}

// legendOf lists keys from top to bottom.
func legendOf(keys []key) *plot.Legend {
	l := plot.NewLegend()
	l.Top, l.Left = true, true
	l.TextStyle.Font.Size = 9.5
	l.ThumbnailWidth = 9 * vg.Millimeter
	l.Padding = 1 * vg.Millimeter
	for _, k := range keys {
		l.Add(k.name, k.thumbs...)
	}
	return &l
}

// Mark draws a dotted vertical line at x, such as an epoch at which the learning rate drops, and one key for all of them.
func (p *Panel) Mark(name string, xs ...float64) {
	for i, x := range xs {
		l := &vertical{x: x, LineStyle: draw.LineStyle{Color: color.Gray{90}, Width: vg.Points(0.8), Dashes: dashes(1.2, 2)}}
		p.Add(l)
		if i == 0 && name != "" {
			p.keys = append(p.keys, key{name: name, thumbs: []plot.Thumbnailer{l}})
		}
	}
}

// vertical is a line over the whole height of a panel.
type vertical struct {
	x float64
	draw.LineStyle
}

// Plot implements plot.Plotter.
func (v *vertical) Plot(c draw.Canvas, plt *plot.Plot) {
	if v.x < plt.X.Min || v.x > plt.X.Max {
		return
	}
	tx, _ := plt.Transforms(&c)
	c.StrokeLine2(v.LineStyle, tx(v.x), c.Min.Y, tx(v.x), c.Max.Y)
}

// Thumbnail implements plot.Thumbnailer.
func (v *vertical) Thumbnail(c *draw.Canvas) {
	x := (c.Min.X + c.Max.X) / 2
	c.StrokeLine2(v.LineStyle, x, c.Min.Y, x, c.Max.Y)
}

// Level draws a dotted horizontal line at y over the whole panel, with its key.
func (p *Panel) Level(name string, y float64) {
	l := &horizontal{y: y, LineStyle: draw.LineStyle{Color: color.Gray{110}, Width: vg.Points(1), Dashes: dashes(1.2, 2.2)}}
	p.Add(l)
	p.Y.Min, p.Y.Max = min(p.Y.Min, y), max(p.Y.Max, y)
	p.keys = append(p.keys, key{name: name, thumbs: []plot.Thumbnailer{l}})
}

// horizontal is a line over the whole width of a panel.
type horizontal struct {
	y float64
	draw.LineStyle
}

// Plot implements plot.Plotter.
func (h *horizontal) Plot(c draw.Canvas, plt *plot.Plot) {
	_, ty := plt.Transforms(&c)
	c.StrokeLine2(h.LineStyle, c.Min.X, ty(h.y), c.Max.X, ty(h.y))
}

// Thumbnail implements plot.Thumbnailer.
func (h *horizontal) Thumbnail(c *draw.Canvas) {
	y := (c.Min.Y + c.Max.Y) / 2
	c.StrokeLine2(h.LineStyle, c.Min.X, y, c.Max.X, y)
}

// epochs labels an axis that counts epochs or states: whole numbers only.
func epochs(a *plot.Axis) { a.Tick.Marker = epochTicks{} }

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

// spread gives a logarithmic axis a range where its data have none: one value, or no value that can be drawn. (gonum would
// take one off and add one, which leaves the positive numbers.)
func (p *Panel) spread() {
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		if _, logarithmic := a.Scale.(plot.LogScale); !logarithmic {
			continue
		}
		if a.Min > a.Max {
			a.Min, a.Max = 1, 10
		}
		if a.Min == a.Max {
			a.Min, a.Max = a.Min/2, a.Max*2
		}
	}
}

type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	if !(lo > 0) {
		panic(fmt.Sprintf("reports: a logarithmic axis from %g: want positive values", lo))
	}
	from, to := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	powers := math.Floor(math.Log10(hi)) - math.Ceil(math.Log10(lo)) + 1
	every := max(1, int(math.Ceil(powers/5))) // at most five labels, so that they do not touch in a narrow panel
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
	if v != 0 && math.Abs(v) < 1e-3 {
		text = strconv.FormatFloat(v, 'e', -1, 64)
		if len(text) > 8 {
			text = fmt.Sprintf("%.3g", v)
		}
	}
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
		p.keys = append(p.keys, key{name, []plot.Thumbnailer{shown}, xs, ys})
	}
	return shown
}

// Series adds a line in a style and its key. Up to 25 points are all marked, of more about ten; a point without a
// neighbour that can be drawn is always marked, since it has no line.
func (p *Panel) Series(name string, s Style, xs, ys []float64) {
	line := p.Line("", s.Colour, xs, ys, s.Dashes...)
	if line == nil {
		return
	}
	every := 1
	if len(xs) > 25 {
		every = (len(xs) + 9) / 10
	}
	var mx, my []float64
	for _, run := range p.runs(xs, ys) {
		for i, point := range run {
			if i%every == 0 || len(run) == 1 {
				mx, my = append(mx, point.X), append(my, point.Y)
			}
		}
	}
	thumbs := []plot.Thumbnailer{line}
	if marks := p.Points("", s.Colour, s.Shape, mx, my); marks != nil {
		thumbs = append(thumbs, marks)
	}
	if name != "" {
		p.keys = append(p.keys, key{name, thumbs, xs, ys})
	}
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
		p.keys = append(p.keys, key{name: name, thumbs: []plot.Thumbnailer{s}})
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

// Save draws the figure and writes it to path, whose extension is png, atomically; further formats are written beside it
// under the same name.
func (f *Figure) Save(path string, formats ...string) error {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, format := range append([]string{"png"}, slices.DeleteFunc(slices.Clone(formats), func(s string) bool { return s == "png" })...) {
		data, err := f.Encode(format)
		if err != nil {
			return fmt.Errorf("reports: %s.%s: %w", stem, format, err)
		}
		if err := runfolder.WriteFile(stem+"."+format, data); err != nil {
			return err
		}
	}
	return nil
}

// PNG draws the figure at 96 dots an inch.
func (f *Figure) PNG() ([]byte, error) { return f.Encode("png") }

// Encode draws the figure in one of [Formats]: the same figure gives the same bytes.
func (f *Figure) Encode(format string) ([]byte, error) {
	l := f.layOut()
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(l.width, l.height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))}
	case "svg":
		canvas = vgsvg.New(l.width, l.height)
	case "pdf":
		// A PDF carries its date; a fixed one keeps the bytes a function of the figure.
		fpdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
		fpdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
		fpdf.SetDefaultCatalogSort(true)
		canvas = outlined{vgpdf.New(l.width, l.height)}
	default:
		return nil, CheckFormats([]string{format})
	}
	page := draw.New(canvas)
	if format != "png" {
		page.FillPolygon(color.White, []vg.Point{page.Min, {X: page.Max.X, Y: page.Min.Y}, page.Max, {X: page.Min.X, Y: page.Max.Y}})
	}
	l.draw(page)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
