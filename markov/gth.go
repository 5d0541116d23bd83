package markov

import (
	"errors"
	"math"
)

// gthBlock is the width of a block of eliminated states: narrow enough for the
// panel work, of order n^2*gthBlock, to be small beside the product, wide enough
// for the product to run at the speed of gemm (BenchmarkGTH measures it).
const gthBlock = 64

// gth returns the stationary law of an irreducible chain from its off-diagonal
// rates q, row-major n by n, which it overwrites. It is the algorithm of W.
// Grassmann, M. Taksar and D. Heyman (Oper. Res. 33 (1985) 1107-1116): Gaussian
// elimination from the last state on, in which the pivot of state k is not the
// diagonal entry but the sum of what is left of its row, so that only
// non-negative numbers are added, multiplied and divided.
//
// Blocked as in LU: within a block of states the rows and the columns are
// brought up to date, and the rest of the matrix by one product.
//
// ok is false if a state has no way to a smaller one, or if rates are so far apart
// that their products or quotients leave the range of float64 (errRange).
func gth(q []float64, n int) (pi []float64, ok bool) {
	pi, tiny, ok := gthScaled(q, n)
	return pi, ok && !tiny
}

// gthScaled is gth for rates that are scaled so that exits are near one: tiny
// reports that products may have underflowed (see joined).
func gthScaled(q []float64, n int) (pi []float64, tiny, ok bool) {
	smallest := smallestPositive(q)
	for end := n; end > 1; {
		begin := max(1, end-gthBlock)
		// Rows of the block, over all columns below their own state, in the
		// order of elimination. After this row k is final.
		for k := end - 1; k >= begin; k-- {
			rowK := q[k*n : k*n+k]
			sum := positiveSum(rowK)
			if !(sum > 0) {
				return nil, false, false
			}
			// Rows of the block above k take over their way through k.
			for i := begin; i < k; i++ {
				f := q[i*n+k] / sum
				q[i*n+k] = f
				if f == 0 {
					continue
				}
				rowI := q[i*n : i*n+k][:len(rowK)]
				for j, v := range rowK {
					rowI[j] += f * v
				}
			}
			q[k*n+k] = sum
		}
		// Columns of the block for the states before it: column k takes over
		// the ways through the larger states of the block, then is divided.
		parallel(begin, begin*(end-begin)*(end-begin) > 1<<18, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row := q[i*n+begin : i*n+end]
				for k := len(row) - 1; k >= 0; k-- {
					f := row[k] / q[(begin+k)*n+begin+k]
					row[k] = f
					if f == 0 {
						continue
					}
					rowK := q[(begin+k)*n+begin : (begin+k)*n+begin+k]
					for j, v := range rowK {
						row[j] += f * v
					}
				}
			}
		})
		gemm(begin, begin, end-begin, panel{q[begin:], n}, panel{q[begin*n:], n}, panel{q, n})
		for i := range begin { // a way back to where it started is no move
			q[i*n+i] = 0
		}
		end = begin
	}
	f, rate, exit := math.Inf(1), math.Inf(1), 1.0
	for k := range n {
		f = min(f, smallestPositive(q[k*n+k+1:k*n+n]))
		rate = min(rate, smallestPositive(q[k*n:k*n+k]))
		exit = max(exit, q[k*n+k])
	}
	tiny = underflows(smallest, f, rate, exit)
	pi, ok = gthBack(n, denseFactors(q, n))
	return pi, tiny, ok
}

// smallestPositive returns the least positive entry, +Inf if there is none.
func smallestPositive(x []float64) float64 {
	m := math.Inf(1)
	for _, v := range x {
		if v > 0 && v < m {
			m = v
		}
	}
	return m
}

// underflows reports whether an elimination may have lost digits to an underflow:
// every product is one of a factor and a rate as they are found in the end, and
// every factor a rate, given or such a product, divided by an exit.
func underflows(given, factor, rate, exit float64) bool {
	const normal = 0x1p-1021
	product := factor * rate
	return factor < normal || product < normal || min(given, product)/exit < normal
}

// denseFactors gives gthBack the factors that gth left above the diagonal.
func denseFactors(q []float64, n int) func(k int) []float64 {
	return func(k int) []float64 { return q[k*n+k+1 : k*n+n] }
}

// gthBack returns the law x with x[k] = sum_{i<k} x[i]*row(i)[k-i-1], the back
// substitution of GTH, normalised. Laws whose entries span more than the range
// of float64 are computed with an exponent beside each entry, so that a well of
// the law behind a barrier of 1e-400 keeps its weight; entries below 5e-324
// come out as zero. ok is false if a coefficient had overflowed.
func gthBack(n int, row func(k int) []float64) (pi []float64, ok bool) {
	x := make([]float64, n)
	x[0] = 1
	lo, hi := 1.0, 1.0
	for k := range n {
		v := x[k]
		lo, hi = min(lo, v), max(hi, v)
		if !(lo > 1e-280) || !(hi < 1e280) {
			law, ok := gthBackWide(n, row)
			if !ok {
				return nil, false
			}
			pi := fromWide(law)
			return pi, finite(pi)
		}
		r := row(k)
		tail := x[k+1:][:len(r)]
		for j, f := range r {
			tail[j] += v * f
		}
	}
	normalise(x)
	return x, finite(x)
}

// gthBackWide is gthBack, not normalised, for laws that leave the range of float64.
func gthBackWide(n int, row func(k int) []float64) (law []wide, ok bool) {
	law = make([]wide, n)
	law[0] = toWide(1)
	for k := range n {
		for j, f := range row(k) {
			if math.IsInf(f, 0) || math.IsNaN(f) {
				return nil, false
			}
			if f != 0 {
				law[k+1+j] = law[k+1+j].add(law[k].mul(toWide(f)))
			}
		}
	}
	return law, true
}

// finite reports whether no entry is NaN or infinite.
func finite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// errRange is the answer to chains that need numbers beyond float64.
var errRange = errors.New("markov: the rates are too far apart: the way between two states is less likely than the smallest float64")

// normalise divides x by its sum.
func normalise(x []float64) {
	sum := positiveSum(x)
	for i := range x {
		x[i] /= sum
	}
}
