package reports

import "tqn/nets"

// figure6 is Figure 6 of the paper (Appendix H.2) for a column: errors of all methods. nil without runs.
func (c *table1Column) figure6() *Figure {
	runs := c.curves("adam", "r", "bc", "sr", "big-sr")
	if len(runs) == 0 {
		return nil
	}
	return ConvergenceFigure([]string{c.Title + " on " + dataTitle(c.Data)}, [][]nets.Run{runs})
}

func (t *Table1) convergence(p func(string, ...any)) {
	p("## Convergence (Figure 6)")
	p("")
	p("Solid is the error on the training batches as they were trained on, augmented; dashed is the test error; with several seeds, their mean. A legend's number is the batch size.")
	p("")
	t.show(p, 6, (*table1Column).figure6)
}
