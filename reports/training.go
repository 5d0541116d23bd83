package reports

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"

	"tqn/nets"
)

// paperName is Table 1's name of a method.
func paperName(method string) string {
	m, err := nets.MethodNamed(method)
	if err != nil {
		return method
	}
	return m.Paper
}

// runLabels names runs by what tells them apart, as the legends of Figures 5 and 6: method and batch size, and where runs
// share those, net, data and seed.
func runLabels(runs []nets.Run) []string {
	differ := func(f func(nets.Config) string) bool {
		for _, r := range runs {
			if f(r.Config) != f(runs[0].Config) {
				return true
			}
		}
		return false
	}
	parts := []func(nets.Config) string{
		func(c nets.Config) string { return c.Net },
		func(c nets.Config) string { return c.Data },
		func(c nets.Config) string { return fmt.Sprintf("width %g", c.Width) },
		func(c nets.Config) string { return fmt.Sprintf("WD %g", c.WeightDecay) },
		func(c nets.Config) string { return fmt.Sprintf("seed %d", c.Seed) },
	}
	labels := make([]string, len(runs))
	for i, r := range runs {
		labels[i] = fmt.Sprintf("%s %d", strings.TrimPrefix(paperName(r.Config.Method), "Big "), r.Config.Batch)
		for _, f := range parts {
			if differ(f) {
				labels[i] += ", " + f(r.Config)
			}
		}
	}
	return labels
}

// runColours gives a method the same colour in every figure; further runs of a method (another batch, weight decay or
// seed) take the colours that are left.
func runColours(configs []nets.Config) []color.Color {
	methods := []string{"adam", "bc", "sr", "big-sr", "r"}
	colours := make([]color.Color, len(configs))
	taken := make([]bool, len(Palette))
	for i, c := range configs {
		if k := slices.Index(methods, c.Method); k >= 0 && !taken[k] {
			colours[i], taken[k] = Palette[k], true
		}
	}
	for i := range colours {
		if colours[i] != nil {
			continue
		}
		k := slices.Index(taken, false)
		if k < 0 { // more runs than colours
			k = i % len(Palette)
		}
		colours[i], taken[k] = Palette[k], true
	}
	return colours
}

func configsOf(runs []nets.Run) []nets.Config {
	configs := make([]nets.Config, len(runs))
	for i, r := range runs {
		configs[i] = r.Config
	}
	return configs
}

// curve is one series over a run's epochs.
func curve(r nets.Run, value func(nets.Epoch) float64) (xs, ys []float64) {
	for _, e := range r.Epochs {
		xs, ys = append(xs, float64(e.Epoch)), append(ys, value(e))
	}
	return xs, ys
}

// testDashes is the paper's convention for test errors.
var testDashes = []vg.Length{vg.Points(4), vg.Points(3)}

// convergence draws training errors solid and test errors dashed, as Figure 6.
func convergence(p *Panel, runs []nets.Run) {
	colours := runColours(configsOf(runs))
	for i, label := range runLabels(runs) {
		colour := colours[i]
		xs, ys := curve(runs[i], func(e nets.Epoch) float64 { return e.TrainError })
		p.Line(label+", train", colour, xs, ys)
		xs, ys = curve(runs[i], func(e nets.Epoch) float64 { return e.TestError })
		p.Line(label+", test", colour, xs, ys, testDashes...)
	}
	p.Y.Min = 0
	Epochs(&p.X)
}

// ConvergenceFigure draws error against epoch, a panel a group of runs, as Figure 6 (Appendix H.2): the solid line is the
// training error over the epoch's batches as they were trained, the dashed line the test error.
func ConvergenceFigure(titles []string, groups [][]nets.Run) *Figure {
	cols := min(2, len(groups))
	f := NewFigure((len(groups)+cols-1)/cols, cols)
	for i, g := range groups {
		convergence(f.Panel(titles[i], "epoch", "error in %"), g)
	}
	return f
}

// layerCurves draws one probe for every layer of a run.
func layerCurves(p *Panel, r nets.Run, value func(nets.Probe) (float64, bool)) {
	if len(r.Epochs) == 0 {
		return
	}
	layers := r.Epochs[0].Layers
	const most = 10 // lines that can be told apart; of deeper nets a selection, first and last included
	shown := min(most, len(layers))
	linear := 0
	for k := range shown {
		i := k
		if len(layers) > most {
			i = k * (len(layers) - 1) / (most - 1)
		}
		var xs, ys []float64
		for _, e := range r.Epochs {
			if v, ok := value(e.Layers[i]); ok {
				xs, ys = append(xs, float64(e.Epoch)), append(ys, v)
			}
		}
		if strings.HasPrefix(layers[i].Layer, "linear") { // not binarised: black, a dash pattern each
			p.Line(layers[i].Layer, color.Black, xs, ys, linearDashes[linear%len(linearDashes)]...)
			linear++
			continue
		}
		p.Line(layers[i].Layer, layerColour(k, shown), xs, ys)
	}
	Epochs(&p.X)
}

var linearDashes = [][]vg.Length{
	{vg.Points(4), vg.Points(3)}, {vg.Points(1), vg.Points(2)}, {vg.Points(6), vg.Points(2), vg.Points(1), vg.Points(2)},
}

