package reports

import (
	"math"

	"gonum.org/v1/plot/vg/draw"
)

// ChainFigure draws the stationary law of a chain and, where it is known, the
// distance from it (equation (10)) after some numbers of steps.
func ChainFigure(law, steps, distances []float64) *Figure {
	f := NewFigure(2)
	p := f.Panel("Stationary law", "state", "probability")
	states := make([]float64, len(law))
	for x := range states {
		states[x] = float64(x)
	}
	if len(law) <= 100 {
		p.Points("", Palette[0], draw.CircleGlyph{}, states, law)
	} else {
		p.Line("", Palette[0], states, law)
	}
	p.Y.Min = 0
	var xs, ys []float64
	for i, d := range distances {
		if d > 0 && steps[i] > 0 {
			xs, ys = append(xs, math.Log10(steps[i])), append(ys, math.Log10(d))
		}
	}
	if len(xs) > 0 {
		q := f.Panel("Distance from it, worst start", "log10 of steps", "log10 of total variation")
		q.Line("", Palette[1], xs, ys)
		q.Points("", Palette[1], draw.CircleGlyph{}, xs, ys)
	}
	return f
}
