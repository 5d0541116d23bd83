package reports

import (
	"fmt"

	"tqn/nets"
)

// decayEntry is the column's run of BC with weight decay; nil if there is none.
func (c *table1Column) decayEntry() *table1Entry {
	for _, key := range c.order {
		e := c.variants[key]
		if len(e.runs) > 0 && e.runs[0].Config.Method == "bc" && e.runs[0].Config.WeightDecay > 0 {
			return e
		}
	}
	return nil
}

// figure7 is Figure 7 of the paper (Appendix H.4): (a) errors of BC with and without weight decay, (b) and (c) the mean
// distance |wb - wr| of every layer. Panels without a run are left out, and a column that is neither VGG nor has the
// run with weight decay has no figure.
func (c *table1Column) figure7() *Figure {
	bc, decay := c.entry("bc", ""), c.decayEntry()
	if bc == nil || (decay == nil && c.Net != "vgg9" && c.Net != "vgg-bc") {
		return nil
	}
	if decay == nil {
		return DistanceFigure([]nets.Run{bc.meanRun()})
	}
	with, without := decay.meanRun(), bc.meanRun()
	f := NewFigure(2)
	f.KeysBelow = true
	f.Title = runsTitle("BC with and without weight decay", []nets.Run{with, without})
	f.Conclusion = fmt.Sprintf("With weight decay %g BC ends at a test error of %.2f %% and its convolutions' real weights at a mean distance of %.2f from their signs, without it at %.2f %% and %.2f.",
		with.Config.WeightDecay, decay.mean, decay.last(distanceOf), bc.mean, bc.last(distanceOf))
	errorCurves(f.Panel("(a) training error", "epoch", "error in %"), []nets.Run{with, without}, trainErrorOf)
	errorCurves(f.Panel("(a) test error", "epoch", "error in %"), []nets.Run{with, without}, testErrorOf)
	sameScale(f.panels...)
	distancePanel(f, fmt.Sprintf("(b) weight decay %g", with.Config.WeightDecay), with)
	distancePanel(f, "(c) no weight decay", without)
	sameScale(f.panels[2:]...)
	return f
}

// weightDecay is Figure 7 with the numbers behind it.
func (t *Table1) weightDecay(p func(string, ...any)) {
	p("## Weight decay (Figure 7)")
	p("")
	p("wr is BC's real weight, wb its sign. Appendix H.4 says that weight decay 1e-5 makes BC worse and the mean distance |wb - wr| larger, towards 1, which is wr near 0: judged above, sentence by sentence. Linear layers are not binarised; their distance is from their signs all the same.")
	p("")
	table := Table{Header: []string{"column", "error with decay, percent", "error without", "distance with decay, convolutions", "without"}}
	for i := range t.columns {
		c := &t.columns[i]
		bc, decay := c.entry("bc", ""), c.decayEntry()
		if bc == nil || decay == nil {
			continue
		}
		with, without := decay.last(distanceOf), bc.last(distanceOf)
		table.Add(c.ID, fmt.Sprintf("%.2f [%.2f, %.2f]", decay.mean, 100*decay.result.Lower, 100*decay.result.Upper),
			fmt.Sprintf("%.2f [%.2f, %.2f]", bc.mean, 100*bc.result.Lower, 100*bc.result.Upper),
			fmt.Sprintf("%.4f", with), fmt.Sprintf("%.4f", without))
	}
	if len(table.Rows) > 0 {
		p("%s", table.Markdown())
	} else {
		p("Panels (a) and (b) are missing: no finished run of BC with weight decay beside one without. `--figures` plans it, in column vgg-bc or the first.")
		p("")
	}
	t.show(p, 7, (*table1Column).figure7)
}
