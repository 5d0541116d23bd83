package reports

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// ChainFigure draws the stationary law of a chain and, where it is known, the distance from it after some numbers of
// steps: the largest total variation distance over all starts, as in equation (10). The law has one probability a state;
// labels are the names of the states, nil if they have none.
func ChainFigure(labels []string, law, steps, distances []float64) *Figure {
	f := NewFigure(2)
	f.Title = fmt.Sprintf("A Markov chain with %d states", len(law))
	if len(law) == 1 {
		f.Title = "A Markov chain with one state"
	}
	black := color.Gray{20} // no colour of a training method: the chain is none
	p := f.Panel("stationary law", "state", "probability")
	states := make([]float64, len(law))
	for x := range states {
		states[x] = float64(x)
	}
	if len(law) <= 100 {
		p.Points("", black, draw.CircleGlyph{}, states, law)
	} else {
		p.Line("", black, states, law)
	}
	p.Y.Min = 0
	if len(labels) == len(law) && len(law) <= 12 {
		var named plot.ConstantTicks
		for x, label := range labels {
			named = append(named, plot.Tick{Value: float64(x), Label: label})
		}
		p.X.Tick.Marker = named
	} else if len(law) <= 100 {
		epochs(&p.X)
	}
	var xs, ys []float64
	for i, d := range distances {
		if d > 0 && steps[i] > 0 {
			xs, ys = append(xs, steps[i]), append(ys, d)
		}
	}
	if n := len(xs); n > 0 {
		f.Conclusion = fmt.Sprintf("From its worst start the chain is %.2g (total variation) away from its stationary law after %.4g steps.", ys[n-1], xs[n-1])
		q := f.Panel("distance from it, worst start (total variation)", "steps", "")
		Logarithmic(&q.X)
		Logarithmic(&q.Y)
		q.Series("", Style{black, nil, draw.CircleGlyph{}}, xs, ys)
	}
	return f
}
