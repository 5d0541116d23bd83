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
	// Sentences and Against are what package referee says of the cells; without them their sections are left out.
	Sentences []referee.Sentence
	Against   []referee.Against
	Formats   []string // of the pictures, beside PNG

	columns []table1Column
	steps   map[string]stepRow       // by cell, see [Table1.readSteps]
	commits map[string]string        // of the programs that trained, by cell, where its folder tells
	kept    map[string]nets.LastStep // what steps.json said of them before
}

// table1Column is a column with what its cells gave.
type table1Column struct {
	cluster.Column
	methods  map[string]*table1Entry
	variants map[string]*table1Entry // runs for figures only, by method-variant
	order    []string                // of variants, as planned
}

// table1Entry is a method in a column: its finished runs, in the order of seeds.
type table1Entry struct {
	runs    []*nets.Result
	cells   []string // their IDs
	missing int
	mean    float64 // test error, percent, over the finished runs
	result  evidence.Result
}

// NewTable1 sorts the cells by column and method and gives every error an interval.
//
// A run misclassifies K of N test images, N independent draws of the image population, so K has a binomial law whose parameter
// is the run's true error; N is fixed beforehand, so the interval of Clopper and Pearson is the right one. With several seeds the mean of the
// lower and of the upper ends bound the mean error, whatever the dependence of runs tested on the same images. All of these
// intervals cover together with probability 1 - table1Error (Bonferroni). They speak of these trained networks; how much another
// seed changes them is the spread beside the mean. Comparisons are package referee's.
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
		t.columns = append(t.columns, column)
	}
	return t
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
	if s, err := dataset.ShapeOf(name, dataset.Options{}); err == nil {
		return fmt.Sprintf("procedural textures, %d classes", s.Classes)
	}
	return name
}

func (c *table1Column) head() string {
	head := c.Title + " on " + dataTitle(c.PaperData)
	if here := c.images(); here != dataTitle(c.PaperData) {
		head += "\n(here: " + here + ")"
	}
	return head
}

// images says what the column was trained on: the data set, and how many of its images where it was not all.
func (c *table1Column) images() string {
	here := dataTitle(c.Data)
	for _, s := range c.Scaled {
		if n, ok := strings.CutSuffix(s, " training images"); ok {
			set, _, _ := strings.Cut(here, ",") // not the set's own number of images
			return n + " images of " + set
		}
	}
	return here
}

// exact reports whether the column is run as the paper does.
func (c *table1Column) exact() bool { return len(c.Scaled) == 0 }

// table is Table 1: our test error, the spread over seeds, and the paper's.
func (t *Table1) table() *Table {
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
	if t.Plan.Preset == "smoke" {
		p("This report shows that the program gets from data to the paper's Table 1 and its Figures 4 to 7.")
	} else {
		p("This report sets test errors of networks trained here beside those of the paper's Table 1, draws its Figures 4 to 7 and judges every empirical sentence of its Section 6 and Appendix H by the same runs.")
	}
	p("")
	if len(t.Sentences) > 0 {
		p("**%s**", t.Meaning())
		p("")
		if late := t.late(); late != "" {
			p("%s", late)
			p("")
		}
	}
	p("%s %d of %d runs are finished.", t.whatRan(), finished, len(t.States))
	p("")
	p("The rows of the table: ADAM trains real weights. BC-ADAM (BinaryConnect) keeps real weights and takes gradients at their signs. SR-ADAM (stochastic rounding) keeps signs only, -1 or +1, and rounds every step to one of them at random; Big SR-ADAM is the same with larger batches. R-ADAM rounds to the nearer one. In the pictures the number behind a method is its batch size, as in the paper's; a curve is one run, or the mean of the runs that differ in their seed. Errors are measured on the test images and differ from seed to seed, shares of signs are counted.")
	p("")
	t.theorem5(p)
	t.protocol(p)
	p("## Table 1")
	p("")
	p("Top-1 test error in percent after the last epoch: ours; the paper's.")
	p("")
	p("%s", t.table().Markdown())
	if said := t.sayMachines(); said != "" {
		p("%s", said)
		p("")
	}
	if len(t.Sentences) > 0 {
		t.sentences(p)
		t.ordering(p)
		t.besidePaper(p)
	}
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
		line := fmt.Sprintf("- data `%s`: %s, %d + %d images used, %s", s.Result.Config.Data, s.Result.DataTitle, s.Result.TrainImages, s.Result.TestImages, s.Result.DataChecksum)
		if !seen[line] {
			seen[line] = true
			p("%s", line)
		}
	}
	for _, list := range []struct {
		what string
		of   []machine
	}{{"kernel", t.machines()}, {"commit", t.trainedBy()}} {
		for _, m := range list.of {
			of := "the runs"
			if len(list.of) > 1 {
				of = andOf(m.cells)
			}
			p("- %s of %s: %s", list.what, of, m.name)
		}
	}
	return b.String()
}

