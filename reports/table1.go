package reports

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"tqn/cluster"
	"tqn/evidence"
	"tqn/nets"
	"tqn/nets/dataset"
	"tqn/referee"
	"tqn/runfolder"
)

// table1Error is the probability that any interval of one report misses: a report
// is read, nothing fails on it, so 5 % for all of its intervals together.
const table1Error = 0.05

// Table1 is the report of a table's cells: Table 1, the ordering claim, Figures 4
// to 7, and the probes beside the exact laws.
type Table1 struct {
	Plan     *cluster.Plan
	States   []cluster.CellState
	Manifest Manifest
	Laws     []referee.Law // what the probes are compared with; without them this is left out

	columns []table1Column
	steps   map[string]stepRow // by cell, see [Table1.readSteps]
}

// table1Column is a column with what its cells gave.
type table1Column struct {
	cluster.Column
	methods  map[string]*table1Entry
	variants map[string]*table1Entry // runs for figures only, by method-variant
	order    []string                // of variants, as planned
	pairs    []Table1Pair
}

// table1Entry is a method in a column: its finished runs, in the order of seeds.
type table1Entry struct {
	runs    []*nets.Result
	cells   []string // their IDs
	missing int
	mean    float64 // test error, percent, over the finished runs
	result  evidence.Result
}

// Table1Pair is one step of the ordering claim in one column: Better is said to
// have the smaller error.
type Table1Pair struct {
	Column, Better, Worse string
	// Difference is error(Better) - error(Worse), as fractions; the claim is that it
	// is at most 0.
	Difference evidence.Result
	Verdict    evidence.Verdict
	Missing    bool // one of the two has no finished run
}

// NewTable1 evaluates the cells.
//
// The claim. Table 1's text says ADAM < BC < Big SR < SR < R in test error, in
// every column: four comparisons a column.
//
// The evidence. A run misclassifies K of N test images, N independent draws of
// the image population, so K has a binomial law whose parameter is the run's true
// error; N is fixed beforehand, so [evidence.ClopperPearson] gives its interval. With several
// seeds the mean of the lower and of the upper ends bound the mean error, whatever the
// dependence of runs tested on the same images. A comparison holds if its intervals are apart in
// the claimed order, is violated if they are apart in the other, and is undecided
// otherwise. All intervals of the report cover together with probability 1 -
// table1Error (Bonferroni). They speak of these trained networks; how much
// another seed changes them is the spread beside the mean.
func NewTable1(plan *cluster.Plan, states []cluster.CellState, m Manifest) *Table1 {
	t := &Table1{Plan: plan, States: states, Manifest: m}
	runs := 0
	for _, s := range states {
		if s.Result != nil {
			runs++
		}
	}
	alpha := table1Error / float64(max(1, runs))
	for _, c := range plan.Columns {
		column := table1Column{Column: c, methods: map[string]*table1Entry{}, variants: map[string]*table1Entry{}}
		for _, s := range states {
			if s.Column != c.ID {
				continue
			}
			entries, key := column.methods, s.Method
			if s.Variant != "" { // no row of the table
				entries, key = column.variants, s.Method+"-"+s.Variant
			}
			e := entries[key]
			if e == nil {
				e = &table1Entry{}
				entries[key] = e
				if s.Variant != "" {
					column.order = append(column.order, key)
				}
			}
			if s.Result == nil {
				e.missing++
				continue
			}
			e.runs = append(e.runs, s.Result)
			e.cells = append(e.cells, s.ID)
		}
		for _, e := range column.methods {
			e.evaluate(alpha)
		}
		for _, e := range column.variants {
			e.evaluate(alpha)
		}
		methods := nets.Methods()
		for i := 1; i < len(methods); i++ {
			better, worse := column.methods[methods[i-1].Name], column.methods[methods[i].Name]
			if better == nil || worse == nil {
				continue // the plan leaves one of them out
			}
			pair := Table1Pair{Column: c.ID, Better: methods[i-1].Name, Worse: methods[i].Name}
			if len(better.runs) == 0 || len(worse.runs) == 0 {
				pair.Missing = true
			} else {
				pair.Difference = difference(better, worse)
				pair.Verdict = pair.Difference.AtMost(0)
			}
			column.pairs = append(column.pairs, pair)
		}
		t.columns = append(t.columns, column)
	}
	return t
}

