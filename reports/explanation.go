package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tqn/nets"
	"tqn/referee"
	"tqn/runfolder"
	"tqn/toy"
)

// This file puts the probes of Section 6 beside exact stationary laws of Section 5, to see whether the theory explains
// the nets. The theory is about plain SGD in one dimension and about laws; a net is trained by Adam, and its probes
// count signs. So it is its predictions that are compared, each a ratio that should be 1 or an order.

// stepRow is a cell's last step, or why it is not known.
type stepRow struct {
	step nets.LastStep
	err  error
}

// stepsFile keeps what the checkpoints say of the last steps, so that the report can be made anew from a folder without them.
const stepsFile = "steps.json"

// readSteps reads the checkpoints of the finished SR runs, or where one is gone [stepsFile]: E|step|/Delta is in no metric. It is an error if that
// file is there and cannot be read: the report would replace what is perhaps the only record.
func (t *Table1) readSteps(dir string) error {
	t.steps = map[string]stepRow{}
	kept := map[string]nets.LastStep{}
	path := filepath.Join(dir, stepsFile)
	b, err := runfolder.ReadFile(path, runfolder.MaxText)
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reports: %s: %w: mend it; or, if the cells still have their checkpoints, move it away, and it is made again", path, err)
	}
	t.kept = kept
	for i, s := range t.States {
		if s.Result == nil || (s.Method != "sr" && s.Method != "big-sr") {
			continue
		}
		step, err := nets.ReadLastStep(t.Plan.Cells[i].Dir(dir), s.Result.Config)
		if was, ok := kept[s.ID]; ok && errors.Is(err, fs.ErrNotExist) && was.Steps == s.Result.Steps {
			step, err = was, nil
		}
		t.steps[s.ID] = stepRow{step, err}
	}
	return nil
}

// flips is [referee.FlipRate] of each epoch, the seeds' shares averaged.
func (e *table1Entry) flips() (epochs, scaled []float64) {
	first := e.runs[0]
	n := float64(first.Steps) / float64(max(1, first.Config.Epochs))
	for _, epoch := range e.meanRun().Epochs {
		epochs, scaled = append(epochs, float64(epoch.Epoch)), append(scaled, referee.FlipRate(epoch, n))
	}
	return epochs, scaled
}

// flipRates are flips in the last epoch before the first drop and in the last epoch; NaN where alpha is the same.
func (e *table1Entry) flipRates() (early, late float64) {
	_, scaled := e.flips()
	config := e.runs[0].Config
	early, late = math.NaN(), math.NaN()
	if len(scaled) == 0 {
		return early, late
	}
	late = scaled[len(scaled)-1]
	if len(config.Drops) > 0 && config.Drops[0] >= 1 && config.Drops[0] < len(scaled) {
		early = scaled[config.Drops[0]-1]
	}
	return early, late
}

// saveSteps writes [stepsFile], if anything is known: what the checkpoints say, and what the file said before of other cells.
func (t *Table1) saveSteps(dir string) error {
	known := maps.Clone(t.kept)
	if known == nil {
		known = map[string]nets.LastStep{}
	}
	for id, row := range t.steps {
		if row.err == nil {
			known[id] = row.step
		}
	}
	if len(known) == 0 {
		return nil
	}
	b, err := json.MarshalIndent(known, "", " ")
	if err != nil {
		return err
	}
	return runfolder.WriteFile(filepath.Join(dir, stepsFile), append(b, '\n'))
}

// predicted is the flip probability of the last step, divided by alpha, the mean over the seeds; the error of the first
// seed without one.
func (t *Table1) predicted(e *table1Entry) (size, flip float64, err error) {
	for _, id := range e.cells {
		row, ok := t.steps[id]
		if !ok {
			row.err = errors.New("no checkpoint was read")
		}
		if row.err != nil {
			return math.NaN(), math.NaN(), fmt.Errorf("%s: %w", id, row.err)
		}
		size += row.step.Size / row.step.Alpha / float64(len(e.cells))
		flip += row.step.Flip / row.step.Alpha / float64(len(e.cells))
	}
	return size, flip, nil
}

