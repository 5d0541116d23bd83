package convex

import (
	"fmt"
	"math"

	"tqn/bounds"
	"tqn/quantize"
)

// Affine is a run of SR on a maximum of affine functions without gradient noise,
//
//	F(y) = max_i <Slope[i], y> + Offset[i],  minimised at the origin,  w^1 = Start,  alpha_t = C/sqrt(t),
//
// on any convex W that holds the iterates and the origin: the paper's setting, in which W need not be a box. Where Side > 0, W is their convex hull or any set that is cut by |y_1| <= Side only,
// and a step is projected on that.
//
// SR on a fine grid is randomised, but on such an F it is exact what it does. Say the largest piece at w^t, without rounding, is larger than the others by m_t. With
// rounding the iterate is off by less than e_t = (t-1) sqrt(d) Delta, a rounding being shorter than sqrt(d) Delta and a projection moving no two points apart; a piece changes by at most M e_t there, M the length of the longest slope. So if
// m_t > 2 M e_t for every t, every outcome of the rounding takes the same pieces in the same order, and F(wbar_T) is within M e_T of F at the mean of the unrounded iterates.
//
// F is differentiable wherever a gradient is taken; rounding off its kinks within the margin makes it so everywhere and changes nothing else.
type Affine struct {
	Slope  [][]float64
	Offset []float64
	Start  []float64
	C      float64
	T      int
	Side   float64 // 0: no projection
}

// AffineRun is what is certified of a run.
type AffineRun struct {
	Lower, Upper float64 // E F(wbar_T) - F*
	G            float64 // the longest slope of a gradient that is taken
	Diameter     float64 // of the convex hull of the iterates and the origin, and of what rounding adds
	Delta        float64 // a grid on which the argument holds, a power of two
	Margin       float64 // the smallest m_t, t < T
}

// pieces sets dst to the values of all pieces at y.
func (a *Affine) pieces(dst, y []float64) {
	for i, s := range a.Slope {
		dst[i] = dot(s, y) + a.Offset[i]
	}
}

// largest returns the index of the largest value and how far it is above the second.
func largest(v []float64) (best int, margin float64) {
	second := math.Inf(-1)
	for i, x := range v {
		switch {
		case x > v[best]:
			best, second = i, v[best]
		case i != best && x > second:
			second = x
		}
	}
	return best, v[best] - second
}

// project moves y into W.
func (a *Affine) project(y []float64) {
	if a.Side > 0 {
		y[1] = min(max(y[1], -a.Side), a.Side)
	}
}

// Run follows the unrounded iterates and returns what the type's comment proves of SR. It is an error if no grid is fine enough for float64 to certify the
// order of the pieces.
func (a *Affine) Run() (AffineRun, error) {
	d, n := len(a.Start), len(a.Slope)
	r := AffineRun{Margin: math.Inf(1)}
	var longest float64 // M
	for _, s := range a.Slope {
		longest = max(longest, math.Sqrt(dot(s, s)))
	}
	w := append([]float64(nil), a.Start...)
	mean, values, away := make([]float64, d), make([]float64, n), make([]float64, d)
	points := [][]float64{make([]float64, d)}
	var far float64 // squared
	for t := range a.T {
		a.pieces(values, w)
		best, margin := largest(values)
		if t < a.T-1 {
			r.Margin = min(r.Margin, margin)
		}
		r.G = max(r.G, math.Sqrt(dot(a.Slope[best], a.Slope[best])))
		for _, p := range points {
			for k := range w {
				away[k] = w[k] - p[k]
			}
			far = max(far, dot(away, away))
		}
		points = append(points, append([]float64(nil), w...))
		alpha := a.C / math.Sqrt(float64(t+1))
		for k := range w {
			mean[k] += w[k] / float64(a.T)
			w[k] -= alpha * a.Slope[best][k]
		}
		a.project(w)
	}
	// Rounding errors of all of this: sums of d and of T terms of order D M.
	float := float64(d+a.T+n) * 8 * 0x1p-53 * max(1, longest) * max(1, math.Sqrt(far))
	size := float64(a.T) * math.Sqrt(float64(d)) // e_T/Delta, and more
	r.Delta = math.Exp2(math.Floor(math.Log2(r.Margin / (4 * longest * size))))
	if !(r.Margin > 2*longest*size*r.Delta+2*float) || r.Delta < 0x1p-1000 {
		return r, fmt.Errorf("convex: a piece is ahead of the next by %.3g only: float64 cannot certify the order of the pieces", r.Margin)
	}
	r.G += float
	r.Diameter = math.Sqrt(far+float) + 2*size*r.Delta
	a.pieces(values, mean)
	best, _ := largest(values)
	gap := values[best]
	a.pieces(values, make([]float64, d))
	best, _ = largest(values)
	gap -= values[best] // F(origin), not below F*
	// The start moves to a grid point, by less than sqrt(d) Delta.
	off := float + longest*(size+math.Sqrt(float64(d)))*r.Delta
	r.Lower, r.Upper = gap-off, gap+off
	return r, nil
}

// Parameters are the constants of the run for the bounds.
func (a *Affine) Parameters(r AffineRun) bounds.Parameters {
	p := bounds.Unknown()
	p.Dim, p.T = len(a.Start), a.T
	p.Delta, p.G, p.Diameter, p.C = r.Delta, r.G, r.Diameter, a.C
	return p
}

// SR runs SR itself on the grid of step delta, with the gradients of the largest pieces, and returns F(wbar_T) - F(origin) and the order of the pieces.
func (a *Affine) SR(delta float64, noise quantize.Noise, number uint32) (gap float64, order []int) {
	d := len(a.Start)
	grid := quantize.Grid{Delta: delta, Lo: -math.Floor(4/delta) * delta, Hi: math.Floor(4/delta) * delta}
	w, step, mean := make([]float64, d), make([]float64, d), make([]float64, d)
	for k, x := range a.Start {
		w[k] = grid.Nearest(x)
	}
	values := make([]float64, len(a.Slope))
	for t := 1; t <= a.T; t++ {
		a.pieces(values, w)
		best, _ := largest(values)
		order = append(order, best)
		for k := range w {
			mean[k] += w[k] / float64(a.T)
			step[k] = a.C / math.Sqrt(float64(t)) * a.Slope[best][k]
		}
		if a.Side > 0 { // the projection, before the rounding
			step[1] = min(max(step[1], w[1]-a.Side), w[1]+a.Side)
		}
		quantize.Update(quantize.SR, grid, w, step, noise.At(number, uint64(t)))
	}
	a.pieces(values, mean)
	best, _ := largest(values)
	gap = values[best]
	a.pieces(values, make([]float64, d))
	best, _ = largest(values)
	return gap - values[best], order
}