// difference is error(a) - error(b), with the interval that theirs give.
func difference(a, b *table1Entry) evidence.Result {
	return evidence.Result{
		Method: evidence.SampledMethod, Estimate: a.result.Estimate - b.result.Estimate,
		Lower: a.result.Lower - b.result.Upper, Upper: a.result.Upper - b.result.Lower,
		Samples: min(a.result.Samples, b.result.Samples), Confidence: 1 - table1Error,
	}
}

// evaluate computes mean and interval of a method's runs.
func (e *table1Entry) evaluate(alpha float64) {
	if len(e.runs) == 0 {
		return
	}
	r := evidence.Result{Method: evidence.SampledMethod, Confidence: 1 - alpha*float64(len(e.runs))}
	for _, run := range e.runs {
		n := run.TestImages
		wrong := int(math.Round(run.TestError / 100 * float64(n)))
		lower, upper := evidence.ClopperPearson(wrong, n, alpha)
		share := 1 / float64(len(e.runs))
		r.Estimate += share * float64(wrong) / float64(n)
		r.Lower += share * lower
		r.Upper += share * upper
		r.Samples = n // the seeds are tested on the same images
		e.mean += share * run.TestError
	}
	e.result = r
}

// Pairs lists every comparison of the ordering claim.
func (t *Table1) Pairs() []Table1Pair {
	var all []Table1Pair
	for _, c := range t.columns {
		all = append(all, c.pairs...)
	}
	return all
}

// verdict of a column: violated if any comparison is, holds if all do.
func (c *table1Column) verdict() (evidence.Verdict, string) {
	v, why := evidence.Holds, ""
	if len(c.pairs) < len(nets.Methods())-1 {
		v, why = evidence.Undecided, "some methods are not in this plan"
	}
	for _, p := range c.pairs {
		switch {
		case p.Missing:
			if v == evidence.Holds {
				v, why = evidence.Undecided, "runs are missing"
			}
		case p.Verdict == evidence.Violated:
			return evidence.Violated, methodTitle(p.Better) + " is worse than " + methodTitle(p.Worse)
		case p.Verdict == evidence.Undecided && v == evidence.Holds:
			v, why = evidence.Undecided, methodTitle(p.Better)+" and "+methodTitle(p.Worse)+" are too close for "+fmt.Sprint(p.Difference.Samples)+" test images"
		}
	}
	return v, why
}

func methodTitle(name string) string {
	m, err := nets.MethodNamed(name)
	if err != nil {
		return name
	}
	return m.Paper
}

// dataTitle names a set for readers.
func dataTitle(name string) string {
	switch name {
	case "cifar10":
		return "CIFAR-10"
	case "cifar100":
		return "CIFAR-100"
	case "imagenet":
		return "ImageNet"
	case "fashion-mnist":
		return "Fashion-MNIST"
	case "embedded":
		return "Fashion-MNIST, 10,000 images"
	}
	if s, err := dataset.ShapeOf(name); err == nil {
		return fmt.Sprintf("procedural textures, %d classes", s.Classes)
	}
	return name
}

func (c *table1Column) head() string {
	head := c.Title + " on " + dataTitle(c.PaperData)
	if c.Data != c.PaperData {
		head += "\n(here: " + dataTitle(c.Data) + ")"
	}
	return head
}

// exact reports whether the column is run as the paper does.
func (c *table1Column) exact() bool { return len(c.Scaled) == 0 }

