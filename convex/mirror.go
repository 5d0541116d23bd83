package convex

import (
	"math"

	"tqn/quantize"
)

// noiseless is a problem with its full gradient for a sample: BC with Q_d on it is a single trajectory.
type noiseless struct{ Problem }

// Noiseless returns p without gradient noise. The constants of p hold for it too.
func Noiseless(p Problem) Problem { return noiseless{p} }

func (p noiseless) Name() string                         { return p.Problem.Name() + " (full gradient)" }
func (p noiseless) Terms() int                           { return 1 }
func (p noiseless) TermGradient(dst, w []float64, _ int) { p.Gradient(dst, w) }

// Mirror is one run of BC with Q_d on a quadratic without gradient noise, seen as mirror descent (proof at [tqn/bounds.Corollary1]): the real weights w_r go to the thresholds around w*, where
// Psi(w) = sum_i phi(w_i) - w*_i w_i, phi' = Q_d, is smallest, while the quantized ones, w_b, jump between the corners of the cell with a mean that goes to w*.
type Mirror struct {
	Gap       float64 // F(wbar_T) - F*, of w_r
	Last      float64 // |w_r^T - w*| in the maximum norm, in units of Delta
	Read      float64 // |sum_t alpha_t w_b^t/sum_t alpha_t - w*|
	Bound     float64 // |w_r^1 - w_r^T + alpha_T A (w* - w_b^T)|/(mu sum_t alpha_t), what it is at most away from the walls
	Psi, From float64 // Psi(w_r^T) and Psi(w_r^1), above its minimum
	Walls     bool    // an iterate was projected
}

// MirrorRun does the run. It panics if the problem has gradient noise.
func MirrorRun(in Instance) Mirror {
	p, g := in.Problem, in.Grid
	if p.Terms() != 1 {
		panic("convex: MirrorRun: the problem has gradient noise")
	}
	best, d := p.Minimiser(), p.Dim()
	// phi is piecewise linear with phi(0) = 0 at the grid point 0; its integral between two points is a sum over cells. Psi - min Psi is the integral of Q_d - w* from the threshold.
	psi := func(w []float64) float64 {
		var s float64
		for k, x := range w {
			lo, _ := p.Box()
			m := lo + (math.Floor((best[k]-lo)/g.Delta)+0.5)*g.Delta
			sign := 1.0
			if x < m {
				sign = -1
			}
			for at := m; (x-at)*sign > 0; {
				next := at + sign*g.Delta
				if (next-x)*sign > 0 {
					next = x
				}
				s += (next - at) * (g.Nearest(at+sign*g.Delta/2) - best[k])
				at = next
			}
		}
		return s
	}
	var out Mirror
	read, sum, step := make([]float64, d), make([]float64, d), make([]float64, d)
	var total float64
	c := p.Constants()
	r := NewRunner(in, quantize.BC)
	first := append([]float64(nil), in.Start...)
	lo, hi := p.Box()
	out.From = psi(first)
	o := r.Run(quantize.NewNoise(0), 0, func(t int, w, _ []float64) {
		alpha := in.Schedule.Alpha(t)
		total += alpha
		var move float64
		for k, x := range w {
			read[k] = g.Nearest(x)
		}
		p.Gradient(step, read)
		for k, x := range w {
			sum[k] += alpha * (read[k] - best[k])
			end := x - alpha*step[k]
			out.Walls = out.Walls || end < lo || end > hi
			move += (first[k] - end) * (first[k] - end)
			if t == in.T {
				out.Last = max(out.Last, math.Abs(x-best[k])/g.Delta)
			}
		}
		if t == in.T {
			out.Bound, out.Psi = math.Sqrt(move)/(c.Mu*total), psi(w)
		}
	})
	out.Gap, out.Read = o.Average, norm(sum)/total
	return out
}