// layerColour takes the palette for few layers; for many it goes from light to dark with depth.
func layerColour(k, n int) color.Color {
	if n < 10 { // a VGG net's; its last two or three are linear layers
		return Palette[k%len(Palette)]
	}
	t := float64(k) / float64(max(1, n-1))
	return color.RGBA{uint8(230 * (1 - t)), uint8(160 - 110*t), uint8(40 + 130*t), 255}
}

// inRows is a figure of n panels, at most three a row.
func inRows(n int) *Figure {
	cols := max(1, min(3, n))
	return NewFigure(max(1, (n+cols-1)/cols), cols)
}

// WeightChangeFigure draws the percentage of each layer's weights whose sign differs from the initial one, a panel a run,
// as Figure 4. 50 % is what re-drawing every sign at random would give.
func WeightChangeFigure(runs []nets.Run) *Figure {
	f := inRows(len(runs))
	top := 5.0
	for _, r := range runs {
		for _, e := range r.Epochs {
			for _, l := range e.Layers {
				top = max(top, l.Changed)
			}
		}
	}
	for i, label := range runLabels(runs) {
		p := f.Panel(label, "epoch", "signs changed since the start, %")
		layerCurves(p, runs[i], func(l nets.Probe) (float64, bool) { return l.Changed, true })
		p.Y.Min, p.Y.Max = 0, top*1.05
	}
	return f
}

// convShare is a percentage over all convolution weights of an epoch.
func convShare(e nets.Epoch, value func(nets.Probe) (float64, bool)) (float64, bool) {
	sum, all := 0.0, 0
	for _, l := range e.Layers {
		if !strings.HasPrefix(l.Layer, "conv") {
			continue
		}
		v, ok := value(l)
		if !ok {
			return 0, false
		}
		sum += v * float64(l.Weights)
		all += l.Weights
	}
	return sum / float64(max(1, all)), all > 0
}

func windowOf(l nets.Probe) (float64, bool) {
	if l.Window == nil {
		return 0, false
	}
	return *l.Window, true
}

// BatchSizeFigure draws what Figure 5 does for runs that differ in batch size or method: (a) errors, (b) the percentage of all
// convolution weights changed since the start, (c) the same against the weights ChangeEvery epochs before.
func BatchSizeFigure(runs []nets.Run) *Figure {
	f := NewFigure(1, 3)
	convergence(f.Panel("(a) error (train solid, test dashed)", "epoch", "error in %"), runs)
	every := 0
	if len(runs) > 0 {
		every = runs[0].Config.ChangeEvery
	}
	b := f.Panel("(b) changed since the start", "epoch", "convolution signs, %")
	title := fmt.Sprintf("(c) changed in every %d epochs", every)
	if every == 1 {
		title = "(c) changed in every epoch"
	}
	c := f.Panel(title, "epoch", "convolution signs, %")
	colours := runColours(configsOf(runs))
	for i, label := range runLabels(runs) {
		colour := colours[i]
		for _, one := range []struct {
			panel *Panel
			value func(nets.Probe) (float64, bool)
		}{{b, func(l nets.Probe) (float64, bool) { return l.Changed, true }}, {c, windowOf}} {
			var xs, ys []float64
			for _, e := range runs[i].Epochs {
				if v, ok := convShare(e, one.value); ok {
					xs, ys = append(xs, float64(e.Epoch)), append(ys, v)
				}
			}
			one.panel.Line(label, colour, xs, ys)
		}
	}
	for _, p := range []*Panel{b, c} {
		p.Y.Min = 0
		Epochs(&p.X)
	}
	return f
}

// DistanceFigure draws each layer's mean |wb - wr|, a panel a run, as Figure 7(b, c).
func DistanceFigure(runs []nets.Run) *Figure {
	f := inRows(len(runs))
	for i, label := range runLabels(runs) {
		p := f.Panel(label, "epoch", "mean |wb - wr|")
		layerCurves(p, runs[i], func(l nets.Probe) (float64, bool) { return l.Distance, true })
		p.Y.Min = 0
	}
	return f
}

// CompareTable is a row a run: what it is, how far it is, its errors and how many convolution signs it changed.
func CompareTable(runs []nets.Run) *Table {
	t := &Table{Header: []string{"run", "net", "method", "data", "batch", "epochs", "seed", "test error %", "train error %", "best test error %", "conv signs changed %", "images/s"}}
	for _, r := range runs {
		if len(r.Epochs) == 0 {
			t.Add(r.Dir, r.Config.Net, paperName(r.Config.Method), r.Config.Data, r.Config.Batch, fmt.Sprintf("0/%d", r.Config.Epochs), r.Config.Seed, "", "", "", "", "")
			continue
		}
		last, best := r.Epochs[len(r.Epochs)-1], r.Epochs[0].TestError
		for _, e := range r.Epochs {
			best = min(best, e.TestError)
		}
		changed, _ := convShare(last, func(l nets.Probe) (float64, bool) { return l.Changed, true })
		t.Add(r.Dir, r.Config.Net, paperName(r.Config.Method), r.Config.Data, r.Config.Batch, fmt.Sprintf("%d/%d", last.Epoch, r.Config.Epochs), r.Config.Seed,
			fmt.Sprintf("%.2f", last.TestError), fmt.Sprintf("%.2f", last.TrainError), fmt.Sprintf("%.2f", best), fmt.Sprintf("%.1f", changed), fmt.Sprintf("%.0f", last.ImagesPerSecond))
	}
	return t
}
