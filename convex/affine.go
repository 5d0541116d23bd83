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
// on any convex W that holds the iterates and the origin: the paper's setting, in which W need not be a box.
//
// SR on a fine grid is randomised, but on such an F it is exact what it does. Say the largest piece at w^t, without rounding, is larger than the others by m_t. With
// rounding the iterate is off by less than e_t = (t-1) sqrt(d) Delta, a rounding being shorter than sqrt(d) Delta; a piece changes by at most G e_t there. So if
// m_t > 2 G e_t for every t, every outcome of the rounding takes the same pieces in the same order. Then w^t is the unrounded one plus errors of mean zero, and Jensen's inequality gives
//
//	F(mean of the unrounded w^t) <= E F(wbar_T) <= F(mean of the unrounded w^t) + G e_T.
//
// F is differentiable wherever a gradient is taken; rounding off its kinks within the margin makes it so everywhere and changes nothing else.
type Affine struct {
	Slope  [][]float64
	Offset []float64
	Start  []float64
	C      float64
	T      int
}

// AffineRun is what is certified of a run.
type AffineRun struct {
	Lower, Upper float64 // E F(wbar_T) - F*
	G            float64 // the longest slope
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

// Run follows the unrounded iterates and returns what the type's comment proves of SR. It is an error if no grid is fine enough for float64 to certify the
// order of the pieces.
//
// Distances need no pass over all pairs and coordinates: |w^{t+1}-w^s|^2 - |w^t-w^s|^2 = alpha_t^2 |g|^2 - 2 alpha_t <g, w^t-w^s>, where <g, w^s> is known from the values of all pieces at w^s.
func (a *Affine) Run() (AffineRun, error) {
	d, n := len(a.Start), len(a.Slope)
	r := AffineRun{Margin: math.Inf(1)}
	norms := make([]float64, n)
	for i, s := range a.Slope {
		norms[i] = dot(s, s)
		r.G = max(r.G, math.Sqrt(norms[i]))
	}
	w := append([]float64(nil), a.Start...)
	mean := make([]float64, d)
	order, at := make([]int, a.T), make([][]float64, a.T)
	var far float64 // squared
	for t := range a.T {
		at[t] = make([]float64, n)
		a.pieces(at[t], w)
		best, margin := largest(at[t])
		order[t] = best
		if t < a.T-1 {
			r.Margin = min(r.Margin, margin)
		}
		far = max(far, dot(w, w))
		alpha := a.C / math.Sqrt(float64(t+1))
		for k := range w {
			mean[k] += w[k] / float64(a.T)
			w[k] -= alpha * a.Slope[best][k]
		}
	}
	for s := range a.T {
		var square float64
		for t := s; t < a.T-1; t++ {
			i, alpha := order[t], a.C/math.Sqrt(float64(t+1))
			square += alpha * (alpha*norms[i] - 2*(at[t][i]-at[s][i]))
			far = max(far, square)
		}
	}
	// Rounding errors of all of this: sums of d and of T terms of order D G.
	float := float64(d+a.T+n) * 8 * 0x1p-53 * max(1, r.G) * max(1, math.Sqrt(far))
	size := float64(a.T) * math.Sqrt(float64(d)) // e_T/Delta, and more
	r.Delta = math.Exp2(math.Floor(math.Log2(r.Margin / (4 * r.G * size))))
	if !(r.Margin > 2*r.G*size*r.Delta+2*float) || r.Delta < 0x1p-1000 {
		return r, fmt.Errorf("convex: a piece is ahead of the next by %.3g only: float64 cannot certify the order of the pieces", r.Margin)
	}
	r.G += float
	r.Diameter = math.Sqrt(far+float) + 2*size*r.Delta
	values := make([]float64, n)
	a.pieces(values, mean)
	best, _ := largest(values)
	gap := values[best]
	a.pieces(values, make([]float64, d))
	best, _ = largest(values)
	gap -= values[best] // F(origin), not below F*
	// The start moves to a grid point, by less than sqrt(d) Delta.
	r.Lower, r.Upper = gap-float-r.G*math.Sqrt(float64(d))*r.Delta, gap+float+r.G*size*r.Delta
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
		quantize.Update(quantize.SR, grid, w, step, noise.At(number, uint64(t)))
	}
	a.pieces(values, mean)
	best, _ := largest(values)
	gap = values[best]
	a.pieces(values, make([]float64, d))
	best, _ = largest(values)
	return gap - values[best], order
}