// Table is Table 1: our test error, the spread over seeds, and the paper's.
func (t *Table1) Table() *Table {
	table := &Table{Header: []string{"method"}}
	for i := range t.columns {
		table.Header = append(table.Header, t.columns[i].head())
	}
	for _, m := range nets.Methods() {
		row := []any{m.Paper}
		for _, c := range t.columns {
			row = append(row, c.methods[m.Name].cell(c.PaperErrors[m.Name]))
		}
		table.Add(row...)
	}
	return table
}

// Summary is the same for a terminal: ours, with the paper's in brackets, under the columns' IDs.
func (t *Table1) Summary() *Table {
	table := &Table{Header: []string{"test error, % (paper)"}}
	for i := range t.columns {
		table.Header = append(table.Header, t.columns[i].ID)
	}
	for _, m := range nets.Methods() {
		row := []any{m.Paper}
		for _, c := range t.columns {
			ours := "-"
			if e := c.methods[m.Name]; e != nil && len(e.runs) > 0 {
				ours = fmt.Sprintf("%.2f", e.mean)
			}
			row = append(row, fmt.Sprintf("%s (%.2f)", ours, c.PaperErrors[m.Name]))
		}
		table.Add(row...)
	}
	return table
}

func (e *table1Entry) cell(paper float64) string {
	ours := "missing"
	switch {
	case e == nil:
		ours = "not planned"
	case len(e.runs) == 1:
		ours = fmt.Sprintf("%.2f", e.mean)
	case len(e.runs) > 1:
		lo, hi := e.spread()
		ours = fmt.Sprintf("%.2f (%.2f to %.2f, %d seeds)", e.mean, lo, hi, len(e.runs))
	}
	if e != nil && e.missing > 0 && len(e.runs) > 0 {
		ours += fmt.Sprintf(", %d missing", e.missing)
	}
	return fmt.Sprintf("%s; paper %.2f", ours, paper)
}

// spread is the smallest and the largest test error of the seeds.
func (e *table1Entry) spread() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, r := range e.runs {
		lo, hi = min(lo, r.TestError), max(hi, r.TestError)
	}
	return lo, hi
}

