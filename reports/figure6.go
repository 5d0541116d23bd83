package reports

import (
	"fmt"
	"strings"

	"tqn/nets"
)

// figure6 is Figure 6 of the paper (Appendix H.2) for a column: errors of all methods. nil without runs.
func (c *table1Column) figure6() *Figure {
	runs := c.curves("adam", "r", "bc", "sr", "big-sr")
	if len(runs) == 0 {
		return nil
	}
	f := ConvergenceFigure(runs)
	if c.exact() { // a scaled-down run's errors are not to be compared with the paper's
		f.Conclusion += c.paperErrors()
	}
	return f
}

// paperErrors are the errors that the paper's Table 1 prints of the column, in the order of its rows.
func (c *table1Column) paperErrors() string {
	var all []string
	for _, m := range nets.Methods() {
		all = append(all, fmt.Sprintf("%s %.2f", m.Paper, c.PaperErrors[m.Name]))
	}
	return " The paper's Table 1: " + strings.Join(all, ", ") + " %."
}

func (t *Table1) convergence(p func(string, ...any)) {
	p("## Convergence (Figure 6)")
	p("")
	p("The left panel has the error on the training batches as they were trained on, augmented; the right one the test error.")
	p("")
	t.show(p, 6, (*table1Column).figure6)
}