// within is the agreement of a ratio that should be 1.
func within(ratio float64) bool { return ratio >= 1./referee.FlipFactor && ratio <= referee.FlipFactor }

// srEntries are the SR runs of a column by batch size.
func (c *table1Column) srEntries() []*table1Entry {
	var sr []*table1Entry
	for _, e := range c.batchEntries() {
		if ruleName(e.runs[0].Config) == "SR-ADAM" {
			sr = append(sr, e)
		}
	}
	return sr
}

// explanation is the section of the report.
func (t *Table1) explanation(p func(string, ...any)) {
	if len(t.Laws) == 0 || t.Plan.Preset == "smoke" {
		return
	}
	p("## Do Sections 5 and 6 agree?")
	p("")
	p("Exact: stochastic rounding on equation (8), grid step %g, gradient noise %g in one dimension. Entropy (nats) is how widely the stationary law explores; moves a step over alpha is E|step|/(alpha Delta) under it, without steps out of the box.", toy.Default.Delta, toy.Default.Noise)
	p("")
	exact := Table{Header: []string{"law", "entropy", "mass of the global basin", "moves a step / alpha"}}
	for _, l := range t.Laws {
		name := fmt.Sprintf("batch %g, alpha = %g", l.Batch, l.Alpha)
		if l.Alpha == 0 {
			name = fmt.Sprintf("batch %g, alpha to 0", l.Batch)
		}
		exact.Add(name, l.Entropy, l.GlobalMass, l.Moves)
	}
	p("%s", exact.Markdown())
	p("So the theory predicts of SR, first, that a smaller learning rate does not make it greedier, only slower: flips a step stay in proportion to alpha. Second, that a larger batch does make it greedier. Third, that a weight on {-1, +1} flips with probability |step|/2 if the step points to the other value: their mean at the last step is computed from the optimiser's state in the checkpoint.")
	p("")
	p("Adam is not plain SGD: it divides a step by the gradient's size. Were gradients independent noise of mean 0 from step to step, flips a step over alpha would be about %.3g at every batch size, and a larger batch would not change them; a larger number is gradients that keep their direction.", referee.NoiseFlips())
	p("")
	p("Measured: a flip is the sign of a convolution weight that differs from what it was an epoch before. *Flips a step* is the probability with which a weight would have to flip at every step, either way and independently of other steps, to give the share of flips that was counted. A weight that flips and flips back within an epoch is counted as unchanged, so the measured number may lie below the predicted one. A dash is where there is nothing to conclude from: fewer than %d flips in the epoch, half of all signs flipped in it, no epoch before the first drop, or no checkpoint.", referee.FewFlips)
	p("")
	table := Table{Header: []string{"column", "batch", "updates", "flips a step / alpha before the first drop", "in the last epoch", "ratio (predicted 1)", "E|step|/(2 alpha)", "predicted flips a step / alpha", "measured / predicted (predicted 1)"}}
	// exactRatio is, of the exact law, the moves per step at batch k divided by those at batch 1.
	exactRatio := func(k int) float64 {
		of := func(batch int) float64 {
			for _, l := range t.Laws {
				if l.Alpha == 0 && int(l.Batch) == batch {
					return l.Moves
				}
			}
			return math.NaN()
		}
		return of(k) / of(1)
	}
	verdicts := Table{Header: []string{"column", "predicted of SR", "here", "verdict"}}
	var lacking []string
	for i := range t.columns {
		c := &t.columns[i]
		entries := c.srEntries()
		for _, e := range entries {
			early, late := e.flipRates()
			size, flip, err := t.predicted(e)
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					err = fmt.Errorf("%s: its checkpoint is not there", strings.SplitN(err.Error(), ":", 2)[0])
				}
				lacking = append(lacking, err.Error())
			}
			row := []any{c.ID, e.runs[0].Config.Batch, e.runs[0].Steps}
			for _, v := range []float64{early, late, late / early, size, flip, late / flip} {
				if math.IsNaN(v) {
					row = append(row, "-")
				} else {
					row = append(row, fmt.Sprintf("%.3g", v))
				}
			}
			table.Add(row...)
		}
		if len(entries) > 0 {
			t.predictions(&verdicts, c.ID, entries, exactRatio)
		} else {
			lacking = append(lacking, c.ID+": no run of SR is finished")
		}
	}
	if len(table.Rows) > 0 {
		p("%s", table.Markdown())
	}
	if len(verdicts.Rows) > 0 {
		p("What comes of the predictions, ratios in [%.2g, %d] being called agreement:", 1./referee.FlipFactor, referee.FlipFactor)
		p("")
		p("%s", verdicts.Markdown())
		p("Where a larger batch flips as many signs a step at the same alpha, it is its fewer updates that leave more signs unchanged, and not a greedier law: Adam divides a step by the gradient's size (docs/errata.md, 15). That line is called agreement where the ratio is nearer to the predicted one than to 1.")
		p("")
	}
	for _, line := range lacking {
		p("- missing: %s.", line)
	}
	if len(lacking) > 0 {
		p("")
	}
}

