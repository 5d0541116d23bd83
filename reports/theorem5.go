package reports

import (
	"fmt"
	"math"
	"strings"

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
	p("%s", t.sayFlips())
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
	p("Dotted vertical lines mark the drops of the learning rate; the dotted level is %.3g, where SR would be under Adam if gradients were nothing but noise, independent from step to step. A cross, in its line's colour, is the flips that Adam's state in the last checkpoint predicts for the last step; its value is in the table. How a flip is counted is said under \"Do Sections 5 and 6 agree?\" below.", referee.NoiseFlips())
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

// sayFlips is what all lines together say: of SR, and after it of BC.
func (t *Table1) sayFlips() string {
	var sr, level, bc, settles int
	least, away := math.Inf(1), 1.0 // of SR's ratios the farthest from 1, as a factor above 1
	for _, r := range t.flipRows() {
		switch {
		case r.sr:
			sr++
			if within(r.late / r.early) {
				level++
			}
			away = max(away, r.late/r.early, r.early/r.late)
		case r.first/r.early > referee.FlipFactor:
			bc, settles, least = bc+1, settles+1, min(least, r.first/r.early)
		default:
			bc++
		}
	}
	all := 0
	for i := range t.columns {
		all += len(t.columns[i].srEntries())
	}
	text := fmt.Sprintf("Under SR the line is level, as Theorem 5 says, in %s: from the last epoch before the first drop to the last epoch of all it changes by a factor of %.3g at most, where a factor of %d is called level.", ofRuns(level, sr), away, referee.FlipFactor)
	switch {
	case sr == 0:
		text = "No run of SR has enough flips to compare."
	case all > sr:
		text += fmt.Sprintf(" %d further runs of SR flip too few signs at the end to be judged.", all-sr)
		if all-sr == 1 {
			text = strings.Replace(text, "1 further runs of SR flip", "1 further run of SR flips", 1)
		}
	}
	if settles > 0 {
		text += fmt.Sprintf(" Under BC the flips become rarer while alpha stays as it is, in %s, by a factor of %.2g at least. After a drop BC's line rises where its flips fall less than alpha does.", ofRuns(settles, bc), least)
	}
	return text
}

// ofRuns says how many of the runs that can be judged.
func ofRuns(some, all int) string {
	switch {
	case all == 1 && some == 1:
		return "the one run that can be judged"
	case all == 2 && some == 2:
		return "both runs that can be judged"
	case some == all:
		return fmt.Sprintf("all %d runs that can be judged", all)
	}
	return fmt.Sprintf("%d of the %d runs that can be judged", some, all)
}
