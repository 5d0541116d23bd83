package reports

import (
	"fmt"
	"math"
	"strings"
)

// figure4 is Figure 4 of the paper, for VGG nets: signs changed since the start, a line a layer, for R, BC and SR. nil for
// other nets, which have too many layers, and where none of the three is finished.
func (c *table1Column) figure4() *Figure {
	runs := c.curves("r", "bc", "sr")
	if !strings.HasPrefix(c.Net, "vgg") || len(runs) == 0 {
		return nil
	}
	f := WeightChangeFigure(runs)
	f.Conclusion += " The paper's Section 6 says 0 % for R, at most 20 % for BC and nearly 40 % for SR."
	return f
}

// weightChanges is Figure 4 with what Section 6 says about it.
func (t *Table1) weightChanges(p func(string, ...any)) {
	p("## Weight changes by layer (Figure 4)")
	p("")
	p("Percentage of weights whose sign differs from the initial one; 50 %% is what signs drawn anew would give. The table has all convolution weights after the last epoch, counted in these runs; what Section 6 says of these numbers is judged above, sentence by sentence.")
	p("")
	table := Table{Header: []string{"column", "R-ADAM", "BC-ADAM", "Big SR-ADAM", "SR-ADAM"}}
	for i := range t.columns {
		c := &t.columns[i]
		row := []any{c.ID}
		for _, m := range []string{"r", "bc", "big-sr", "sr"} {
			row = append(row, orMissing("%.2f %%", c.changed(m)))
		}
		table.Add(row...)
	}
	p("%s", table.Markdown())
	t.show(p, 4, (*table1Column).figure4)
}

// changed is the share of convolution signs that differ from the initial ones at the end; NaN without runs.
func (c *table1Column) changed(method string) float64 {
	if e := c.entry(method, ""); e != nil {
		return e.last(changedOf)
	}
	return math.NaN()
}

func orMissing(format string, v float64) string {
	if math.IsNaN(v) {
		return "missing"
	}
	return fmt.Sprintf(format, v)
}