// whatRan says at which scale the runs are, before any number of theirs.
func (t *Table1) whatRan() string {
	about, _, _ := strings.Cut(t.Plan.About, ",") // what follows are the preset's own seeds and time, not this plan's
	seeds := map[uint64]bool{}
	for _, c := range t.Plan.Cells {
		seeds[c.Config.Seed] = true
	}
	text := fmt.Sprintf("What was run: preset %s, %s; ", t.Plan.Preset, about)
	if len(seeds) == 1 {
		text += "one seed."
	} else {
		text += fmt.Sprintf("%d seeds.", len(seeds))
	}
	scaled := 0
	for i := range t.columns {
		if !t.columns[i].exact() {
			scaled++
		}
	}
	switch {
	case scaled == len(t.columns):
		text += " These are scaled-down runs: no number below is at the paper's protocol, and the paper's numbers stand beside them for the order only."
	case scaled == 1:
		text += fmt.Sprintf(" One of %d columns is scaled down: its numbers are not at the paper's protocol.", len(t.columns))
	case scaled > 0:
		text += fmt.Sprintf(" %d of %d columns are scaled down: their numbers are not at the paper's protocol.", scaled, len(t.columns))
	}
	var precisions []string
	for _, s := range t.States {
		if s.Result == nil {
			continue
		}
		if d := precisionOf(s.Result.Kernel); d != "" && !slices.Contains(precisions, d) {
			precisions = append(precisions, d)
		}
	}
	if len(precisions) > 0 {
		text += " " + sentence(strings.Join(precisions, "; ")) + "."
	}
	return text
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// ordering is the order of Table 1 by column, and then pair by pair.
func (t *Table1) ordering(p func(string, ...any)) {
	if t.Plan.Preset == "smoke" {
		return
	}
	p("## The order of Table 1")
	p("")
	p("Table 1 prints ADAM < BC-ADAM < Big SR-ADAM < SR-ADAM < R-ADAM in every column. A column's order holds if all ten comparisons do.")
	p("")
	verdicts := Table{Header: []string{"column", "order", "because"}}
	for i := range t.columns {
		v, why := t.order(&t.columns[i])
		verdicts.Add(t.columns[i].plain(), string(v), why)
	}
	p("%s", verdicts.Markdown())
	t.pairTable(p)
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
		if v, ok := epochs[i].OverConv(value); ok {
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
	if err := t.readSteps(dir); err != nil {
		return err
	}
	t.readCommits(dir)
	for i := range t.columns {
		figures := t.columns[i].figures()
		var names []string
		for name := range figures {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := figures[name].Save(filepath.Join(dir, name), t.Formats...); err != nil {
				return err
			}
		}
	}
	if err := t.saveFlips(dir); err != nil {
		return err
	}
	if err := t.saveSteps(dir); err != nil {
		return err
	}
	if err := runfolder.WriteFile(filepath.Join(dir, "table1.tex"), []byte(t.latex())); err != nil {
		return err
	}
	return writePage(dir, table1Page, t.Markdown())
}

const table1Page = "report.md"

// latex is Table 1 for a paper: the errors here with the paper's in brackets.
func (t *Table1) latex() string {
	table := t.Summary()
	caption := "Top-1 test error in percent after the last epoch, in brackets that of Li et al. (2017), Table 1; preset " + t.Plan.Preset + "."
	for i := range t.columns {
		if !t.columns[i].exact() {
			caption += " Scaled-down runs: only the order of the methods is comparable."
			break
		}
	}
	return table.latex(caption, "tab:tqn-"+t.Plan.Preset)
}

// Tables are the tables of the report as data.
func (t *Table1) Tables() []NamedTable { return tablesOf(table1Page, []byte(t.Markdown())) }