// judge says of ratios that should be 1 whether they are: the verdict, and in words how many could be judged and which is
// farthest from 1.
func judge(ratios []float64) (verdict, here string) {
	far, known := 1.0, 0
	for _, r := range ratios {
		if math.IsNaN(r) {
			continue
		}
		known++
		if math.Abs(math.Log(r)) >= math.Abs(math.Log(far)) {
			far = r
		}
	}
	if known == 0 {
		return "undecided", "too few flips, or no checkpoint"
	}
	here = fmt.Sprintf("ratio %.3g", far)
	if known > 1 {
		here = fmt.Sprintf("of %d ratios %.3g is the farthest from 1", known, far)
	}
	if rest := len(ratios) - known; rest > 0 {
		here += fmt.Sprintf(" (not to be judged in %d of %d runs)", rest, len(ratios))
	}
	switch {
	case !within(far):
		return "**does not agree**", here
	case known < len(ratios):
		return "agrees where decided", here
	}
	return "agrees", here
}

// predictions adds a row for everything that the theory predicts of a column.
func (t *Table1) predictions(table *Table, column string, entries []*table1Entry, exactRatio func(int) float64) {
	var drops, steps []float64
	for _, e := range entries {
		early, late := e.flipRates()
		_, flip, _ := t.predicted(e)
		drops, steps = append(drops, late/early), append(steps, late/flip)
	}
	verdict, here := judge(drops)
	table.Add(column, "flips a step stay in proportion to alpha", here, verdict)
	verdict, here = judge(steps)
	table.Add(column, "a weight flips with probability |step|/2", here, verdict)
	if len(entries) < 2 {
		table.Add(column, "a larger batch makes SR greedier", "one batch size only", "missing")
		return
	}
	small, big := entries[0], entries[len(entries)-1]
	fewer, better := t.found("big-batch-changes-less-sr", column).Verdict, t.found("sr-larger-batch-better", column).Verdict
	verdict = "undecided"
	switch {
	case fewer == referee.Violated:
		verdict = "**does not agree**"
	case fewer == referee.Holds && better == referee.Holds:
		verdict = "agrees"
	case fewer == referee.Holds && better == referee.Undecided:
		verdict = "fewer signs; the error is undecided"
	case fewer == referee.Holds && better == referee.Violated:
		verdict = "fewer signs; **the error is not smaller**"
	case fewer == referee.Undecided && better == referee.Holds:
		verdict = "a smaller error; the signs are undecided"
	}
	a, b := small.runs[0], big.runs[0]
	table.Add(column, "a larger batch makes SR greedier: fewer signs changed, a smaller error",
		fmt.Sprintf("batch %d: %.2f %% of signs, error %.2f %%; batch %d: %.2f %%, %.2f %%; with %.3g times as many updates",
			b.Config.Batch, big.last(changedOf), big.mean, a.Config.Batch, small.last(changedOf), small.mean, float64(b.Steps)/float64(a.Steps)), verdict)
	_, fa := small.flipRates()
	_, fb := big.flipRates()
	if r, exact := fb/fa, exactRatio(b.Config.Batch/a.Config.Batch); !math.IsNaN(r) && !math.IsNaN(exact) {
		verdict = "agrees"
		if r > math.Sqrt(exact) { // nearer to 1, where the batch makes no difference, than to what is predicted
			verdict = "**does not agree**"
		}
		table.Add(column, fmt.Sprintf("a larger batch flips fewer signs a step at the same alpha (plain SGD, exact: %.3g times as many)", exact), fmt.Sprintf("%.3g times as many", r), verdict)
	}
}

