package reports

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tqn/toy"
)

// Toy writes toy.md and its figures to dir; the figures as PNG and in the further formats.
func Toy(dir string, r toy.Result, m Manifest, formats ...string) error {
	figures := []struct {
		name string
		draw func(toy.Result) *Figure
	}{
		{"figure1.png", toyFigure1},
		{"figure2.png", toyFigure2},
		{"figure3.png", toyFigure3},
		{"contrast.png", toyContrast},
		{"batch.png", toyBatch},
		{"mixing.png", toyMixing},
	}
	for _, f := range figures {
		if err := f.draw(r).Save(filepath.Join(dir, f.name), formats...); err != nil {
			return err
		}
	}
	return writePage(dir, "toy.md", toyMarkdown(r, m))
}

// at is a list of axis labels at round values.
func at(values ...float64) plot.ConstantTicks {
	var t plot.ConstantTicks
	for _, v := range values {
		t = append(t, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
	}
	return t
}

// The looks and colours of the two methods.
var (
	srStyle  = methodStyles["sr"]
	bcStyle  = methodStyles["bc"]
	srColour = srStyle.Colour
	bcColour = bcStyle.Colour
)

// bars draws a histogram over the points as rectangles of the given width.
func (p *Panel) bars(name string, c color.Color, xs, ys []float64, width float64) {
	var rings []plotter.XYer
	for i, y := range ys {
		if y <= 0 {
			continue
		}
		a, b := xs[i]-width/2, xs[i]+width/2
		rings = append(rings, plotter.XYs{{X: a, Y: 0}, {X: b, Y: 0}, {X: b, Y: y}, {X: a, Y: y}})
	}
	poly, err := plotter.NewPolygon(rings...)
	if err != nil {
		panic("reports: bars: " + err.Error())
	}
	poly.Color, poly.LineStyle.Width = c, 0
	p.Add(poly)
	if name != "" {
		p.keys = append(p.keys, key{name: name, thumbs: []plot.Thumbnailer{poly}})
	}
}

// area fills below a curve.
func (p *Panel) area(c color.Color, xs, ys []float64) {
	ring := plotter.XYs{{X: xs[0], Y: 0}}
	for i := range xs {
		ring = append(ring, plotter.XY{X: xs[i], Y: ys[i]})
	}
	ring = append(ring, plotter.XY{X: xs[len(xs)-1], Y: 0})
	poly, err := plotter.NewPolygon(ring)
	if err != nil {
		panic("reports: area: " + err.Error())
	}
	poly.Color, poly.LineStyle.Width = c, 0
	p.Add(poly)
}

// note writes lines of text into a panel; x and y are data coordinates of the
// first line's top left corner.
func (p *Panel) note(x, y float64, lines ...string) {
	l, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{strings.Join(lines, "\n")}})
	if err != nil {
		panic("reports: note: " + err.Error())
	}
	l.TextStyle[0].Font.Size = 9
	l.TextStyle[0].YAlign = text.YTop
	p.Add(l)
}

func pale(c color.Color) color.Color { return tint(c, 45) }

// tint mixes percent of a colour with white.
func tint(c color.Color, percent uint32) color.Color {
	r, g, b, _ := c.RGBA()
	mix := func(v uint32) uint8 { return uint8((v>>8)*percent/100 + 255*(100-percent)/100) }
	return color.RGBA{mix(r), mix(g), mix(b), 255}
}