// Markdown renders the report. The figures of [Table1.Write] are linked by name.
func (t *Table1) Markdown() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	finished := 0
	for _, s := range t.States {
		if s.State == cluster.Finished {
			finished++
		}
	}
	p("# Table 1, preset %s", t.Plan.Preset)
	p("")
	p("%s. %d of %d runs are finished.", sentence(t.Plan.About), finished, len(t.States))
	p("")
	p("Top-1 test error in percent after the last epoch: ours; the paper's.")
	p("")
	p("%s", t.Table().Markdown())

	p("## What was scaled down")
	p("")
	for i := range t.columns {
		c := &t.columns[i]
		if c.exact() {
			p("- %s (`%s`): nothing; it is run as in Section 6 and Appendix H.", strings.ReplaceAll(c.head(), "\n", " "), c.ID)
			continue
		}
		p("- %s (`%s`): %s.", strings.ReplaceAll(c.head(), "\n", " "), c.ID, strings.Join(c.Scaled, "; "))
	}
	p("")
	p("A number of a scaled column is not comparable with the paper's; only the order of the methods is.")
	p("")

	t.ordering(p)
	t.notReproduced(p)
	t.missing(p)

	t.convergence(p)
	t.weightChanges(p)
	t.batchSize(p)
	t.weightDecay(p)
	t.explanation(p)
	p("## Manifest")
	p("")
	p("%s- plan: %s", t.Manifest.Markdown(), t.Plan.Hash)
	seen := map[string]bool{}
	for _, s := range t.States {
		if s.Result == nil {
			continue
		}
		for _, line := range []string{
			fmt.Sprintf("- data `%s`: %s, %d + %d images used, %s", s.Result.Config.Data, s.Result.DataTitle, s.Result.TrainImages, s.Result.TestImages, s.Result.DataChecksum),
			"- kernel of the runs: " + s.Result.Kernel,
		} {
			if !seen[line] {
				seen[line] = true
				p("%s", line)
			}
		}
	}
	return b.String()
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (t *Table1) ordering(p func(string, ...any)) {
	p("## The ordering claim")
	p("")
	p("ADAM < BC-ADAM < Big SR-ADAM < SR-ADAM < R-ADAM in test error, in every column. A comparison holds or is violated when the two intervals are apart; the intervals (Clopper and Pearson, over the draw of the test images, sampled) cover all at once with probability %.0f %%. They speak of the trained networks; one network of another seed may differ by more.", 100*(1-table1Error))
	p("")
	verdicts := Table{Header: []string{"column", "claim", "because"}}
	for i := range t.columns {
		c := &t.columns[i]
		v, why := c.verdict()
		if why == "" {
			why = "all four comparisons hold"
		}
		verdicts.Add(strings.ReplaceAll(c.head(), "\n", " "), v.String(), why)
	}
	p("%s", verdicts.Markdown())
	pairs := Table{Header: []string{"column", "comparison", "errors, percent", "difference, percentage points", "verdict"}}
	for _, c := range t.columns {
		for _, q := range c.pairs {
			name := methodTitle(q.Better) + " < " + methodTitle(q.Worse)
			if q.Missing {
				pairs.Add(c.ID, name, "missing", "", "undecided")
				continue
			}
			a, b := c.methods[q.Better], c.methods[q.Worse]
			pairs.Add(c.ID, name,
				fmt.Sprintf("%.2f [%.2f, %.2f] < %.2f [%.2f, %.2f]", a.mean, 100*a.result.Lower, 100*a.result.Upper, b.mean, 100*b.result.Lower, 100*b.result.Upper),
				fmt.Sprintf("%.2f [%.2f, %.2f]", 100*q.Difference.Estimate, 100*q.Difference.Lower, 100*q.Difference.Upper),
				q.Verdict.String())
		}
	}
	p("%s", pairs.Markdown())
}

// notReproduced says in words what came out otherwise than published.
func (t *Table1) notReproduced(p func(string, ...any)) {
	p("## Published results that are not reproduced here")
	p("")
	none := true
	for i := range t.columns {
		c := &t.columns[i]
		for _, q := range c.pairs {
			if !q.Missing && q.Verdict == evidence.Violated {
				none = false
				p("- %s: the paper has %s %.2f below %s %.2f; here it is %.2f above %.2f%s.", strings.ReplaceAll(c.head(), "\n", " "),
					methodTitle(q.Better), c.PaperErrors[q.Better], methodTitle(q.Worse), c.PaperErrors[q.Worse],
					c.methods[q.Better].mean, c.methods[q.Worse].mean, map[bool]string{true: "", false: " (scaled down as said above)"}[c.exact()])
			}
		}
		if !c.exact() {
			continue
		}
		// Run as the paper does: the numbers themselves can be compared.
		for _, m := range nets.Methods() {
			e := c.methods[m.Name]
			if e == nil || len(e.runs) == 0 {
				continue
			}
			paper := c.PaperErrors[m.Name]
			if paper < 100*e.result.Lower || paper > 100*e.result.Upper {
				none = false
				p("- %s, %s: the paper has %.2f, outside our interval [%.2f, %.2f] around %.2f.", strings.ReplaceAll(c.head(), "\n", " "),
					m.Paper, paper, 100*e.result.Lower, 100*e.result.Upper, e.mean)
			}
		}
	}
	if none {
		p("None is contradicted; what is undecided above is not confirmed either.")
	}
	p("")
}

func (t *Table1) missing(p func(string, ...any)) {
	table := Table{Header: []string{"cell", "index", "state", "why"}}
	for _, s := range t.States {
		if s.State != cluster.Finished {
			table.Add(s.ID, s.Index, string(s.State), s.Why)
		}
	}
	if len(table.Rows) == 0 {
		return
	}
	p("## Missing runs")
	p("")
	p("%s", table.Markdown())
}

