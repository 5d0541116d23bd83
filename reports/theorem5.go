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
	for i := range t.columns {
		c := &t.columns[i]
		for _, e := range c.batchEntries() {
			if line := t.sayFlips(c, e); line != "" {
				p("- %s", line)
			}
		}
	}
	p("")
	p("Dotted vertical lines mark the drops of the learning rate; the dotted level is %.3g, where SR would be under Adam if gradients were nothing but noise, independent from step to step. A cross is the flips that Adam's state in the last checkpoint predicts for the last step. How a flip is counted is said under \"Do Sections 5 and 6 agree?\" below.", referee.NoiseFlips())
	p("")
}

// sayFlips says what one line of the picture does; "" where too few flips are counted.
func (t *Table1) sayFlips(c *table1Column, e *table1Entry) string {
	early, late := e.flipRates()
	if math.IsNaN(early) || math.IsNaN(late) {
		return ""
	}
	config := e.runs[0].Config
	name := fmt.Sprintf("%s, %s with batch %d", c.ID, ruleName(config), config.Batch)
	first, last := config.Alpha(config.Drops[0]), config.Alpha(config.Epochs)
	text := fmt.Sprintf("%s: %.3g flips a step over alpha in the last epoch before the first drop, %.3g in the last epoch of all, at %.3g times the learning rate", name, early, late, last/first)
	if ruleName(config) != "SR-ADAM" {
		if _, scaled := e.flips(); len(scaled) > 0 && scaled[0] > 0 {
			text += fmt.Sprintf("; %.3g in the first epoch", scaled[0])
			if ratio := scaled[0] / early; ratio > referee.FlipFactor {
				text += fmt.Sprintf(". It settles: before any drop its flips have become %.2g times rarer", ratio)
				if late > early {
					text += "; after the drops they fall less than alpha does"
				}
				return text + "."
			}
		}
		return text + "."
	}
	switch _, flip, err := t.predicted(e); {
	case err != nil:
		text += "; no prediction, for want of its checkpoint"
	default:
		text += fmt.Sprintf("; predicted %.3g", flip)
	}
	if within(late / early) {
		return text + ". Level, as Theorem 5 says."
	}
	return text + fmt.Sprintf(". **Not level** within a factor of %d.", referee.FlipFactor)
}
