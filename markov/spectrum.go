package markov

import (
	"context"
	"fmt"
	"math"
)

// visits is the matrix of expected visits of an irreducible chain before it
// reaches a reference state, from which everything spectral follows.
type visits struct {
	n  int
	pi []float64
	// accuracy bounds the relative error of every entry of time, and of pi.
	accuracy float64
	// time[x*n+y] is the expected time in y, started at x, before the chain of
	// rates (alpha = 1) reaches the state ref; row and column ref are zero.
	time []float64
	ref  int
}

// expectedVisits inverts -Q without the row and column of the likeliest state.
// That matrix is a diagonally dominant M-matrix given by its off-diagonal entries
// and its rates to ref, so elimination as in GTH adds non-negative numbers only
// and the inverse is entrywise accurate (A. Alfa, J. Xue, Q. Ye, Math. Comp. 71
// (2002) 217-236). The likeliest state keeps the entries as small as they can
// be, so that little cancels when they are centred.
func (c *Chain) expectedVisits(ctx context.Context) (visits, error) {
	n := c.n
	if n > denseLimit {
		return visits{}, fmt.Errorf("markov: the spectrum of %d states needs dense matrices; %d states is the limit", n, denseLimit)
	}
	if !c.Irreducible() {
		return visits{}, fmt.Errorf("%w or transient states: the spectrum is computed for irreducible chains", ErrReducible)
	}
	law, err := c.solve(ctx)
	if err != nil {
		return visits{}, err
	}
	pi := law.Law
	v := visits{n: n, pi: pi, accuracy: max(law.ErrorBound, errorBound(denseRoundings(n)+2*denseDepth(n)))}
	for x, p := range pi {
		if p > pi[v.ref] {
			v.ref = x
		}
	}
	// Exchange ref with state 0, the one that is never eliminated.
	q := c.denseRates()
	swap := func(i int) int {
		switch i {
		case 0:
			return v.ref
		case v.ref:
			return 0
		}
		return i
	}
	if v.ref != 0 {
		for y := range n {
			q[y], q[v.ref*n+y] = q[v.ref*n+y], q[y]
		}
		for x := range n {
			q[x*n], q[x*n+v.ref] = q[x*n+v.ref], q[x*n]
		}
	}
	if _, tiny, ok := gthScaled(q, n); !ok || tiny && !c.harmless(pi) {
		return visits{}, errRange
	}
	// After gth: q(i,k) above the diagonal is the factor with which i takes over
	// from k, q(k,j) below it are the rates of k when it is eliminated, q(k,k)
	// their sum.
	b := make([]float64, n*n)
	for x := 1; x < n; x++ {
		b[x*n+x] = 1
	}
	parallel(n, n > 64, func(lo, hi int) { // columns lo..hi of the right-hand sides
		for k := n - 1; k > 1; k-- {
			bk := b[k*n+max(lo, k) : k*n+max(hi, k)]
			for i := 1; i < k; i++ {
				f := q[i*n+k]
				if f == 0 {
					continue
				}
				bi := b[i*n+max(lo, k) : i*n+max(hi, k)][:len(bk)]
				for j, v := range bk {
					bi[j] += f * v
				}
			}
		}
		for k := 1; k < n; k++ {
			bk := b[k*n+lo : k*n+hi]
			for i := 1; i < k; i++ {
				f := q[k*n+i]
				if f == 0 {
					continue
				}
				bi := b[i*n+lo : i*n+hi][:len(bk)]
				for j, v := range bi {
					bk[j] += f * v
				}
			}
			s := q[k*n+k]
			for j := range bk {
				bk[j] /= s
			}
		}
	})
	if !finite(b) {
		return visits{}, errRange
	}
	v.time = q
	for x := range n {
		for y := range n {
			v.time[swap(x)*n+swap(y)] = b[x*n+y]
		}
	}
	return v, nil
}

// deviation returns H with H (-Q) = I - 1 pi, H 1 = 0, pi H = 0: the group inverse
// of -Q (C. Meyer, SIAM Review 17 (1975) 443-464), H = (I - 1 pi) N (I - 1 pi)
// for the visits N.
func (v visits) deviation() []float64 {
	n := v.n
	h := make([]float64, n*n)
	copy(h, v.time)
	for x := range n { // N (I - 1 pi): from each entry its row sum times pi
		row := h[x*n : (x+1)*n]
		sum := 0.0
		for _, t := range row {
			sum += t
		}
		for y := range row {
			row[y] -= sum * v.pi[y]
		}
	}
	mean := make([]float64, n)
	for x := range n {
		for y, t := range h[x*n : (x+1)*n] {
			mean[y] += v.pi[x] * t
		}
	}
	for x := range n {
		for y := range n {
			h[x*n+y] -= mean[y]
		}
	}
	return h
}

