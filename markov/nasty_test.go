package markov

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// nasty is a random chain with up to most states that has what breaks solvers: rates from
// 1e-300 to 1, blocks whose coupling is as weak, transient and absorbing states, classes
// that are cycles, in any order.
func nasty(r *rand.Rand, most int) *Chain {
	n := 2 + r.IntN(most-1)
	decades := []float64{0, 3, 20, 100, 300}[r.IntN(5)]
	coupling := []float64{1, 16, 100, 300}[r.IntN(4)]
	blocks := 1 + r.IntN(min(n, 6))
	block := make([]int, n) // of each state
	for x := range block {
		block[x] = r.IntN(blocks)
	}
	density := r.Float64() * r.Float64()
	p := r.Perm(n)
	var rates []Rate
	for x := range n {
		kind := r.IntN(60)
		if kind == 0 { // absorbing
			continue
		}
		for y := range n {
			if x == y || kind == 1 && y < x { // nothing leads back: what comes before may be transient
				continue
			}
			if y == (x+1)%n && kind != 2 || r.Float64() < density {
				d := decades
				if block[x] != block[y] {
					d = coupling
				}
				rates = append(rates, Rate{p[x], p[y], math.Pow(10, -d*r.Float64())})
			}
		}
	}
	c := must(FromRates(n, rates, 1e-3/float64(n)))
	return c
}

// bigLaw is GTH with 400 bits and any exponent: right to 1e-100.
func bigLaw(c *Chain) []*big.Float {
	n := c.n
	float := func() *big.Float { return new(big.Float).SetPrec(400) }
	q := make([]*big.Float, n*n)
	for i := range q {
		q[i] = float()
	}
	for x := range n {
		c.Moves(x, func(y int, r float64) { q[x*n+y].SetFloat64(r) })
	}
	t := float()
	for k := n - 1; k > 0; k-- {
		sum := float()
		for j := range k {
			sum.Add(sum, q[k*n+j])
		}
		for i := range k {
			f := q[i*n+k]
			if f.Sign() == 0 {
				continue
			}
			f.Quo(f, sum)
			for j := range k {
				if i != j && q[k*n+j].Sign() != 0 {
					q[i*n+j].Add(q[i*n+j], t.Mul(f, q[k*n+j]))
				}
			}
		}
	}
	law, total := make([]*big.Float, n), float()
	for k := range n {
		law[k] = float()
		if k == 0 {
			law[k].SetInt64(1)
		}
		for i := range k {
			law[k].Add(law[k], t.Mul(law[i], q[i*n+k]))
		}
		total.Add(total, law[k])
	}
	for _, v := range law {
		v.Quo(v, total)
	}
	return law
}

// worstCovered is the largest relative error of the entries that a law covers.
func worstCovered(law CertifiedLaw, want []*big.Float) float64 {
	worst := 0.0
	for x, p := range law.Law {
		if w, _ := want[x].Float64(); w < law.Covers && p < 2*law.Covers {
			continue
		}
		d := new(big.Float).SetPrec(400).SetFloat64(p)
		d.Quo(d.Sub(d, want[x]), want[x])
		e, _ := d.Float64()
		worst = max(worst, math.Abs(e))
	}
	return worst
}

// The laws of chains that are made to break solvers are right to their bounds, by the solver
// that is chosen and by iteration, or refused.
func TestNastyChains(t *testing.T) {
	count, most := 600, 60
	if testing.Short() {
		count, most = 150, 25
	}
	r := rand.New(rand.NewPCG(15, 5))
	solved, iterated := 0, 0
	for k := range count {
		c := nasty(r, most)
		for _, class := range c.Classes() {
			if !class.Closed || len(class.States) == 1 {
				continue
			}
			d := c.sub(class.States)
			want := bigLaw(d)
			law, err := d.solve(context.Background())
			if err != nil {
				t.Errorf("chain %d: %d states: %v", k, d.n, err)
				continue
			}
			solved++
			if e := worstCovered(law, want); e > law.ErrorBound || law.ErrorBound > CertifiedError {
				t.Errorf("chain %d: %d states, %s: error %.3g, bound %.3g", k, d.n, law.Method, e, law.ErrorBound)
			}
			law, err = d.iterative(context.Background(), CertifiedLaw{})
			if errors.Is(err, ErrUncertified) {
				continue
			}
			iterated++
			if e := worstCovered(law, want); err != nil || e > law.ErrorBound || law.ErrorBound > CertifiedError {
				t.Errorf("chain %d: %d states, iteration: error %.3g, bound %.3g, %v", k, d.n, e, law.ErrorBound, err)
			}
		}
	}
	t.Logf("%d laws, of which iteration has a certificate for %d", solved, iterated)
}

// Gaps of chains with defective and nearly defective eigenvalues: where eigenvectors give an
// enclosure it holds the gap of the exact characteristic polynomial.
func TestNastyGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 5))
	count := 200
	if testing.Short() {
		count = 60
	}
	enclosed, refused := 0, 0
	for k := range count {
		n := 3 + r.IntN(10)
		lazy, off := 0.1+0.5*r.Float64(), math.Pow(10, -18*r.Float64())
		p := r.Perm(n)
		rates := map[[2]int]float64{}
		for x := range n { // a streak, a little off, and now and then a coupling
			rates[[2]int{p[x], p[0]}] += (1 - lazy) / 2
			rates[[2]int{p[x], p[min(x+1, n-1)]}] += (1 - lazy) / 2 * (1 - off*r.Float64())
			rates[[2]int{p[x], p[r.IntN(n)]}] += off * r.Float64() * float64(k%2)
		}
		var list []Rate
		for e, v := range rates {
			if e[0] != e[1] {
				list = append(list, Rate{e[0], e[1], v})
			}
		}
		c := must(FromRates(n, list, 1e-3))
		c = must(c.WithAlpha(min(1, c.MaxAlpha()*0.9)))
		if !c.Irreducible() || !c.Aperiodic() {
			continue
		}
		exact, ok := c.exactGap()
		if !ok {
			t.Fatalf("chain %d: no exact gap", k)
		}
		v, err := c.expectedVisits(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		g, err := c.eigenvectorGap(context.Background(), v)
		if err != nil {
			refused++
			continue
		}
		enclosed++
		if math.Abs(g.Value-exact.Value) > g.Error+exact.Error {
			t.Errorf("chain %d of %d states: %.17g +- %.2g, exactly %.17g", k, n, g.Value, g.Error, exact.Value)
		}
	}
	t.Logf("%d enclosed, %d refused", enclosed, refused)
	if enclosed == 0 || refused == 0 {
		t.Error("want some of both")
	}
}
