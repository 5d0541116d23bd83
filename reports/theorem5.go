package reports

import (
	"fmt"
	"math"

	"tqn/referee"
)

// theorem5 is the picture of Theorem 5 in real networks, with a paragraph for someone who has not read the paper.
func (t *Table1) theorem5(p func(string, ...any)) {
	if t.Plan.Preset == "smoke" || t.flipsFigure() == nil { // runs of a minute show nothing
		return
	}
	p("## Theorem 5 in a real network")
	p("")
	p("Training settles because its steps are made smaller: that is why the learning rate alpha is lowered twice. Theorem 5 says that stochastic rounding (SR) does not settle. A weight that can only be -1 or +1 cannot take a smaller step; it jumps from one to the other, less often when alpha is smaller, but with the same preference for where it jumps to. So the number of jumps (flips of a sign) in a step, divided by alpha, has to stay where it is while alpha falls. BinaryConnect (BC) flips a sign only when the real weight behind it passes 0; these weights settle while alpha stays the same, and the flips become rare.")
	p("")
	p("![signs flipped a step, divided by the learning rate, by epoch](flips.png)")
	p("")
	rows := t.flipRows()
	p("%s", sayFlips(rows))
	p("")
	table := Table{Header: []string{"column", "method, batch", "flips a step / alpha: first epoch", "before the first drop", "last epoch", "alpha in the last epoch", "predicted for the last step", "reads"}}
	number := func(v float64) string {
		if math.IsNaN(v) {
			return "-"
		}
		return fmt.Sprintf("%.3g", v)
	}
	for _, r := range rows {
		table.Add(r.column, r.run, number(r.first), number(r.early), number(r.late), fmt.Sprintf("%.3g of the first", r.drop), number(r.predicted), r.reads)
	}
	p("%s", table.Markdown())
	p("Dotted vertical lines mark the drops of the learning rate; the dotted level is %.3g, where SR would be under Adam if gradients were nothing but noise, independent from step to step. A cross is the flips that Adam's state in the last checkpoint predicts for the last step. How a flip is counted is said under \"Do Sections 5 and 6 agree?\" below.", referee.NoiseFlips())
	p("")
}

// flipRow is a line of the picture in numbers: flips a step over alpha, NaN where they are not known.
type flipRow struct {
	column, run                   string
	sr                            bool
	first, early, late, predicted float64
	drop                          float64 // the last learning rate over the first
	reads                         string
}

// flipRows are the lines in which enough flips are counted before the first drop of the learning rate and at the end.
func (t *Table1) flipRows() (rows []flipRow) {
	for i := range t.columns {
		c := &t.columns[i]
		for _, e := range c.batchEntries() {
			early, late := e.flipRates()
			if math.IsNaN(early) || math.IsNaN(late) {
				continue
			}
			_, scaled := e.flips()
			config := e.runs[0].Config
			r := flipRow{column: c.ID, run: fmt.Sprintf("%s, %d", ruleName(config), config.Batch), sr: ruleName(config) == "SR-ADAM",
				first: scaled[0], early: early, late: late, predicted: math.NaN(), drop: config.Alpha(config.Epochs) / config.Alpha(1)}
			switch {
			case r.sr:
				if _, flip, err := t.predicted(e); err == nil {
					r.predicted = flip
				}
				r.reads = "level"
				if !within(late / early) {
					r.reads = "**not level**"
				}
			case r.first/early > referee.FlipFactor:
				r.reads = fmt.Sprintf("settles: %.2g times rarer before any drop", r.first/early)
			default:
				r.reads = "does not settle before the first drop"
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// sayFlips is the sentence on all lines together.
func sayFlips(rows []flipRow) string {
	var sr, level, bc, settles int
	least := math.Inf(1)
	for _, r := range rows {
		switch {
		case r.sr && within(r.late/r.early):
			sr, level = sr+1, level+1
		case r.sr:
			sr++
		case r.first/r.early > referee.FlipFactor:
			bc, settles, least = bc+1, settles+1, min(least, r.first/r.early)
		default:
			bc++
		}
	}
	text := fmt.Sprintf("Under SR the line is level, as Theorem 5 says, in %d of %d runs: within a factor of %d, from the last epoch before the first drop to the last epoch of all.", level, sr, referee.FlipFactor)
	if sr == 0 {
		text = "No run of SR has enough flips to compare."
	}
	if settles > 0 {
		text += fmt.Sprintf(" Under BC the flips become rarer while alpha stays as it is, in %d of %d runs, by a factor of %.2g at least. After a drop BC's line rises where its flips fall less than alpha does.", settles, bc, least)
	}
	return text
}
