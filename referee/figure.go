package referee

import (
	"slices"

	"tqn/bounds"
)

// Figure is the series of a picture, without colours.
type Figure struct {
	Title      string
	Conclusion string // what the picture shows, in a sentence with the numbers that show it
	Caption    string // what the panels show, where the result's caption does not say it
	Columns    int    // panels in a row; 0 is one
	Panels     []*Panel
}

// Panel is one pair of axes. A value of 0 has no place on a logarithmic one.
type Panel struct {
	Title, X, Y string // X and Y say what the axes are
	LogX, LogY  bool
	Range       [2]float64 // of the Y axis; zero: that of the data
	Series      []Series
}

// Series are points (X[i], Y[i]).
type Series struct {
	Name   string
	Role   Role
	Points bool // marks instead of a line
	X, Y   []float64
}

// Bound reports whether the series is a bound and not something measured.
func (s Series) Bound() bool {
	return slices.Contains([]Role{PrintedBound, AppendixBound, DerivedBound, DerivedNearest, SharpBound, MovingBound}, s.Role)
}

// Role says what a series shows; it decides how the series looks.
type Role string

const (
	SR             Role = "SR"               // of stochastic rounding, what the theorem bounds
	SRMean         Role = "SR, mean of gaps" // of stochastic rounding, the mean over the iterates
	SGD            Role = "plain SGD"        // without quantization
	SGDMean        Role = "plain SGD, mean of gaps"
	BCStochastic   Role = "BC with Q_s"        // of BinaryConnect's real weights
	BCNearest      Role = "BC with Q_d"        //
	ReadStochastic Role = "w_b of BC with Q_s" // of BinaryConnect's quantized weights
	ReadNearest    Role = "w_b of BC with Q_d" //
	PrintedBound   Role = "printed bound"
	AppendixBound  Role = "appendix's bound"
	DerivedBound   Role = "derived bound"
	DerivedNearest Role = "derived bound for Q_d"
	SharpBound     Role = "sharp bound"
	MovingBound    Role = "moving bound"
	WorstRole      Role = "worst case" // the largest value over a whole class of functions
	LimitValue     Role = "limit"      // what something tends to
)

// boundRole is the role of a bound's line.
func boundRole(f bounds.Form, r bounds.Rounding) Role {
	switch {
	case f == bounds.Printed:
		return PrintedBound
	case f == bounds.Appendix:
		return AppendixBound
	case f == bounds.Derived && r == bounds.Nearest:
		return DerivedNearest
	case f == bounds.Derived:
		return DerivedBound
	case f == bounds.Moving:
		return MovingBound
	}
	return SharpBound
}

// panel adds a panel with two logarithmic axes.
func (f *Figure) panel(title, x, y string) *Panel {
	p := &Panel{Title: title, X: x, Y: y, LogX: true, LogY: true}
	f.Panels = append(f.Panels, p)
	return p
}

func (p *Panel) line(name string, role Role, xs, ys []float64) {
	p.Series = append(p.Series, Series{Name: name, Role: role, X: xs, Y: ys})
}

func (p *Panel) points(name string, role Role, xs, ys []float64) {
	p.Series = append(p.Series, Series{Name: name, Role: role, Points: true, X: xs, Y: ys})
}

// bounds adds the forms of a claim along xs, as far as they exist. part is the whole of
// a bound or its floor.
func (p *Panel) bounds(claim string, r bounds.Rounding, suffix string, forms []bounds.Form, xs []float64, at func(x float64) bounds.Parameters, part func(bounds.Value) float64) {
	c := statement(claim)
	for _, f := range forms {
		if !slices.Contains(c.Forms, f) {
			continue
		}
		ys := make([]float64, 0, len(xs))
		for _, x := range xs {
			v, err := c.Bound(f, r, at(x))
			if err != nil {
				break
			}
			ys = append(ys, part(v))
		}
		if len(ys) == len(xs) {
			p.line(string(f)+" bound"+suffix, boundRole(f, r), xs, ys)
		}
	}
}

func floor(v bounds.Value) float64 { return v.Floor }

var allForms = []bounds.Form{bounds.Printed, bounds.Appendix, bounds.Derived, bounds.Sharp}

func floats(xs []int) []float64 {
	ys := make([]float64, len(xs))
	for i, x := range xs {
		ys[i] = float64(x)
	}
	return ys
}
