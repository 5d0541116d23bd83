package markov

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// streak goes on with probability 1/2 - lazy/2 each and back to 0 with as much,
// and stays with probability lazy: its characteristic polynomial is
// (x-1)(x-lazy)^(n-1).
func streak(n int, lazy float64) *Chain {
	p := make([][]float64, n)
	for x := range p {
		p[x] = make([]float64, n)
		p[x][x] += lazy
		p[x][0] += (1 - lazy) / 2
		p[x][min(x+1, n-1)] += (1 - lazy) / 2
	}
	return must(FromMatrix(p))
}

func renumbered(c *Chain, seed uint64) *Chain {
	p := rand.New(rand.NewPCG(seed, 9)).Perm(c.n)
	var rates []Rate
	for x := range c.n {
		c.Moves(x, func(y int, r float64) { rates = append(rates, Rate{p[x], p[y], r}) })
	}
	return must(FromRates(c.n, rates, c.alpha))
}

// Defective eigenvalues: the gap is exact, and the same however the states are
// numbered. Planted defect: an eigenvalue solver misses it by some percent.
func TestGapOfDefectiveChains(t *testing.T) {
	for _, k := range []struct {
		n          int
		lazy, want float64
	}{{4, 0.5, 0.5}, {20, 0.5, 0.5}, {40, 0, 1}, {30, 0.25, 0.75}, {60, 0.5, 0.5}, {100, 0.875, 0.125}} {
		c := streak(k.n, k.lazy)
		g, err := c.SpectralGap(context.Background())
		if err != nil || math.Abs(g.Value-k.want) > g.Error || g.Error > 1e-15 {
			t.Errorf("streak of %d, lazy %g: %+v, %v, want %g", k.n, k.lazy, g, err, k.want)
		}
		if r := must(renumbered(c, 4).Gap()); r != g.Value {
			t.Errorf("streak of %d, lazy %g: renumbering the states changes %.17g to %.17g", k.n, k.lazy, g.Value, r)
		}
	}
	v, err := streak(20, 0.5).expectedVisits(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	h, herr := v.deviationError()
	ones := make([]float64, v.n)
	for i := range ones {
		ones[i] = 1
	}
	s, err := enclose(h, herr, ones, false)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for _, z := range s.values {
		worst = max(worst, real(z))
	}
	if math.Abs(1/worst-0.5) < 1e-4 {
		t.Errorf("the eigenvalue solver finds %g: expected it to fail", 1/worst)
	}
	if s.radius < 0.1 {
		t.Errorf("and its radius is %g: expected it to say so", s.radius)
	}
	// Rates that differ in their last digits have 60 different eigenvalues, too many for the exact polynomial: not a number.
	var rates []Rate
	for x := range 60 {
		streak(60, 0.5).Moves(x, func(y int, r float64) { rates = append(rates, Rate{x, y, r * (1 - float64(x)*0x1p-45)}) })
	}
	if g, err := must(FromRates(60, rates, 1)).SpectralGap(context.Background()); !errors.Is(err, ErrIllConditioned) {
		t.Errorf("a streak of 60 with rates that differ: %+v, %v, want ErrIllConditioned", g, err)
	}
}

// The enclosures by eigenvectors hold the gap that the characteristic polynomial
// gives, for chains of both kinds.
func TestGapEnclosures(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	enclosed := 0
	for k := range 30 {
		n := 3 + r.IntN(12)
		q := make([][]float64, n)
		for x := range q {
			q[x] = make([]float64, n)
			for y := range q[x] {
				if x != y && (r.Float64() < 0.5 || y == (x+1)%n) {
					q[x][y] = math.Pow(10, -6*r.Float64()*float64(k%3))
				}
			}
		}
		if k%5 == 0 {
			for x := range q {
				for y := range x {
					q[x][y] = q[y][x]
				}
			}
		}
		c := must(FromDense(q, 1e-9))
		c = must(c.WithAlpha(c.MaxAlpha() * (0.3 + 0.6*r.Float64())))
		exact, ok := c.exactGap()
		if !ok {
			t.Fatalf("chain %d: no exact gap", k)
		}
		v, err := c.expectedVisits(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		g, err := c.eigenvectorGap(context.Background(), v)
		if errors.Is(err, ErrIllConditioned) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		enclosed++
		if math.Abs(g.Value-exact.Value) > g.Error+exact.Error {
			t.Errorf("chain %d of %d states: %.17g +- %.2g, exactly %.17g", k, n, g.Value, g.Error, exact.Value)
		}
	}
	if enclosed < 25 {
		t.Errorf("only %d of 30 gaps are enclosed", enclosed)
	}
}
