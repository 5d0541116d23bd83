package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

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

// runStyles gives a method the same look in every figure; further runs of a method (another batch, weight decay or
// seed) take the styles that are left.
func runStyles(configs []nets.Config) []Style {
	styles := make([]Style, len(configs))
	taken := map[string]bool{}
	others := 0
	for i, c := range configs {
		if s, ok := methodStyle(c.Method); ok && !taken[c.Method] {
			styles[i], taken[c.Method] = s, true
			continue
		}
		styles[i] = otherStyles[others%len(otherStyles)]
		others++
	}
	return styles
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

// netTitle names a net for readers, with its channel factor where that is not the paper's.
func netTitle(c nets.Config) string {
	title, ok := map[string]string{"vgg9": "VGG-9", "vgg-bc": "VGG-BC", "resnet56": "ResNet-56", "wrn56-2": "WRN-56-2", "resnet18": "ResNet-18"}[c.Net]
	if !ok {
		title = c.Net
	}
	if c.Width != 0 && c.Width != 1 {
		title += fmt.Sprintf(", width x%g", c.Width)
	}
	return title
}

// runsTitle is a figure's title: what is drawn, and net and data where all runs share them.
func runsTitle(what string, runs []nets.Run) string {
	if len(runs) == 0 {
		return what
	}
	first := runs[0].Config
	for _, r := range runs {
		if netTitle(r.Config) != netTitle(first) || r.Config.Data != first.Data {
			return what
		}
	}
	data := dataTitle(first.Data)
	if first.TrainImages > 0 {
		set, _, _ := strings.Cut(data, ",") // not the set's own number of images
		data = fmt.Sprintf("%d images of %s", first.TrainImages, set)
	}
	return fmt.Sprintf("%s: %s on %s", what, netTitle(first), data)
}

// end is where a number of a run ended; false: it has no value in any epoch.
func end(r nets.Run, value func(nets.Epoch) (float64, bool)) (float64, bool) {
	for k := len(r.Epochs) - 1; k >= 0; k-- {
		if v, ok := value(r.Epochs[k]); ok {
			return v, true
		}
	}
	return 0, false
}

// endings says where a number of each run that has it ended, by a format of the number and the run's label.
func endings(runs []nets.Run, value func(nets.Epoch) (float64, bool), format string) []string {
	var said []string
	for i, label := range runLabels(runs) {
		if v, ok := end(runs[i], value); ok {
			said = append(said, fmt.Sprintf(format, v, label))
		}
	}
	return said
}

// concludeErrors ranks runs by their test errors at the end.
func concludeErrors(runs []nets.Run) string {
	type result struct {
		label string
		error float64
	}
	var ends []result
	for i, label := range runLabels(runs) {
		if v, ok := end(runs[i], testErrorAt); ok {
			ends = append(ends, result{label, v})
		}
	}
	if ends == nil {
		return ""
	}
	slices.SortStableFunc(ends, func(a, b result) int { return cmp.Compare(a.error, b.error) })
	var said []string
	for _, e := range ends {
		said = append(said, fmt.Sprintf("%s %.2f %%", e.label, e.error))
	}
	if len(said) == 1 {
		return "Test error at the end: " + said[0] + "."
	}
	return "Test errors at the end, from the lowest to the highest: " + strings.Join(said, ", ") + "."
}

// concludeChanges says how many convolution signs each run changed.
func concludeChanges(runs []nets.Run) string {
	said := endings(runs, changedAt, "%.2f %% under %s")
	if said == nil {
		return ""
	}
	return "Of all convolution signs these differ from the start at the end: " + strings.Join(said, ", ") + "."
}

// concludeBatches says of each method, in the order of its batch sizes, how it ends.
func concludeBatches(runs []nets.Run) string {
	var rules []string
	batches, errors, changes := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, r := range runs {
		error, ok1 := end(r, testErrorAt)
		changed, ok2 := end(r, changedAt)
		if !ok1 || !ok2 {
			continue
		}
		rule := ruleName(r.Config)
		if batches[rule] == nil {
			rules = append(rules, rule)
		}
		batches[rule] = append(batches[rule], fmt.Sprint(r.Config.Batch))
		errors[rule], changes[rule] = append(errors[rule], fmt.Sprintf("%.2f", error)), append(changes[rule], fmt.Sprintf("%.2f", changed))
	}
	var said []string
	for _, rule := range rules {
		said = append(said, fmt.Sprintf("%s, batch %s: test error %s %%, signs changed %s %%", rule, andOf(batches[rule]), andOf(errors[rule]), andOf(changes[rule])))
	}
	if said == nil {
		return ""
	}
	return "At the end " + strings.Join(said, "; ") + "."
}

// andOf lists words in a sentence.
func andOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// concludeDistances says how far BC's real weights end from their signs, over all convolutions.
func concludeDistances(runs []nets.Run) string {
	said := endings(runs, distanceAt, "%.2f (%s)")
	if said == nil {
		return ""
	}
	return "The convolutions' real weights end at a mean distance from their signs of " + andOf(said) + "; real weights of 0 would have 1."
}

func testErrorAt(e nets.Epoch) (float64, bool) { return e.TestError, true }
func changedAt(e nets.Epoch) (float64, bool)   { return e.OverConv(changedOf) }
func distanceAt(e nets.Epoch) (float64, bool)  { return e.OverConv(distanceOf) }
func distanceOf(l nets.Probe) (float64, bool)  { return l.Distance, true }

// errorCurves draws one of the two errors of every run.
func errorCurves(p *Panel, runs []nets.Run, value func(nets.Epoch) float64) {
	styles := runStyles(configsOf(runs))
	for i, label := range runLabels(runs) {
		xs, ys := curve(runs[i], value)
		p.Series(label, styles[i], xs, ys)
	}
	p.Y.Min = 0
	epochAxis(p, runs...)
}

func trainErrorOf(e nets.Epoch) float64 { return e.TrainError }
func testErrorOf(e nets.Epoch) float64  { return e.TestError }

// epochAxis labels whole epochs and marks those after which the learning rate drops, where all runs share them.
func epochAxis(p *Panel, runs ...nets.Run) {
	epochs(&p.X)
	if len(runs) == 0 {
		return
	}
	var drops []float64
	for _, d := range runs[0].Config.Drops {
		if d < runs[0].Config.Epochs { // a drop after the last epoch changes nothing
			drops = append(drops, float64(d))
		}
	}
	for _, r := range runs {
		if !slices.Equal(r.Config.Drops, runs[0].Config.Drops) {
			return
		}
	}
	p.Mark("learning rate drops", drops...)
}

// ConvergenceFigure draws the errors of runs against the epoch, as Figure 6 (Appendix H.2): the training error over the
// epoch's batches as they were trained on, augmented, and the test error.
func ConvergenceFigure(runs []nets.Run) *Figure {
	f := NewFigure(2)
	f.Title = runsTitle("Convergence", runs)
	f.Conclusion = concludeErrors(runs)
	errorCurves(f.Panel("training error", "epoch", "error in %"), runs, trainErrorOf)
	errorCurves(f.Panel("test error", "epoch", "error in %"), runs, testErrorOf)
	sameScale(f.panels...)
	return f
}

// sameScale gives panels that are to be compared one vertical axis.
func sameScale(panels ...*Panel) {
	low, high := panels[0].Y.Min, panels[0].Y.Max
	for _, p := range panels {
		low, high = min(low, p.Y.Min), max(high, p.Y.Max)
	}
	for _, p := range panels {
		p.Y.Min, p.Y.Max = low, high
	}
}

// layerCurves draws one probe for every layer of a run.
func layerCurves(p *Panel, r nets.Run, value func(nets.Probe) (float64, bool)) {
	if len(r.Epochs) == 0 {
		return
	}
	layers := r.Epochs[0].Layers
	const most = 10 // lines that can be told apart; of deeper nets a selection, first and last included
	shown := min(most, len(layers))
	still := 0 // convolutions whose lines all lie on zero and hide each other
	for k := range shown {
		i := k
		if len(layers) > most {
			i = k * (len(layers) - 1) / (most - 1)
		}
		var xs, ys []float64
		zero := true
		for _, e := range r.Epochs {
			if v, ok := value(e.Layers[i]); ok {
				xs, ys = append(xs, float64(e.Epoch)), append(ys, v)
				zero = zero && v == 0
			}
		}
		if zero {
			still++
		}
		p.Series(layers[i].Layer, layerStyle(k, shown, strings.HasPrefix(layers[i].Layer, "linear")), xs, ys)
	}
	if still > 1 {
		p.Title.Text += fmt.Sprintf(" (%d lines at 0)", still)
	}
	epochAxis(p, r)
}

// layerStyle goes from light to dark with depth and cycles through markers; linear layers, which are not binarised, are black and dashed.
func layerStyle(k, n int, linear bool) Style {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.PyramidGlyph{}, draw.BoxGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
	s := Style{Shape: shapes[k%len(shapes)]}
	if linear {
		s.Colour, s.Dashes = color.Black, linearDashes[k%len(linearDashes)]
		return s
	}
	t := float64(k) / float64(max(1, n-1))
	s.Colour = color.RGBA{uint8(240 * (1 - t)), uint8(170 - 120*t), uint8(40 + 130*t), 255}
	return s
}

var linearDashes = [][]vg.Length{dashes(4, 3), dashes(1, 2), dashes(6, 2, 1, 2)}

// WeightChangeFigure draws the percentage of each layer's weights whose sign differs from the initial one, a panel a run,
// as Figure 4. 50 % is what re-drawing every sign at random would give.
func WeightChangeFigure(runs []nets.Run) *Figure {
	f := NewFigure(2)
	f.Title = runsTitle("Signs changed since the start, by layer", runs)
	f.Conclusion = concludeChanges(runs)
	for i, label := range runLabels(runs) {
		p := f.Panel(letter(i)+label, "epoch", "signs changed, %")
		layerCurves(p, runs[i], changedOf)
		p.Y.Min = 0
		p.Level("50 %: signs drawn anew", 50)
	}
	if len(f.panels) > 0 {
		sameScale(f.panels...)
	}
	return f
}

// letter is a panel's letter as in the paper: "(a) ".
func letter(i int) string { return fmt.Sprintf("(%c) ", 'a'+i) }

// BatchSizeFigure draws what Figure 5 does for runs that differ in batch size or method: (a) errors, (b) the percentage of all
// convolution weights changed since the start, (c) the same against the weights ChangeEvery epochs before.
func BatchSizeFigure(runs []nets.Run) *Figure {
	f := NewFigure(2)
	f.Title = runsTitle("Batch size", runs)
	f.Conclusion = concludeBatches(runs)
	errorCurves(f.Panel("(a) training error", "epoch", "error in %"), runs, trainErrorOf)
	errorCurves(f.Panel("(a) test error", "epoch", "error in %"), runs, testErrorOf)
	sameScale(f.panels...)
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
	styles := runStyles(configsOf(runs))
	for i, label := range runLabels(runs) {
		for _, one := range []struct {
			panel *Panel
			value func(nets.Probe) (float64, bool)
		}{{b, changedOf}, {c, nets.Probe.InWindow}} {
			var xs, ys []float64
			for _, e := range runs[i].Epochs {
				if v, ok := e.OverConv(one.value); ok {
					xs, ys = append(xs, float64(e.Epoch)), append(ys, v)
				}
			}
			one.panel.Series(label, styles[i], xs, ys)
		}
	}
	for _, p := range []*Panel{b, c} {
		p.Y.Min = 0
		epochAxis(p, runs...)
	}
	return f
}

// DistanceFigure draws each layer's mean |wb - wr|, a panel a run, as Figure 7(b, c).
func DistanceFigure(runs []nets.Run) *Figure {
	f := NewFigure(2)
	f.Title = runsTitle("Distance of BC's real weights from their signs, by layer", runs)
	f.Conclusion = concludeDistances(runs)
	for i, label := range runLabels(runs) {
		distancePanel(f, label, runs[i])
	}
	if len(f.panels) > 0 {
		sameScale(f.panels...)
	}
	return f
}

// distancePanel adds a panel of Figure 7(b) or (c).
func distancePanel(f *Figure, title string, r nets.Run) {
	p := f.Panel(title, "epoch", "mean |wb - wr|")
	layerCurves(p, r, distanceOf)
	p.Y.Min = 0
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
		changed, _ := last.OverConv(changedOf)
		data := r.Config.Data
		if n := r.Config.TrainImages; n > 0 {
			data += fmt.Sprintf(", %d images", n)
		}
		t.Add(r.Dir, r.Config.Net, paperName(r.Config.Method), data, r.Config.Batch, fmt.Sprintf("%d/%d", last.Epoch, r.Config.Epochs), r.Config.Seed,
			fmt.Sprintf("%.2f", last.TestError), fmt.Sprintf("%.2f", last.TrainError), fmt.Sprintf("%.2f", best), fmt.Sprintf("%.1f", changed), fmt.Sprintf("%.0f", last.ImagesPerSecond))
	}
	return t
}