// flipsFigure draws flips a step over alpha by epoch, a panel a column; nil where there is nothing to draw.
func (t *Table1) flipsFigure() *Figure {
	var shown []*table1Column
	for i := range t.columns {
		c := &t.columns[i]
		if slices.ContainsFunc(c.srEntries(), func(e *table1Entry) bool {
			_, ys := e.flips()
			return slices.ContainsFunc(ys, func(y float64) bool { return y > 0 })
		}) {
			shown = append(shown, c)
		}
	}
	if len(shown) == 0 {
		return nil
	}
	f := NewFigure(2)
	f.Title = "Signs flipped a step, divided by the learning rate alpha"
	f.Conclusion, _, _ = strings.Cut(t.sayFlips(), " Under BC")
	for _, c := range shown { // each panel at least a decade high: small changes are to look small
		panel := f.Panel(c.Title+" on "+c.images(), "epoch", "flips a step / alpha")
		Logarithmic(&panel.Y)
		entries := c.batchEntries()
		var configs []nets.Config
		var runs []nets.Run
		for _, e := range entries {
			configs = append(configs, e.runs[0].Config)
			runs = append(runs, nets.Run{Config: e.runs[0].Config})
		}
		epochAxis(panel, runs...)
		panel.Level("noise alone", referee.NoiseFlips())
		styles := runStyles(configs)
		for i, e := range entries {
			config := e.runs[0].Config
			xs, ys := e.flips()
			name := fmt.Sprintf("%s %d", ruleName(config), config.Batch)
			panel.Series(name, styles[i], xs, ys)
		}
		t.predictedFlips(panel, entries, styles)
		if middle := math.Sqrt(panel.Y.Min * panel.Y.Max); panel.Y.Max < 10*panel.Y.Min {
			panel.Y.Min, panel.Y.Max = middle/math.Sqrt(10), middle*math.Sqrt(10)
		}
	}
	return f
}

// predictedFlips draws a cross at the last epoch of every line of SR whose last step is known, in the line's colour, with one key for all.
func (t *Table1) predictedFlips(panel *Panel, entries []*table1Entry, styles []Style) {
	key := "SR, predicted"
	for i, e := range entries {
		xs, _ := e.flips()
		if ruleName(e.runs[0].Config) != "SR-ADAM" || len(xs) == 0 {
			continue
		}
		if _, flip, err := t.predicted(e); err == nil {
			if cross := panel.Points(key, styles[i].Colour, draw.CrossGlyph{}, xs[len(xs)-1:], []float64{flip}); cross != nil {
				cross.GlyphStyle.Radius = vg.Points(3.5)
				key = ""
			}
		}
	}
}

// saveFlips writes the figure, if there is one. That of the smallest runs would judge what the report says that they cannot.
func (t *Table1) saveFlips(dir string) error {
	if t.Plan.Preset == "smoke" {
		return nil
	}
	f := t.flipsFigure()
	if f == nil {
		return nil
	}
	return f.Save(filepath.Join(dir, "flips.png"), t.Formats...)
}