func toyFigure1(r toy.Result) *Figure {
	f := NewFigure(len(r.Figure1.Rows))
	f.Title = "Figure 1: where one SR step goes, for smaller and smaller learning rates"
	first, last := r.Figure1.Rows[0], r.Figure1.Rows[len(r.Figure1.Rows)-1]
	f.Conclusion = fmt.Sprintf("From α = %g to %g the moves become %.1f times rarer, but of the moves made the share to the right goes from %.3f to %.3f only: SR becomes slower, not greedier.",
		first.Alpha, last.Alpha, (first.Left+first.Right)/(last.Left+last.Right), first.RightGivenMove, last.RightGivenMove)
	purple := color.RGBA{90, 60, 150, 255} // the colour of no method
	top := 1 / (r.Figure1.Sigma * math.Sqrt(2*math.Pi)) / r.Figure1.Rows[len(r.Figure1.Rows)-1].Alpha
	for _, row := range r.Figure1.Rows {
		p := f.Panel(fmt.Sprintf("α = %g", row.Alpha), "perturbation −α g (unit: Δ)", "density")
		mean, sigma := row.Alpha*r.Figure1.Mean, row.Alpha*r.Figure1.Sigma
		var left, right [2][]float64
		for k := 0; k <= 600; k++ {
			z := -1.5 + 3*float64(k)/600
			d := math.Exp(-(z-mean)*(z-mean)/(2*sigma*sigma)) / (sigma * math.Sqrt(2*math.Pi))
			if z <= 0 {
				left[0], left[1] = append(left[0], z), append(left[1], d)
			}
			if z >= 0 {
				right[0], right[1] = append(right[0], z), append(right[1], d)
			}
		}
		p.area(tint(Palette[4], 15), left[0], left[1]) // the two areas differ in lightness, too
		p.area(tint(purple, 60), right[0], right[1])
		p.Line("rounds to 0 or to the left", Palette[4], left[0], left[1], dashes(4, 2)...)
		p.Line("rounds to 0 or to the right", purple, right[0], right[1])
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -1.5, 1.5, 0, 1.62*top
		p.X.Tick.Marker = at(-1, 0, 1)
		p.note(-1.42, 1.58*top,
			fmt.Sprintf("P(left)  = %.4f", row.Left),
			fmt.Sprintf("P(right) = %.4f", row.Right),
			fmt.Sprintf("P(stay)  = %.4f", 1-row.Left-row.Right),
			fmt.Sprintf("P(right | moved) = %.4f", row.RightGivenMove))
		p.Points("grid points", color.Black, draw.CircleGlyph{}, []float64{-1, 0, 1}, []float64{0, 0, 0})
	}
	return f
}

func fractionsOf(counts []int64) []float64 {
	total := int64(0)
	for _, c := range counts {
		total += c
	}
	out := make([]float64, len(counts))
	for i, c := range counts {
		out[i] = float64(c) / float64(total)
	}
	return out
}

func toyFigure2(r toy.Result) *Figure {
	n := len(r.Figure2) / 2
	f := NewFigure(2)
	f.Height, f.KeysBelow = 5.6*vg.Centimeter, true
	bc, sr := r.Figure2[n-1], r.Figure2[2*n-1]
	f.Title = "Figure 2: where the quantized weight is, by learning rate"
	if bc.Entropy < sr.Entropy-entropyMargin {
		f.Title = "Figure 2: BinaryConnect concentrates as the learning rate falls, stochastic rounding does not"
	}
	f.Conclusion = fmt.Sprintf("At α = %g BC's law has entropy %.3f (%s is the best the grid allows) and %.1f %% of its mass in the global basin; SR's has %.3f and %.1f %%.",
		bc.Alpha, bc.Entropy, leastEntropy(len(bestPoints(r))), 100*bc.GlobalMass, sr.Entropy, 100*sr.GlobalMass)
	toyObjective(f, r)
	toySensitivity(f, r)
	for i := range n {
		for _, row := range []toy.Figure2Row{r.Figure2[i], r.Figure2[n+i]} {
			c := bcColour
			if row.Rule == "sr" {
				c = srColour
			}
			p := f.Panel(fmt.Sprintf("%s, α = %g", strings.ToUpper(row.Rule), row.Alpha), "quantized weight w", "fraction")
			p.X.Tick.Marker, p.Y.Tick.Marker = at(-2, 0, 2, 4, 6, 8), at(0, 0.2, 0.4, 0.6)
			p.bars(strings.ToUpper(row.Rule)+" simulated", pale(c), r.Points, fractionsOf(row.Counts), 0.8*r.Delta)
			p.Points("stationary law (SR: exact, BC: Ulam's method)", color.Black, draw.RingGlyph{}, r.Points, row.Stationary)
			p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = r.Box[0]-0.5, r.Box[1]+0.5, 0, 0.62
			lines := []string{fmt.Sprintf("TV = %.4f", row.TV), fmt.Sprintf("entropy = %.3f", row.Entropy)}
			if row.Rule == "sr" {
				lines = append(lines, fmt.Sprintf("χ² = %.1f on %d, p = %.2f", row.ChiSquare, row.Freedom, row.PValue))
			}
			p.note(r.Box[0]-0.1, 0.605, lines...)
		}
	}
	return f
}

