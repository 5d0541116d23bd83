package reports

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg/draw"

	"tqn/toy"
)

// Own writes own.md, the report on a user's one-dimensional problem, and its pictures to dir.
func Own(dir string, r toy.OwnResult, m Manifest, formats ...string) error {
	for name, f := range map[string]*Figure{"laws.png": ownLaws(r), "contrast.png": contrastFigure(r.Rows, "probability of the best basin")} {
		if err := f.Save(filepath.Join(dir, name), formats...); err != nil {
			return err
		}
	}
	return writePage(dir, "own.md", ownMarkdown(r, m))
}

// ownLaws draws the objective with its basin, and the laws of both methods at the smallest learning rate.
func ownLaws(r toy.OwnResult) *Figure {
	f := NewFigure(2)
	f.KeysBelow = true
	last := r.Laws[0]
	for _, l := range r.Laws {
		if l.Alpha < last.Alpha {
			last = l
		}
	}
	f.Title = "f(w) = " + r.Objective
	minima := "has one local minimum"
	if r.Minima > 1 {
		minima = fmt.Sprintf("has %d local minima", r.Minima)
	}
	f.Conclusion = fmt.Sprintf("The objective %s on the grid. At α = %g the law of SR has entropy %.3f nats, that of BC %.3f.", minima, last.Alpha, toy.Entropy(last.SR), toy.Entropy(last.BC))
	p := f.Panel("objective on the grid", "w", "f(w)")
	p.Line("", methodStyles["adam"].Colour, r.Points, r.Values)
	var in, out [2][]float64
	for i, w := range r.Points {
		side := &out
		if r.Basin[i] {
			side = &in
		}
		side[0], side[1] = append(side[0], w), append(side[1], r.Values[i])
	}
	p.Points("best basin", Palette[6], draw.CircleGlyph{}, in[0], in[1])
	p.Points("elsewhere", Palette[7], draw.CrossGlyph{}, out[0], out[1])
	p = f.Panel(fmt.Sprintf("stationary laws, α = %g", last.Alpha), "quantized weight w", "probability")
	p.Series("SR (exact)", srStyle, r.Points, last.SR)
	p.Series("BC (Ulam's method)", bcStyle, r.Points, last.BC)
	p.Y.Min = 0
	return f
}

func ownMarkdown(r toy.OwnResult, m Manifest) string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	first, last := r.Rows[0], r.Rows[0]
	for _, row := range r.Rows {
		if row.Alpha > first.Alpha {
			first = row
		}
		if row.Alpha < last.Alpha {
			last = row
		}
	}
	w("# Stochastic rounding and BinaryConnect on your own objective\n")
	if greedier(last) {
		w("On this objective BinaryConnect (BC) becomes *greedy* as the learning rate falls, and stochastic rounding (SR) does not.")
	} else {
		w("At these learning rates BinaryConnect (BC) is not clearly *greedier* on this objective than stochastic rounding (SR).")
	}
	if first.Alpha == last.Alpha {
		w("At α = %g the mean excess over the best grid point is %.4g with BC and %.4g with SR.", last.Alpha, last.BCExcess, last.SRExcess)
	} else {
		w("From α = %g to %g the mean excess over the best grid point goes from %.4g to %.4g with BC, and from %.4g to %.4g with SR.",
			first.Alpha, last.Alpha, first.BCExcess, last.BCExcess, first.SRExcess, last.SRExcess)
	}
	w("As α → 0 SR's law tends to a limit, π̃ of Theorem 5, with entropy %.3f.\n", r.Entropy)
	if math.Abs(last.SREntropy-r.Entropy) > entropyMargin {
		w("At α = %g SR's law, with entropy %.3f, has not come near its limit: the paper's comparison is one of smaller learning rates.\n", last.Alpha, last.SREntropy)
	}
	w("BC is called greedy here where its entropy is lower than SR's by more than %g nats and its excess less than half of SR's.\n", entropyMargin)
	w("f(w) = `%s` on the grid of step %g in [%g, %g]; the stochastic gradient is f'(w) plus noise %s (law and standard deviation). SR's", r.Objective, r.Delta, r.Box[0], r.Box[1], r.Noise)
	w("laws are exact; BC's come from Ulam's method, with the error in the last column.\n")
	w("![The objective and the stationary laws](laws.png)\n")
	w("![Entropy, best basin and excess against the learning rate](contrast.png)\n")
	w("%s", contrastTable(r.Rows, "best basin").Markdown())
	w("%s", contrastNote)
	if r.Note != "" {
		w("%s\n", r.Note)
	}
	w("The best basin holds the grid points from which steps to the lower neighbour end at the smallest value.\n")
	w("## Manifest\n")
	w("%s", m.Markdown())
	return b.String()
}
