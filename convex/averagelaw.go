package convex

import (
	"fmt"
	"math"
)

// AverageLaw returns E F(wbar_T) - F* of SR in one dimension, exactly, for any F.
//
// In one dimension with n grid points the sum of the iterates is
// T Lo + Delta k with k in 0..T(n-1), so the pair (w^t, sum) lives on at most
// n(T(n-1)+1) points and its law is followed step by step:
//
//	q_{t+1}(k + y, y) = sum_x q_t(k, x) P_alpha_t(x, y).
//
// The cost is about n^2 T^2 additions for small alpha. It is an error if d > 1 or
// if n T exceeds 4e5.
func AverageLaw(in Instance) (float64, error) {
	l, err := NewLaw(in, false)
	if err != nil {
		return 0, err
	}
	n, T := l.n, in.T
	if l.d != 1 || n*T > 400_000 {
		return 0, fmt.Errorf("convex: %s: the law of the average needs d = 1 and at most 4e5 = (grid points) x T; d = %d, %d points, T = %d", in.Problem.Name(), l.d, n, T)
	}
	start, _ := in.Grid.Index(in.Start[0])
	size := T*(n-1) + 1
	q, next := make([]float64, n*size), make([]float64, n*size)
	q[start*size+start] = 1 // q[x*size + k]
	row := make([]float64, n)
	unit := make([]float64, n)
	for t := 1; t < T; t++ {
		alpha := in.Schedule.Alpha(t)
		reach := t*(n-1) + 1 // sums that are possible so far
		clear(next)
		for x := range n {
			clear(unit)
			unit[x] = 1
			l.scatter(row, unit, alpha) // passes over zeros
			from := q[x*size:][:reach]
			for y, p := range row {
				if p == 0 {
					continue
				}
				to := next[y*size+y:][:reach]
				for k, v := range from {
					to[k] += p * v
				}
			}
		}
		q, next = next, q
	}
	lo, _ := in.Problem.Box()
	least := in.Problem.Value(in.Problem.Minimiser())
	var sum float64
	w := make([]float64, 1)
	for k := range size {
		var mass float64
		for x := range n {
			mass += q[x*size+k]
		}
		if mass > 0 {
			w[0] = lo + in.Grid.Delta*float64(k)/float64(T)
			sum += mass * math.Max(in.Problem.Value(w)-least, 0)
		}
	}
	return sum, nil
}