func toyObjective(f *Figure, r toy.Result) {
	p := f.Panel("objective (8) and its grid", "w", "f(w)")
	var pieces [3][2][]float64
	for k := range 1401 {
		w := -2.25 + 9.5*float64(k)/1400
		b := toy.Basin(w)
		pieces[b][0], pieces[b][1] = append(pieces[b][0], w), append(pieces[b][1], toy.Objective(w))
	}
	for _, piece := range pieces {
		p.Line("", color.Black, piece[0], piece[1])
	}
	var xs, ys []float64
	for i, w := range r.Points {
		if w >= -2.25 && w <= 7.25 {
			xs, ys = append(xs, w), append(ys, r.Objective[i])
		}
	}
	p.Points("grid points", Palette[6], draw.CircleGlyph{}, xs, ys)
	start := p.Points("start", Palette[5], draw.BoxGlyph{}, []float64{toy.Start}, []float64{toy.Objective(toy.Start)})
	start.GlyphStyle.Radius = vg.Points(4)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -2.5, 7.5, 0, 7.5
	p.X.Tick.Marker, p.Y.Tick.Marker = at(-2, 0, 2, 4, 6), at(0, 2, 4, 6)
}

func toySensitivity(f *Figure, r toy.Result) {
	p := f.Panel("noise sensitivity", "standard deviation of the noise", "entropy, nats")
	var s, sr, bc []float64
	for _, row := range r.Sensitivity {
		s, sr, bc = append(s, row.Noise), append(sr, row.SREntropy), append(bc, row.BCEntropy)
	}
	Logarithmic(&p.X)
	p.X.Tick.Marker = at(1, 2, 4, 8, 12)
	p.Series("SR, α → 0", srStyle, s, sr)
	p.Series(fmt.Sprintf("BC, α = %g", toy.SensitivityAlpha), bcStyle, s, bc)
	p.Y.Min, p.Y.Max = 0, 3.2
	if n := len(bestPoints(r)); n > 1 {
		p.Level(fmt.Sprintf("log %d, the grid's limit", n), math.Log(float64(n)))
	}
}

// diagram draws a three-state chain.
type diagram struct {
	p [][]float64
}

