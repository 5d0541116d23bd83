package convex

import (
	"context"
	"fmt"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/quantize"
)

// corollary1Nearest refutes Corollary 1, and with it Theorem 4, for Q_d: a parabola
// whose minimiser is no grid point. BC settles at the threshold between two grid
// points instead. x = (T, 100 w*, start).
var corollary1Nearest = Exhibit{
	Name: "corollary1-nearest", Witness: []int{30, 14, 1}, starts: 20,
	family: func() family {
		return family{
			low: []int{1, 1, 0}, high: []int{1000, 99, 1},
			ratio: func(x []int) float64 {
				in := threshold(x)
				v, err := bounds.Corollary1(bounds.Printed, bounds.Nearest, in.Parameters(in.T))
				if err != nil {
					panic(err)
				}
				return deterministicGap(in) / v.Total()
			},
			size: func(x []int) float64 { return float64(x[0]) },
		}
	},
	Check: func(_ context.Context, x []int) (Counterexample, error) {
		in := threshold(x)
		measured := deterministicGap(in)
		return Counterexample{
			Name: "corollary1-nearest", Claim: "corollary1", Form: bounds.Printed, Rounding: bounds.Nearest,
			Instance: fmt.Sprintf("F(w) = (w - %.2f)^2/2 on [0, 1], no gradient noise, Delta = 1, T = %d, start %d", float64(x[1])/100, x[0], x[2]),
			Left:     "F(wbar_T) - F*", Parameters: in.Parameters(in.T),
			Measured: evidence.Exact(measured, Roundoff(in, measured)),
			Coverage: "F = (w - w*)^2/2 on one cell: w* in hundredths, T <= 1000, both starts; 20 random starts, then smaller T",
		}.fill()
	},
}

func threshold(x []int) Instance {
	p := NewQuadratic(0, 1, []float64{1}, []float64{float64(x[1]) / 100}, 0)
	return build(p, 1, []float64{float64(x[2])}, Strong(1), x[0])
}

// deterministicGap is F(wbar_T) - F* of BC with Q_d without gradient noise.
func deterministicGap(in Instance) float64 {
	return NewRunner(in, quantize.BC).run(quantize.NewNoise(0), 0, nil, false).Average
}

// coarse is the family of Theorem 4 with Q_s: one cell W = [0, Delta], mu = 1,
// F' = z + (l2/2) max(0,z)^2, z = w - Delta/2, l2 = x[1]/(10 Delta). In units of Delta the
// problem does not depend on Delta, and the printed floor, Delta l2 Delta/2, is of the
// wrong order: Delta instead of Delta^2.
func coarse(x []int, delta float64) Instance {
	p := NewHalfCubic(0, delta, 1, float64(x[1])/(10*delta), []float64{delta / 2}, 0)
	return build(p, delta, nil, Strong(1), x[0])
}

// coarseMean is (1/T) sum E w^t of BC with Q_s on coarse(x, 1), on a lattice of 200
// cells with unbiased rounding to it. It only guides the search.
func coarseMean(in Instance) float64 {
	const n = 200
	g := make([]float64, 1)
	in.Problem.Gradient(g, []float64{0})
	g0 := g[0]
	in.Problem.Gradient(g, []float64{in.Grid.Delta})
	g1 := g[0]
	h := in.Grid.Delta / n
	p, q := make([]float64, n+1), make([]float64, n+1)
	p[0] = 1
	var sum float64
	for t := 1; ; t++ {
		for i, v := range p {
			sum += v * float64(i)
		}
		if t == in.T {
			return sum * h / float64(in.T)
		}
		clear(q)
		alpha := in.Schedule.Alpha(t)
		for i, v := range p {
			up := float64(i) / n // P(Q_s(w) = Delta)
			for side, mass := range [2]float64{v * (1 - up), v * up} {
				step := -alpha * g0 / h
				if side == 1 {
					step = -alpha * g1 / h
				}
				y := min(max(float64(i)+step, 0), n)
				k := min(int(y), n-1)
				q[k] += mass * (float64(k+1) - y)
				q[k+1] += mass * (y - float64(k))
			}
		}
		p, q = q, p
	}
}

// coarseDelta is the spacing of the grid: any large number will do.
const coarseDelta = 1000

func coarsePrinted(in Instance) float64 {
	v, err := bounds.Theorem4(bounds.Printed, bounds.Stochastic, in.Parameters(in.T))
	if err != nil {
		panic(err)
	}
	return v.Total()
}

// theorem4Coarse refutes Theorem 4 for Q_s on a coarse grid. The search is by the
// mean; the verdict is by sampling. x = (T, 10 l2 Delta).
var theorem4Coarse = Exhibit{
	Name: "theorem4-coarse", Witness: []int{255, 56}, starts: 6,
	family: func() family {
		return family{
			low: []int{1, 1}, high: []int{2000, 400},
			ratio: func(x []int) float64 { // Jensen: E F(wbar) >= F(E wbar)
				in := coarse(x, coarseDelta)
				return Gap(in.Problem, []float64{coarseMean(in)}) / coarsePrinted(in)
			},
			size: func(x []int) float64 { return float64(x[0]) },
		}
	},
	Check: func(ctx context.Context, x []int) (Counterexample, error) {
		in := coarse(x, coarseDelta)
		p := in.Parameters(in.T)
		measured, err := MonteCarlo(ctx, in, quantize.BCStochastic, quantize.NewNoise(1706), 0, []float64{coarsePrinted(in)},
			Sampling{Alpha: 1e-8, Max: 1 << 15})
		if err != nil {
			return Counterexample{}, err
		}
		return Counterexample{
			Name: "theorem4-coarse", Claim: "theorem4", Form: bounds.Printed, Rounding: bounds.Stochastic,
			Instance: fmt.Sprintf("F'(w) = z + (l2/2) max(0,z)^2, z = w - %d, l2 = %.4g, on [0, %d], no gradient noise, Delta = %d, T = %d, start 0",
				coarseDelta/2, p.L2, coarseDelta, coarseDelta, x[0]),
			Left: "E F(wbar_T) - F*", Parameters: p, Measured: measured,
			Coverage: "mu = 1, one cell of width 1000, l2 Delta in tenths up to 40, T <= 2000; 6 random starts, then smaller T",
		}.fill()
	},
}