// gapOf returns 1 - |1 - alpha*mu| without subtracting from one.
func (c *Chain) gapOf(mu complex128) float64 {
	re, im := c.alpha*real(mu), c.alpha*imag(mu)
	return (2*re - re*re - im*im) / (1 + math.Hypot(1-re, im))
}

// Kemeny returns Kemeny's constant, in steps: the expected number of steps from
// any state to a state drawn from pi (counting zero if it is the start), which
// does not depend on the start (J. Kemeny, J. Snell, Finite Markov Chains, 1960,
// Theorem 4.4.10). It equals the sum of 1/(1-lambda) over the eigenvalues other than 1.
func (c *Chain) Kemeny() (float64, error) {
	if c.n == 1 {
		return 0, nil
	}
	v, err := c.expectedVisits(context.Background())
	if err != nil {
		return 0, err
	}
	return c.kemeny(v), nil
}

// kemeny is the trace of the group inverse, sum_y sum_x pi(x) (N(y,y) - N(x,y)):
// every term is non-negative because the own state is visited most.
func (c *Chain) kemeny(v visits) float64 {
	k := 0.0
	for x := range v.n {
		for y := range v.n {
			k += v.pi[x] * (v.time[y*v.n+y] - v.time[x*v.n+y])
		}
	}
	return k / c.alpha
}

// HittingTimes returns the expected number of steps to the set of target states
// from every state: zero inside, +Inf where the chain may never arrive. Every
// entry is accurate: elimination without subtraction as in GTH.
func (c *Chain) HittingTimes(target ...int) ([]float64, error) {
	n := c.n
	if n > denseLimit {
		return nil, fmt.Errorf("markov: hitting times of %d states need a dense matrix; %d states is the limit", n, denseLimit)
	}
	if len(target) == 0 {
		return nil, fmt.Errorf("markov: hitting times of no target state")
	}
	inside := make([]bool, n)
	for _, x := range target {
		if x < 0 || x >= n {
			return nil, fmt.Errorf("markov: target state %d; states are 0 to %d", x, n-1)
		}
		inside[x] = true
	}
	// never: states from which the target cannot be reached; lost: those from
	// which such a state can be reached outside the target.
	reaches := c.backwards(inside, nil)
	never := make([]bool, n)
	for x := range never {
		never[x] = !reaches[x]
	}
	lost := c.backwards(never, inside)
	h := make([]float64, n)
	var states []int
	for x := range n {
		switch {
		case lost[x]:
			h[x] = math.Inf(1)
		case !inside[x]:
			states = append(states, x)
		}
	}
	m := len(states) + 1
	index := make([]int, n) // the target is state 0 of the reduced chain
	for i, x := range states {
		index[x] = i + 1
	}
	q := make([]float64, m*m)
	for i, x := range states {
		cols, vals := c.row(x)
		for j, y := range cols {
			q[(i+1)*m+index[y]] += vals[j]
		}
	}
	if _, _, ok := gthScaled(q, m); !ok {
		return nil, errRange
	}
	b := make([]float64, m)
	for k := m - 1; k > 0; k-- {
		b[k]++
		for i := 1; i < k; i++ {
			b[i] += q[i*m+k] * b[k]
		}
	}
	for k := 1; k < m; k++ {
		for j := 1; j < k; j++ {
			b[k] += q[k*m+j] * b[j]
		}
		b[k] /= q[k*m+k]
		if math.IsNaN(b[k]) {
			return nil, errRange
		}
		h[states[k-1]] = b[k] / c.alpha
	}
	return h, nil
}

// backwards returns the states from which the set can be reached by moves out of
// states that are not blocked.
func (c *Chain) backwards(set, blocked []bool) []bool {
	into := make([]int32, c.n+1)
	for _, y := range c.col {
		into[y+1]++
	}
	for x := range c.n {
		into[x+1] += into[x]
	}
	from := make([]int32, len(c.col))
	next := append([]int32(nil), into[:c.n]...)
	for x := range c.n {
		cols, _ := c.row(x)
		for _, y := range cols {
			from[next[y]] = int32(x)
			next[y]++
		}
	}
	seen := make([]bool, c.n)
	var queue []int
	for x, in := range set {
		if in {
			seen[x] = true
			queue = append(queue, x)
		}
	}
	for len(queue) > 0 {
		y := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, x := range from[into[y]:into[y+1]] {
			if !seen[x] && (blocked == nil || !blocked[x]) {
				seen[x] = true
				queue = append(queue, int(x))
			}
		}
	}
	return seen
}