// Plot implements plot.Plotter on a square of side 2 around the origin.
func (d diagram) Plot(c draw.Canvas, plt *plot.Plot) {
	tx, ty := plt.Transforms(&c)
	at := func(x, y float64) vg.Point { return vg.Point{X: tx(x), Y: ty(y)} }
	centre := [3][2]float64{{-0.75, -0.55}, {0.75, -0.55}, {0, 0.7}}
	radius := 5.5 * vg.Millimeter
	style := text.Style{Color: color.Black, Font: plot.DefaultFont, XAlign: text.XCenter, YAlign: text.YCenter, Handler: plot.DefaultTextHandler}
	style.Font.Size = 9
	line := draw.LineStyle{Color: color.Black, Width: vg.Points(0.9)}
	arrow := func(a, b vg.Point) {
		dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
		l := math.Hypot(dx, dy)
		ux, uy := dx/l, dy/l
		c.StrokeLine2(line, a.X, a.Y, b.X, b.Y)
		s := 6.0
		tip := []vg.Point{b,
			{X: b.X - vg.Length(s*ux-2.2*uy), Y: b.Y - vg.Length(s*uy+2.2*ux)},
			{X: b.X - vg.Length(s*ux+2.2*uy), Y: b.Y - vg.Length(s*uy-2.2*ux)}}
		c.FillPolygon(color.Black, tip)
	}
	for x := range 3 {
		for y := range 3 {
			if x == y {
				continue
			}
			a, b := at(centre[x][0], centre[x][1]), at(centre[y][0], centre[y][1])
			dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
			l := math.Hypot(dx, dy)
			ux, uy := vg.Length(dx/l), vg.Length(dy/l)
			side := 1.6 * vg.Millimeter // the two directions beside each other
			from := vg.Point{X: a.X + radius*ux - side*uy, Y: a.Y + radius*uy + side*ux}
			to := vg.Point{X: b.X - radius*ux - side*uy, Y: b.Y - radius*uy + side*ux}
			arrow(from, to)
			off := side + 3.2*vg.Millimeter
			mid := vg.Point{X: from.X*0.62 + to.X*0.38 - (off-side)*uy, Y: from.Y*0.62 + to.Y*0.38 + (off-side)*ux}
			c.FillText(style, mid, fmt.Sprintf("%g", d.p[x][y]))
		}
		p := at(centre[x][0], centre[x][1])
		out := [3][2]float64{{-0.8, -0.6}, {0.8, -0.6}, {0, 1}}[x]
		loop := vg.Point{X: p.X + vg.Length(out[0])*radius*1.5, Y: p.Y + vg.Length(out[1])*radius*1.5}
		var path vg.Path
		path.Move(vg.Point{X: loop.X + radius*0.8, Y: loop.Y})
		path.Arc(loop, radius*0.8, 0, 2*math.Pi)
		c.SetLineStyle(line)
		c.Stroke(path)
		label := vg.Point{X: p.X + vg.Length(out[0])*radius*3.1, Y: p.Y + vg.Length(out[1])*radius*3.1}
		c.FillText(style, label, fmt.Sprintf("%.3g", d.p[x][x]))
		var disc vg.Path
		disc.Move(vg.Point{X: p.X + radius, Y: p.Y})
		disc.Arc(p, radius, 0, 2*math.Pi)
		disc.Close()
		c.SetColor(color.RGBA{225, 236, 246, 255})
		c.Fill(disc)
		c.SetLineStyle(line)
		c.Stroke(disc)
		c.FillText(style, p, string(rune('A'+x)))
	}
}

func toyFigure3(r toy.Result) *Figure {
	f := NewFigure(2)
	first, second := r.Figure3.Chains[0], r.Figure3.Chains[1]
	f.Title = "Figure 3: halving every move keeps the stationary law and only delays it"
	f.Conclusion = fmt.Sprintf("Both chains have the law (%.4f, %.4f, %.4f); they need M = %d and M = %d steps to come within ε = %g of it.",
		r.Figure3.Stationary[0], r.Figure3.Stationary[1], r.Figure3.Stationary[2], first.Mixing, second.Mixing, toy.Figure3Eps)
	for i, title := range []string{"a chain with three states", "every move half as likely"} {
		p := f.Panel(title, "", "")
		p.HideAxes()
		p.Add(whiteout{}, diagram{p: r.Figure3.Chains[i].P})
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -1.5, 1.5, -1.35, 1.6
	}
	p := f.Panel("distance from the common stationary law", "steps n", "")
	for i, h := range r.Figure3.Chains {
		var n []float64
		for k := range h.Distance {
			n = append(n, float64(k))
		}
		p.Series(fmt.Sprintf("moves × %g: M = %d", h.Scale, h.Mixing), []Style{{Palette[6], nil, draw.CircleGlyph{}}, {Palette[4], dashes(5, 2), draw.BoxGlyph{}}, {Palette[5], dashes(2, 2), draw.PyramidGlyph{}}}[i%3], n, h.Distance)
	}
	Logarithmic(&p.Y)
	p.Y.Min, p.Y.Max = 1e-6, 1
	p.Level(fmt.Sprintf("ε = %g", toy.Figure3Eps), toy.Figure3Eps)
	return f
}

// Panels with a logarithmic y axis say what it shows in their title: gonum/plot
// 0.17 pads such a panel for its axis label as if the axis were linear.

// whiteout hides the grid lines of a panel that is a drawing.
type whiteout struct{}

