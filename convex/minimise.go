package convex

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// smooth is what the box-constrained Newton method needs.
type smooth interface {
	value(w []float64) float64
	gradient(dst, w []float64)
	hessian(dst *mat.SymDense, w []float64)
}

// minimise returns the minimiser of a strongly convex f over [lo, hi]^d by
// Newton's method on the free coordinates with a projected line search
// (Bertsekas, "Projected Newton methods", SIAM J. Control Optim. 20, 1982).
// It stops when the projected gradient P(w - grad) - w is below 1e-14 relative to
// the scale of the gradients or no longer improves, and reports an error if what
// it has by then does not certify a gap below tol: for a mu-strongly convex f,
// the gap is at most |projected gradient|^2/(2 mu) when restricted to the free
// coordinates of an active set with the right signs.
func minimise(f smooth, d int, lo, hi, mu, tol float64) ([]float64, error) {
	w, g, trial := make([]float64, d), make([]float64, d), make([]float64, d)
	for k := range w {
		w[k] = min(max(0, lo), hi)
	}
	h := mat.NewSymDense(d, nil)
	residual := func() float64 {
		var s float64
		for k := range w {
			r := g[k]
			if (w[k] <= lo && r > 0) || (w[k] >= hi && r < 0) {
				r = 0
			}
			s += r * r
		}
		return math.Sqrt(s)
	}
	best := math.Inf(1)
	for range 200 {
		f.gradient(g, w)
		res := residual()
		if res == 0 || (res >= best && res*res/(2*mu) < tol/100) {
			break
		}
		best = min(best, res)
		var free []int
		for k := range w {
			if !((w[k] <= lo && g[k] > 0) || (w[k] >= hi && g[k] < 0)) {
				free = append(free, k)
			}
		}
		f.hessian(h, w)
		sub, rhs := mat.NewSymDense(len(free), nil), mat.NewVecDense(len(free), nil)
		for a, k := range free {
			rhs.SetVec(a, g[k])
			for b, l := range free[:a+1] {
				sub.SetSym(a, b, h.At(k, l))
			}
		}
		var chol mat.Cholesky
		step := mat.NewVecDense(len(free), nil)
		if !chol.Factorize(sub) || chol.SolveVecTo(step, rhs) != nil {
			return nil, fmt.Errorf("convex: the Hessian is not positive definite at %v: the minimiser is not unique", w)
		}
		start := f.value(w)
		for size := 1.0; ; size /= 2 {
			copy(trial, w)
			for a, k := range free {
				trial[k] = min(max(w[k]-size*step.AtVec(a), lo), hi)
			}
			// Near the optimum values no longer resolve the decrease; a full step is
			// then right, since Newton's method converges quadratically.
			if v := f.value(trial); v < start || size < 1e-12 || (size == 1 && v <= start+1e-15*math.Abs(start)) {
				break
			}
		}
		copy(w, trial)
	}
	f.gradient(g, w)
	if res := residual(); res*res/(2*mu) > tol {
		return nil, fmt.Errorf("convex: the minimiser was not found: projected gradient %g leaves a gap of up to %g", res, res*res/(2*mu))
	}
	return w, nil
}

// spectrum returns certified bounds on the extreme eigenvalues of a symmetric
// matrix: gonum's values moved outwards by 1e-13 of the largest, which is above
// the backward error of the QR algorithm for the small d used here.
func spectrum(h *mat.SymDense) (smallest, largest float64) {
	var e mat.EigenSym
	if !e.Factorize(h, false) {
		panic("convex: the symmetric QR algorithm did not converge")
	}
	v := e.Values(nil)
	largest = v[len(v)-1]
	slack := 1e-13 * math.Abs(largest)
	return v[0] - slack, largest + slack
}

// overVertices returns the maximum of a convex function over the vertices of
// [lo, hi]^d, which is its maximum over the box. It costs 2^d evaluations.
func overVertices(d int, lo, hi float64, f func(w []float64) float64) float64 {
	best := math.Inf(-1)
	w := make([]float64, d)
	for v := range 1 << d {
		for k := range w {
			w[k] = lo
			if v>>k&1 == 1 {
				w[k] = hi
			}
		}
		best = max(best, f(w))
	}
	return best
}

// maxVertices is the largest d for which vertices are enumerated; above it the
// constants come from the triangle inequality, which is looser.
const maxVertices = 12
