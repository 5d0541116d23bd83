package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tqn/cluster"
	"tqn/nets"
)

// batchEntries are a column's runs that differ in batch size, BC first, small batches first.
func (c *table1Column) batchEntries() []*table1Entry {
	var all []*table1Entry
	add := func(e *table1Entry) {
		if e != nil && len(e.runs) > 0 && e.runs[0].Config.WeightDecay == 0 && e.runs[0].Config.LearningRate != cluster.SlowRate {
			all = append(all, e)
		}
	}
	for _, m := range []string{"bc", "sr", "big-sr"} {
		add(c.methods[m])
	}
	for _, key := range c.order {
		add(c.variants[key])
	}
	slices.SortStableFunc(all, func(a, b *table1Entry) int {
		x, y := a.runs[0].Config, b.runs[0].Config
		return cmp.Or(cmp.Compare(ruleName(x), ruleName(y)), cmp.Compare(x.Batch, y.Batch))
	})
	return all
}

// ruleName is SR-ADAM for Big SR-ADAM too.
func ruleName(c nets.Config) string {
	if c.Method == "big-sr" {
		return "SR-ADAM"
	}
	return paperName(c.Method)
}

// figure5 is Figure 5 of the paper for a column: BC and SR at every batch size that was run; nil without runs.
func (c *table1Column) figure5() *Figure {
	var runs []nets.Run
	for _, e := range c.batchEntries() {
		runs = append(runs, e.meanRun())
	}
	if len(runs) == 0 {
		return nil
	}
	return BatchSizeFigure(runs)
}

// batchSize is Figure 5 with the numbers behind it.
func (t *Table1) batchSize(p func(string, ...any)) {
	p("## Batch size (Figure 5)")
	p("")
	p("Section 6.1 says that the larger the batch, the better SR and the fewer weights it changes, and that BC is best with a small batch: judged above, sentence by sentence. The intervals of single errors (Clopper and Pearson, over the draw of the test images) cover all at once with probability 95 %%; changes are counted in these runs.")
	p("")
	runs := Table{Header: []string{"column", "method", "batch", "updates", "test error, percent", "changed since the start", "changed in the last window"}}
	var lacking, noBigBC []string // columns
	for i := range t.columns {
		c := &t.columns[i]
		entries := c.batchEntries()
		count := map[string]int{}
		for _, e := range entries {
			config := e.runs[0].Config
			name := ruleName(config)
			count[name]++
			runs.Add(c.ID, name, config.Batch, e.runs[0].Steps,
				fmt.Sprintf("%.2f [%.2f, %.2f]", e.mean, 100*e.result.Lower, 100*e.result.Upper),
				orMissing("%.2f %%", e.last(changedOf)), orMissing("%.2f %%", e.last(nets.Probe.InWindow)))
		}
		if count["SR-ADAM"] < 2 || count["BC-ADAM"] < 1 {
			lacking = append(lacking, c.ID)
		}
		if count["BC-ADAM"] < 2 {
			noBigBC = append(noBigBC, c.ID)
		}
	}
	p("%s", runs.Markdown())
	if len(lacking) > 0 {
		p("Runs of SR at two batch sizes and of BC are not all finished in: %s.", strings.Join(lacking, ", "))
		p("")
	}
	if len(noBigBC) > 0 {
		p("No finished run of BC at two batch sizes in: %s. `--figures` plans one, with SR at batches between, in column resnet56 or the first.", strings.Join(noBigBC, ", "))
		p("")
	}
	t.show(p, 5, (*table1Column).figure5)
}