// plain is the head in one line.
func (c *table1Column) plain() string { return strings.ReplaceAll(c.head(), "\n", " ") }

// entry finds a method's runs, or those of a variant of it; nil unless one is finished.
func (c *table1Column) entry(method, variant string) *table1Entry {
	e := c.methods[method]
	if variant != "" {
		e = c.variants[method+"-"+variant]
	}
	if e == nil || len(e.runs) == 0 {
		return nil
	}
	return e
}

// curves are the mean runs of those methods that have one.
func (c *table1Column) curves(methods ...string) []nets.Run {
	var runs []nets.Run
	for _, m := range methods {
		if e := c.entry(m, ""); e != nil {
			runs = append(runs, e.meanRun())
		}
	}
	return runs
}

// meanRun is the runs as one: every number of every epoch is the mean over the seeds.
func (e *table1Entry) meanRun() nets.Run {
	first, n := e.runs[0], float64(len(e.runs))
	run := nets.Run{Config: first.Config}
	for i := range first.Epochs {
		epoch := nets.Epoch{Epoch: first.Epochs[i].Epoch, Alpha: first.Epochs[i].Alpha}
		for _, l := range first.Epochs[i].Layers {
			epoch.Layers = append(epoch.Layers, nets.Probe{Layer: l.Layer, Weights: l.Weights})
			if l.Window != nil {
				epoch.Layers[len(epoch.Layers)-1].Window = new(float64)
			}
		}
		for _, r := range e.runs {
			o := r.Epochs[i]
			epoch.TrainError += o.TrainError / n
			epoch.TestError += o.TestError / n
			for k, l := range o.Layers {
				mean := &epoch.Layers[k]
				mean.Changed += l.Changed / n
				mean.Flips += l.Flips / n
				mean.Distance += l.Distance / n
				if l.Window != nil && mean.Window != nil {
					*mean.Window += *l.Window / n
				}
			}
		}
		run.Epochs = append(run.Epochs, epoch)
	}
	return run
}

// last is a percentage over the convolution weights after the last epoch, the mean over seeds.
func (e *table1Entry) last(value func(nets.Probe) (float64, bool)) float64 {
	epochs := e.meanRun().Epochs
	for i := len(epochs) - 1; i >= 0; i-- { // a window need not end with the last epoch
		if v, ok := convShare(epochs[i], value); ok {
			return v
		}
	}
	return math.NaN()
}

func changedOf(l nets.Probe) (float64, bool) { return l.Changed, true }

// figures of a column, by file name.
func (c *table1Column) figures() map[string]*Figure {
	all := map[string]*Figure{}
	for number, f := range map[int]*Figure{4: c.figure4(), 5: c.figure5(), 6: c.figure6(), 7: c.figure7()} {
		if f != nil {
			all[c.figureName(number)] = f
		}
	}
	return all
}

func (c *table1Column) figureName(number int) string {
	return fmt.Sprintf("%s-figure%d.png", c.ID, number)
}

// show links a figure of every column that has it; it says which columns have none for want of runs.
func (t *Table1) show(p func(string, ...any), number int, of func(*table1Column) *Figure) {
	for i := range t.columns {
		c := &t.columns[i]
		if of(c) != nil {
			p("![Figure %d, %s](%s)", number, c.plain(), c.figureName(number))
			p("")
		}
	}
}

// Write writes report.md and its figures into dir, the folder of the plan and its cells.
func (t *Table1) Write(dir string) error {
	t.readSteps(dir)
	for i := range t.columns {
		figures := t.columns[i].figures()
		var names []string
		for name := range figures {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := figures[name].Save(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := t.saveFlips(dir); err != nil {
		return err
	}
	return runfolder.WriteFile(filepath.Join(dir, "report.md"), []byte(t.Markdown()))
}
