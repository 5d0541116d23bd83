package reports

// figure6 is Figure 6 of the paper (Appendix H.2) for a column: errors of all methods. nil without runs.
func (c *table1Column) figure6() *Figure {
	runs := c.curves("adam", "r", "bc", "sr", "big-sr")
	if len(runs) == 0 {
		return nil
	}
	return ConvergenceFigure(runs)
}

func (t *Table1) convergence(p func(string, ...any)) {
	p("## Convergence (Figure 6)")
	p("")
	p("The left panel has the error on the training batches as they were trained on, augmented; the right one the test error.")
	p("")
	t.show(p, 6, (*table1Column).figure6)
}