// Plot implements plot.Plotter.
func (whiteout) Plot(c draw.Canvas, _ *plot.Plot) {
	c.FillPolygon(color.White, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
}

func toyContrast(r toy.Result) *Figure {
	return contrastFigure(r.Contrast, "probability of the basin w ≥ 3.5")
}

// entropyMargin is the difference in nats from which on one law is called more concentrated than another.
const entropyMargin = 0.1

// greedier reports whether BC has settled where SR still explores: its law is more concentrated and its excess less than
// half of SR's. Pages say in words what this says, so that they draw the paper's conclusion only where the numbers do.
func greedier(c toy.Contrast) bool {
	return c.BCEntropy < c.SREntropy-entropyMargin && c.BCExcess < c.SRExcess/2
}

// bestPoints are the grid points with the smallest value of the objective. A law that is as good as the grid allows lies on
// them and has at most the entropy of the uniform law there.
func bestPoints(r toy.Result) []float64 {
	least := slices.Min(r.Objective)
	var best []float64
	for i, v := range r.Objective {
		if v == least {
			best = append(best, r.Points[i])
		}
	}
	return best
}

// leastEntropy is the entropy of the uniform law on n points, with its formula where it is not 0.
func leastEntropy(n int) string {
	if n == 1 {
		return "0"
	}
	return fmt.Sprintf("log %d = %.3f", n, math.Log(float64(n)))
}

// contrastFigure draws entropy, mass of the best basin and excess of both methods against the learning rate.
func contrastFigure(rows []toy.Contrast, basin string) *Figure {
	f := NewFigure(3)
	last := rows[0]
	for _, row := range rows {
		if row.Alpha < last.Alpha {
			last = row
		}
	}
	f.Title = "BinaryConnect (BC) against stochastic rounding (SR) as the learning rate falls"
	f.Conclusion = fmt.Sprintf("At α = %g BC is greedy: entropy %.3f, %.1f %% in the best basin. SR explores: entropy %.3f, %.1f %%.",
		last.Alpha, last.BCEntropy, 100*last.BCGlobal, last.SREntropy, 100*last.SRGlobal)
	if !greedier(last) {
		f.Conclusion = fmt.Sprintf("At α = %g BC is not clearly greedier than SR: entropy %.3f against %.3f, excess %.3g against %.3g.",
			last.Alpha, last.BCEntropy, last.SREntropy, last.BCExcess, last.SRExcess)
	}
	var a []float64
	var y [6][]float64
	top, least := 0.0, math.Inf(1)
	for _, c := range rows {
		a = append(a, c.Alpha)
		for i, v := range []float64{c.SREntropy, c.BCEntropy, c.SRGlobal, c.BCGlobal, c.SRExcess, c.BCExcess} {
			y[i] = append(y[i], v)
		}
		top = max(top, c.SREntropy, c.BCEntropy)
		least = min(least, c.SRExcess)
	}
	for k, title := range []string{"entropy of the law, nats", basin, "excess E f(w) − min f"} {
		p := f.Panel(title, "learning rate α", "")
		Logarithmic(&p.X)
		if k == 2 {
			Logarithmic(&p.Y)
		}
		p.Series("SR (exact)", srStyle, a, y[2*k])
		p.Series("BC (Ulam's method)", bcStyle, a, y[2*k+1])
		switch k {
		case 0:
			p.Y.Min, p.Y.Max = 0, 1.05*top
		case 1:
			p.Y.Min, p.Y.Max = 0, 1.05
		case 2: // BC's falls below any axis
			p.Y.Min = max(p.Y.Min, least*1e-6)
		}
	}
	return f
}

// contrastTable has the numbers of contrastFigure.
func contrastTable(rows []toy.Contrast, basin string) *Table {
	t := &Table{Header: []string{"α", "SR entropy", "BC entropy", "SR " + basin, "BC " + basin, "SR excess", "BC excess", "error of Ulam's law (TV)"}}
	for _, c := range rows {
		t.Add(c.Alpha, c.SREntropy, c.BCEntropy, c.SRGlobal, c.BCGlobal, c.SRExcess, c.BCExcess, fmt.Sprintf("%.1g", c.Refinement))
	}
	return t
}

const contrastNote = `Excess is E f(w) − min f over the grid. BC's law is computed on cells of finite width; the last column is how far it moves when
the cells are halved. An excess of BC that is smaller than that distance says only that it is close to zero; below a millionth of
SR's it is in this table only, under the picture's axis.
`

func toyBatch(r toy.Result) *Figure {
	f := NewFigure(2)
	f.KeysBelow = true
	one, most := r.Batch[0], r.Batch[len(r.Batch)-1]
	f.Title = "Section 6.1: a larger batch concentrates stochastic rounding, where no learning rate does"
	f.Conclusion = fmt.Sprintf("From batch %d to %d the entropy of SR's limit law falls from %.3f to %.3f and its excess from %.3g to %.1g.",
		one.Batch, most.Batch, one.Entropy, most.Entropy, one.Excess, most.Excess)
	p := f.Panel("limit law of SR as α → 0", "weight w", "probability")
	i := 0
	for k, b := range r.Batch {
		if k%2 != 0 {
			continue
		}
		style := otherStyles[i%len(otherStyles)]
		if i >= len(otherStyles) {
			style = Style{color.Black, nil, draw.CircleGlyph{}}
		}
		p.Series(fmt.Sprintf("batch %d", b.Batch), style, r.Points, b.Law)
		i++
	}
	p.X.Min, p.X.Max, p.Y.Min = r.Box[0], r.Box[1], 0
	p.X.Tick.Marker = at(-2, 0, 2, 4, 6, 8)
	var x, h, g, e []float64
	for _, b := range r.Batch {
		x, h, g, e = append(x, float64(b.Batch)), append(h, b.Entropy), append(g, b.GlobalMass), append(e, b.Excess)
	}
	p = f.Panel("entropy and global basin of SR's law", "batch size", "")
	Logarithmic(&p.X)
	p.X.Tick.Marker = at(1, 4, 16, 64, 256, 1024)
	p.Series("entropy, nats", srStyle, x, h)
	p.Series("probability of w ≥ 3.5", Style{color.Gray{60}, dashes(2, 2), draw.PlusGlyph{}}, x, g)
	p.Y.Min, p.Y.Max = 0, 2.2
	p = f.Panel("excess E f(w) − min f on the grid", "batch size", "")
	Logarithmic(&p.X)
	Logarithmic(&p.Y)
	p.X.Tick.Marker = at(1, 4, 16, 64, 256, 1024)
	p.Series("", srStyle, x, e) // the title names it
	return f
}

func toyMixing(r toy.Result) *Figure {
	f := NewFigure(2)
	f.KeysBelow = true
	end := r.Mixing.Rows[len(r.Mixing.Rows)-1]
	f.Title = "Theorem 6 with its constant: the mixing time of stochastic rounding is t(ε)/α"
	f.Conclusion = fmt.Sprintf("At α = %g SR mixes in M = %d steps, and α·M = %.10g: a smaller learning rate only takes longer to come to the same law.", end.Alpha, end.ExactSteps, end.ExactScaled)
	var a, m, dev []float64
	for _, row := range r.Mixing.Rows {
		a, m = append(a, row.Alpha), append(m, float64(row.ExactSteps))
		dev = append(dev, math.Abs(row.Scaled/r.Mixing.Time-1))
	}
	p := f.Panel(fmt.Sprintf("mixing time M(ε) in steps, ε = %g", r.Mixing.Eps), "learning rate α", "")
	Logarithmic(&p.X)
	Logarithmic(&p.Y)
	ends := []float64{a[0], a[len(a)-1]}
	p.Line("t(ε)/α, t(ε) of exp(tQ)", color.Gray{120}, ends, []float64{r.Mixing.Time / ends[0], r.Mixing.Time / ends[1]})
	p.Points("M(ε) of SR's chain T(α), exact", srColour, draw.CircleGlyph{}, a, m)
	p = f.Panel("|α·M(ε)/t(ε) − 1|", "learning rate α", "")
	Logarithmic(&p.X)
	Logarithmic(&p.Y)
	p.Points("M(ε) of equation (9)'s chain, exact", Palette[0], draw.BoxGlyph{}, a, dev)
	bound := []float64{ends[0] / r.Mixing.Time, ends[1] / r.Mixing.Time}
	p.Line("what one step more or less changes, α/t(ε)", color.Gray{120}, ends, bound, vg.Points(3), vg.Points(2))
	return f
}

// bestOfGrid says what the best law on the grid is.
func bestOfGrid(r toy.Result) string {
	const minimiser = 4.75 // of equation (8)
	best := bestPoints(r)
	var points []string
	for _, w := range best {
		points = append(points, fmt.Sprintf("%g", w))
	}
	if len(best) == 1 {
		return fmt.Sprintf("The best grid point is %s (the global minimiser is %g): a law as concentrated as the grid allows has entropy 0.", points[0], minimiser)
	}
	return fmt.Sprintf("The best grid points are %s (the global minimiser is %g): a law that is as good as the grid allows and divided evenly between them has entropy %s.",
		strings.Join(points, " and "), minimiser, leastEntropy(len(best)))
}

func toyMarkdown(r toy.Result, m Manifest) string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	last := r.Contrast[len(r.Contrast)-1]
	w("# The toy problem of Section 5.1: Figures 1, 2 and 3\n")
	if greedier(last) {
		w("As the learning rate falls, BinaryConnect (BC) becomes *greedy* and settles in the best place the grid has; stochastic rounding (SR)")
		w("never does: from some α on its law stays the same, and it only takes longer to reach it. At α = %g the entropy of BC's weights is %.3f nats, that of SR's %.3f.\n", last.Alpha, last.BCEntropy, last.SREntropy)
	} else {
		w("With these settings BinaryConnect (BC) is not clearly *greedier* than stochastic rounding (SR) even at the smallest learning rate: at α = %g", last.Alpha)
		w("the entropy of BC's weights is %.3f, that of SR's %.3f, and their mean excess over the best grid point is %.3g and %.3g.\n", last.BCEntropy, last.SREntropy, last.BCExcess, last.SRExcess)
	}
	w("Equation (8), grid step %g on the box [%g, %g], start %g, %d iterations a histogram. The paper gives neither the noise of", r.Delta, r.Box[0], r.Box[1], toy.Start, r.Iterations)
	w("the gradient nor the box: here the stochastic gradient is f'(w) + %g z with z standard normal, and the box is ours.", r.Noise)
	w("*Exact* means computed from the transition matrix without sampling; *sampled* is said where it is.\n")
	w("## Figure 1: a smaller learning rate does not change where SR goes\n")
	w("![One SR step for three learning rates](figure1.png)\n")
	w("One step from x = 0, Δ = 1, direction −g normal with mean %g and standard deviation %g (ours: the paper names no density).", r.Figure1.Mean, r.Figure1.Sigma)
	w("All numbers are exact. The probability of a move shrinks with α; given a move, the probability that it goes right tends to")
	w("E(−g)₊ / E|g| = %.6f.\n", r.Figure1.RightGivenMove)
	t := Table{Header: []string{"α", "P(left)", "P(right)", "P(right given a move)"}}
	for _, row := range r.Figure1.Rows {
		t.Add(row.Alpha, fmt.Sprintf("%.6f", row.Left), fmt.Sprintf("%.6f", row.Right), fmt.Sprintf("%.6f", row.RightGivenMove))
	}
	w("%s", t.Markdown())
	w("## Figure 2: where BinaryConnect and stochastic rounding stay\n")
	w("![Histograms of quantized weights with their stationary laws](figure2.png)\n")
	w("Bars: fractions of %d iterates, sampled (seed %d). Circles: the stationary law, the fractions to which such iterates tend. SR's", r.Iterations, r.Seed)
	w("weight is a Markov chain on the grid, so that its law is exact. BC's real weight can lie anywhere: Ulam's method cuts its line")
	w("into narrow cells and solves the Markov chain between them. %s", bestOfGrid(r))
	w("The limit of SR's law as α → 0 (π̃ of Theorem 5) has entropy %.3f and gives the global basin", r.LimitEntropy)
	w("%.3f.\n", r.LimitGlobal)
	t = Table{Header: []string{"rule", "α", "TV histogram to law", "χ² (degrees of freedom)", "p", "entropy of law", "global basin", "at the box's ends", "error of Ulam's law (TV)"}}
	for _, row := range r.Figure2 {
		chi, p, ulam := "", "", "exact"
		if row.Rule == "sr" {
			chi, p = fmt.Sprintf("%.1f (%d)", row.ChiSquare, row.Freedom), fmt.Sprintf("%.3f", row.PValue)
		} else {
			ulam = fmt.Sprintf("%.1g (%d cells)", row.Refinement, row.Cells)
		}
		ends := row.Stationary[0] + row.Stationary[len(row.Stationary)-1]
		t.Add(strings.ToUpper(row.Rule), row.Alpha, fmt.Sprintf("%.4f", row.TV), chi, p, fmt.Sprintf("%.4f", row.Entropy), fmt.Sprintf("%.4f", row.GlobalMass), fmt.Sprintf("%.1e", ends), ulam)
	}
	w("%s", t.Markdown())
	w("χ² compares the histogram with the exact expected occupation from the start, using the covariance of the chain's central limit")
	w("theorem (successive iterates are dependent, so Pearson's form does not apply); rare points are merged. The error of Ulam's law,")
	w("the one that Ulam's method gives, is its distance from the law with cells twice as wide (TV, total variation: half the sum of the absolute differences). The iterates of SR at small α are few independent ones (its mixing time is")
	w("in the last figure), hence the larger distance there.\n")
	w("Noise sensitivity (upper right panel), exact for SR:\n")
	t = Table{Header: []string{"noise", "SR α → 0: entropy", "SR: global basin", fmt.Sprintf("BC α = %g: entropy", toy.SensitivityAlpha), "BC: global basin"}}
	for _, row := range r.Sensitivity {
		t.Add(row.Noise, row.SREntropy, row.SRGlobal, row.BCEntropy, row.BCGlobal)
	}
	w("%s", t.Markdown())
	w("## Figure 3: halving every move\n")
	w("![A chain with three states and its halved version](figure3.png)\n")
	w("The numbers on the arrows are ours; the text of the paper does not give them. Both chains have the stationary law")
	w("(%.4f, %.4f, %.4f); the mixing times M(%g) are exact:\n", r.Figure3.Stationary[0], r.Figure3.Stationary[1], r.Figure3.Stationary[2], toy.Figure3Eps)
	t = Table{Header: []string{"moves times", "M", "moves times M"}}
	for _, h := range r.Figure3.Chains {
		t.Add(h.Scale, h.Mixing, h.Scale*float64(h.Mixing))
	}
	w("%s", t.Markdown())
	w("## On the same axes: BC against SR\n")
	w("![Entropy, global basin and excess against the learning rate](contrast.png)\n")
	w("%s", contrastTable(r.Contrast, "global basin").Markdown())
	w("%s", contrastNote)
	w("## Section 6.1 by an exact computation: the batch size\n")
	w("![The limit law of SR against the batch size](batch.png)\n")
	w("A batch of b divides the noise by √b. π̃ is the law of SR in the limit α → 0, exact.\n")
	t = Table{Header: []string{"batch", "entropy", "global basin", "excess"}}
	for _, row := range r.Batch {
		t.Add(row.Batch, fmt.Sprintf("%.4f", row.Entropy), fmt.Sprintf("%.6f", row.GlobalMass), row.Excess)
	}
	w("%s", t.Markdown())
	w("A smaller learning rate does not concentrate SR on minimisers; a larger batch does.\n")
	w("## Theorem 6 with its constant\n")
	w("![Mixing times against the learning rate](mixing.png)\n")
	w("M is the %g-mixing time of equation (10), exact; t = %.9g is that of the chain exp(tQ) in continuous time, Q the generator of", r.Mixing.Eps, r.Mixing.Time)
	w("equation (9). α·M → t: the mixing time is not only unbounded, it is t/α.\n")
	t = Table{Header: []string{"α", "M of T~ (9)", "α·M", "M of T (exact SR)", "α·M"}}
	for _, row := range r.Mixing.Rows {
		t.Add(row.Alpha, row.Steps, fmt.Sprintf("%.10g", row.Scaled), row.ExactSteps, fmt.Sprintf("%.10g", row.ExactScaled))
	}
	w("%s", t.Markdown())
	w("## Manifest\n")
	w("%s", m.Markdown())
	return b.String()
}
