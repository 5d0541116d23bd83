package markov

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"

	"tqn/quantize"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// nine is a chain with 9 states: SR on a quartic with two wells.
func nine() SR {
	return OnGrid(must(quantize.NewGrid(0.5, -2, 2)), func(w float64) Law {
		return Gaussian{w*w*w - w, 1}
	})
}

// T_alpha of a discrete law is what quantize.Grid.Move says, value by value: far
// steps, the box and simultaneous moves included.
func TestChainIsTheUpdateRule(t *testing.T) {
	g := must(quantize.NewGrid(0.5, -1, 1.5))
	h := must(quantize.NewGrid(0.25, 0, 0.5))
	values := [2][]float64{{-3, -0.4, 0.2, 1.1}, {-1, 0.25, 2}}
	weights := [2][]float64{{0.1, 0.3, 0.4, 0.2}, {0.5, 0.3, 0.2}}
	shift := func(w []float64, k int) float64 { return w[0]*float64(k+1) - 0.3*w[1] }
	s := SR{Axes: []quantize.Grid{g, h}, Gradient: func(w []float64, k int) Law {
		v := append([]float64(nil), values[k]...)
		for i := range v {
			v[i] += shift(w, k)
		}
		return must(NewDiscrete(v, weights[k]))
	}}
	for _, alpha := range []float64{3, 1, 0.3, 0.01, 1e-9} {
		c := must(s.Chain(alpha))
		for x := range c.n {
			w := s.Point(x, nil)
			want := make([]float64, c.n)
			marginal := [2]map[float64]float64{{}, {}}
			for k, axis := range s.Axes {
				for i, v := range values[k] {
					near, far, p := axis.Move(w[k], -alpha*(v+shift(w, k)))
					marginal[k][near] += weights[k][i] * (1 - p)
					marginal[k][far] += weights[k][i] * p
				}
			}
			for a, p := range marginal[0] {
				for b, q := range marginal[1] {
					y, ok := s.State([]float64{a, b})
					if !ok {
						t.Fatalf("(%g, %g) is no state", a, b)
					}
					want[y] += p * q
				}
			}
			for y, p := range want {
				// Entries off the diagonal to 1e-14 of themselves, the rest of the row to 1e-15.
				if got := c.P(x, y); math.Abs(got-p) > 1e-14*p+1e-18 && (x != y || math.Abs(got-p) > 1e-15) {
					t.Errorf("alpha = %g: P(%v, %v) = %.17g, want %.17g", alpha, w, s.Point(y, nil), got, p)
				}
			}
		}
	}
}

// Closed forms of all laws against quadrature of their densities, in the bulk
// and in the tails, and the tents of a partition sum to one.
func TestLawsAgainstQuadrature(t *testing.T) {
	laws := map[string]struct {
		law Law
		pdf func(float64) float64
	}{
		"gaussian": {Gaussian{0.3, 0.7}, func(x float64) float64 {
			return math.Exp(-(x-0.3)*(x-0.3)/(2*0.49)) / (0.7 * math.Sqrt(2*math.Pi))
		}},
		"laplace": {Laplace{0.3, 0.7}, func(x float64) float64 { return math.Exp(-math.Abs(x-0.3)/0.7) / 1.4 }},
		"uniform": {Uniform{-0.5, 1.5}, func(x float64) float64 {
			if x < -0.5 || x > 1.5 {
				return 0
			}
			return 0.5
		}},
		"lomax": {Lomax{0.3, 0.7, 2}, func(x float64) float64 {
			return math.Pow(1+math.Abs(x-0.3)/0.7, -3) / 0.7
		}},
	}
	// Panels end at the points where a density is not smooth.
	integrate := func(f func(float64) float64, a, b float64) float64 {
		s := 0.0
		cuts := []float64{a}
		for _, k := range []float64{-0.5, 0.3, 1.5} {
			if k > a && k < b {
				cuts = append(cuts, k)
			}
		}
		cuts = append(cuts, b)
		for i := range len(cuts) - 1 {
			for j := range 40 {
				w := (cuts[i+1] - cuts[i]) / 40
				s += gauss16.integrate(f, cuts[i]+float64(j)*w, cuts[i]+float64(j+1)*w)
			}
		}
		return s
	}
	for name, l := range laws {
		for _, c := range []float64{-6, -2, -0.4, 0, 0.3, 1, 1.4, 3, 7} {
			for _, h := range []float64{1e-3, 0.05, 0.3, 1, 4} {
				want := integrate(func(x float64) float64 { return (1 - (c-x)/h) * l.pdf(x) }, c-h, c) +
					integrate(func(x float64) float64 { return (1 - (x-c)/h) * l.pdf(x) }, c, c+h)
				if got := l.law.Tent(c, h); math.Abs(got-want) > 1e-11*want+1e-300 {
					t.Errorf("%s: Tent(%g, %g) = %.15g, want %.15g", name, c, h, got, want)
				}
			}
			if name == "lomax" {
				continue // its tail beyond the quadrature weighs too much
			}
			up := integrate(func(x float64) float64 { return (x - c) * l.pdf(x) }, c, c+40)
			down := integrate(func(x float64) float64 { return (c - x) * l.pdf(x) }, c-40, c)
			if got := l.law.Excess(c); math.Abs(got-up) > 1e-11*up+1e-300 {
				t.Errorf("%s: Excess(%g) = %.15g, want %.15g", name, c, got, up)
			}
			if got := l.law.Shortfall(c); math.Abs(got-down) > 1e-11*down+1e-300 {
				t.Errorf("%s: Shortfall(%g) = %.15g, want %.15g", name, c, got, down)
			}
		}
		for _, h := range []float64{0.02, 0.5, 3} {
			sum := 0.0
			for m := -4000; m <= 4000; m++ {
				sum += l.law.Tent(float64(m)*h, h)
			}
			tail := 2 * 0.7 * 0.7 / math.Pow(4000*h, 2) // of the Lomax law
			if math.Abs(sum-1) > 1e-12+tail {
				t.Errorf("%s: tents of width %g sum to %.15g", name, h, sum)
			}
		}
		// E(g-a)+ - E(a-g)+ = E g - a.
		mean := l.law.Excess(0) - l.law.Shortfall(0)
		want := map[string]float64{"uniform": 0.5}[name]
		if want == 0 {
			want = 0.3
		}
		if math.Abs(mean-want) > 1e-14 {
			t.Errorf("%s: mean %g, want %g", name, mean, want)
		}
	}
	// A law without closed form agrees with the one it imitates.
	d := Density{PDF: laws["gaussian"].pdf, Lo: -8, Hi: 8}
	g := Gaussian{0.3, 0.7}
	for _, a := range []float64{-1, 0, 0.8} {
		if e := math.Abs(d.Excess(a)/g.Excess(a) - 1); e > 1e-10 {
			t.Errorf("Density: Excess(%g) off by %.2g", a, e)
		}
		if e := math.Abs(d.Tent(a, 0.4)/g.Tent(a, 0.4) - 1); e > 1e-10 {
			t.Errorf("Density: Tent(%g) off by %.2g", a, e)
		}
	}
}

// The far normal tail keeps its relative accuracy; wanted values from mpmath with 60
// digits, npdf(z) - z*erfc(z/sqrt(2))/2.
func TestNormalLossInTheTail(t *testing.T) {
	for z, want := range map[float64]float64{
		2:  0.0084907026168296375,
		5:  5.346165533832815e-08,
		20: 1.3700124947295799e-90,
		37: 1.5451991905122025e-301,
	} {
		got := Gaussian{0, 1}.Excess(z)
		if math.Abs(got/want-1) > 2e-13 {
			t.Errorf("E(X-%g)+ = %.16g, want %.16g", z, got, want)
		}
	}
}

// In one dimension with alpha|g| <= Delta, T_alpha equals T~_alpha and so do the
// stationary laws; a biased coin (planted defect) does not pass.
func TestTheorem5EqualityInOneDimension(t *testing.T) {
	s := OnGrid(must(quantize.NewGrid(0.5, -2, 2)), func(w float64) Law {
		return Uniform{w*w*w - w - 7, w*w*w - w + 7}
	})
	alphas := []float64{0.03, 0.01, 1e-4, 1e-12, 1e-100}
	r, err := Theorem5(s, alphas)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if row.MatrixDistance > 1e-14*row.Alpha || row.LawDistance > 1e-15 || row.LawRelative > 1e-13 {
			t.Errorf("%+v: want equality", row)
		}
	}
	if !(r.Smallest > 0) {
		t.Errorf("smallest pi~ is %g", r.Smallest)
	}
	biased, err := biasedCoin()
	if err != nil || biased < 1e-3 {
		t.Errorf("a biased coin changes pi by %g, %v: expected it to be seen", biased, err)
	}
}

// In two dimensions the slopes are 2 and 1.
func TestTheorem5Slopes(t *testing.T) {
	g := must(quantize.NewGrid(0.5, -1, 1))
	s := SR{Axes: []quantize.Grid{g, g}, Gradient: func(w []float64, k int) Law {
		m := w[k]*w[k]*w[k] - w[k] + 0.4*w[1-k]
		return Uniform{m - 5, m + 5}
	}}
	r, err := Theorem5(s, []float64{2e-2, 1e-2, 5e-3, 2e-3, 1e-3, 1e-4, 1e-5})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("matrix %+v, law %+v", r.MatrixSlope, r.LawSlope)
	if m := r.MatrixSlope; math.Abs(m.Value-2) > 0.02 || m.Upper-m.Lower > 0.1 {
		t.Errorf("matrix slope %+v, want 2", m)
	}
	if l := r.LawSlope; math.Abs(l.Value-1) > 0.02 || l.Upper-l.Lower > 0.1 {
		t.Errorf("law slope %+v, want 1", l)
	}
}

// The edge of the assumption and beyond it.
func TestTheorem5Assumption(t *testing.T) {
	g := must(quantize.NewGrid(0.5, -2, 2))
	edge, err := heavyTail(2)
	if err != nil || math.Abs(edge.Value-2) > 0.05 {
		t.Errorf("tail of order v^-2: slope %+v, %v, want 2", edge, err)
	}
	beyond, err := heavyTail(1.5)
	if err != nil || math.Abs(beyond.Value-1.5) > 0.05 {
		t.Errorf("tail of order v^-1.5: slope %+v, %v, want 1.5", beyond, err)
	}
	for name, law := range map[string]func(float64) Law{
		"tail":  func(w float64) Law { return Lomax{w, 1, 1.5} },
		"noise": func(w float64) Law { return Point(w - 0.1) },
		"side":  func(w float64) Law { return Uniform{0, 1} },
	} {
		if _, err := Theorem5(OnGrid(g, law), []float64{0.01}); !errors.Is(err, ErrAssumption) {
			t.Errorf("%s: %v, want ErrAssumption", name, err)
		}
		if _, err := Theorem6(OnGrid(g, law), 0.1, []float64{0.01}); !errors.Is(err, ErrAssumption) {
			t.Errorf("%s: Theorem 6: %v, want ErrAssumption", name, err)
		}
	}
}

// TestTheorem6 checks M -> infinity and the constant down to alpha = 1e-12; the
// values at 1e-12 agree with t_eps to nine digits.
func TestTheorem6Constant(t *testing.T) {
	r, err := Theorem6(nine(), 0.1, []float64{8e-2, 1e-3, 1e-6, 1e-9, 1e-12})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range r.Rows {
		if i > 0 && row.Steps <= r.Rows[i-1].Steps {
			t.Errorf("M does not grow: %+v", r.Rows)
		}
		if d := math.Abs(row.Scaled - r.Time); d > row.Alpha+1e-11*r.Time {
			t.Errorf("alpha = %g: alpha*M = %.15g, t_eps = %.15g", row.Alpha, row.Scaled, r.Time)
		}
	}
	if _, err := Theorem6(nine(), 0.99995, []float64{1e-3}); !errors.Is(err, ErrAssumption) {
		t.Errorf("eps above every proper subset: %v, want ErrAssumption", err)
	}
}

// Ulam's chain is a chain, converges as cells shrink, and moves mean and variance as
// BC does: drift alpha*g, variance alpha^2 sigma^2 plus what the cells add.
func TestUlam(t *testing.T) {
	g := must(quantize.NewGrid(0.5, -2, 2))
	law := func(w float64) Law { return Gaussian{w*w*w - w, 1} }
	const alpha = 0.1
	var laws [][]float64
	for _, cells := range []int{10, 20, 40, 80} {
		u := must(BinaryConnect(g, law, alpha, cells, 0))
		h := 0.5 / float64(cells)
		for x := range u.n {
			sum, mean, square := u.holding(x), 0.0, 0.0
			lo, hi := u.Cell(x)
			if lo < -0.8 || hi > 0.8 {
				continue // within reach of the ends the projection changes the moments
			}
			u.Moves(x, func(y int, p float64) {
				d := float64(y-x) * h
				sum += p
				mean += p * d
				square += p * d * d
			})
			q := g.Nearest((lo + hi) / 2)
			m := -alpha * (q*q*q - q)
			noise := alpha * alpha
			// SR on cells adds h^2 E[q(1-q)] <= h^2/4.
			if math.Abs(sum-1) > 1e-13 || math.Abs(mean-m) > 1e-12 || square-mean*mean < noise || square-mean*mean > noise+h*h/4+1e-12 {
				t.Fatalf("cell %d of %d: sum %g, mean %g (want %g), variance %g (want %g + at most %g)", x, u.n, sum, mean, m, square-mean*mean, noise, h*h/4)
			}
		}
		laws = append(laws, u.Quantised(must(u.Stationary())))
	}
	for i := 1; i+1 < len(laws); i++ {
		if a, b := TotalVariation(laws[i-1], laws[i]), TotalVariation(laws[i], laws[i+1]); b > 0.6*a {
			t.Errorf("halving the cells changes the law by %g after %g", b, a)
		}
	}
	if _, err := BinaryConnect(g, law, alpha, 7, 0); err == nil {
		t.Error("an odd number of cells cuts a threshold in two")
	}
}

// The exact law of w^t: Step by Step, Occupation is its mean, and doubling agrees with stepping.
func TestStepAndOccupation(t *testing.T) {
	c := must(nine().Chain(0.05))
	p := make([]float64, 9)
	p[3] = 1
	mean := make([]float64, 9)
	for n := 1; n <= 200; n++ {
		p = c.Step(nil, p)
		for x, v := range p {
			mean[x] += v
		}
		if n == 1 || n == 7 || n == 64 || n == 200 {
			for x, got := range c.Occupation(3, n) {
				if want := mean[x] / float64(n); math.Abs(got-want) > 1e-14 {
					t.Errorf("%d steps: %g in state %d, want %g", n, got, x, want)
				}
			}
		}
	}
}

func Example_figure3() {
	// The three-state chain of Figure 3 and the same with halved moves.
	p := [][]float64{{0.4, 0.4, 0.2}, {0.2, 0.4, 0.4}, {0.2, 0.2, 0.6}}
	c, _ := FromMatrix(p)
	half, _ := c.WithAlpha(0.5)
	for _, chain := range []*Chain{c, half} {
		pi, _ := chain.Stationary()
		m, _ := chain.MixingTime(0.01)
		fmt.Printf("pi = %.4f, M = %d\n", pi, m.Steps)
	}
	// Output:
	// pi = [0.2500 0.3125 0.4375], M = 4
	// pi = [0.2500 0.3125 0.4375], M = 11
}

func ExampleSR() {
	// SR on the user's objective w^4/4 - w^2/2 with normal noise.
	grid, _ := quantize.NewGrid(0.5, -2, 2)
	s := OnGrid(grid, func(w float64) Law { return Gaussian{Mean: w*w*w - w, Sigma: 1} })
	for _, alpha := range []float64{1e-2, 1e-12} {
		c, _ := s.Limit(alpha)
		m, _ := c.MixingTime(0.1)
		fmt.Printf("alpha = %g: alpha*M = %.6f\n", alpha, m.Scaled)
	}
	t, _ := must(s.Limit(1e-3)).ContinuousMixingTime(0.1)
	fmt.Printf("t_eps = %.6f\n", t.Scaled)
	// Output:
	// alpha = 0.01: alpha*M = 12.200000
	// alpha = 1e-12: alpha*M = 12.203086
	// t_eps = 12.203086
}

// A joint law whose coordinates depend on each other: T_alpha by enumeration of the
// rule, and the slopes 2 and 1 although the proof's product formula does not hold.
func TestJointGradient(t *testing.T) {
	g := must(quantize.NewGrid(0.5, -1, 1))
	points := [][]float64{{0.9, -0.3}, {-0.8, -0.6}, {0.1, 0.7}, {-2, 1.5}}
	s := SR{Axes: []quantize.Grid{g, g}, Joint: func(w []float64) ([][]float64, []float64) {
		var grads [][]float64 // one example of a two-weight problem, and a label that is noise
		for _, p := range points {
			r := w[0]*p[0] + w[1]*p[1]
			grads = append(grads, []float64{(r + 5) * p[0], (r + 5) * p[1]}, []float64{(r - 5) * p[0], (r - 5) * p[1]})
		}
		return grads, []float64{1, 1, 1, 1, 1, 1, 0.5, 0.5}
	}}
	for _, alpha := range []float64{0.7, 1e-3} {
		c := must(s.Chain(alpha))
		for x := range c.n {
			w := s.Point(x, nil)
			want := make([]float64, c.n)
			grads, weight := s.Joint(w)
			for i, grad := range grads {
				n0, f0, p0 := g.Move(w[0], -alpha*grad[0])
				n1, f1, p1 := g.Move(w[1], -alpha*grad[1])
				for _, o := range []struct{ a, b, p float64 }{{n0, n1, (1 - p0) * (1 - p1)}, {f0, n1, p0 * (1 - p1)}, {n0, f1, (1 - p0) * p1}, {f0, f1, p0 * p1}} {
					y, _ := s.State([]float64{o.a, o.b})
					want[y] += weight[i] / 7 * o.p
				}
			}
			for y, p := range want {
				if got := c.P(x, y); math.Abs(got-p) > 1e-15 {
					t.Fatalf("alpha = %g: P(%d, %d) = %g, want %g", alpha, x, y, got, p)
				}
			}
		}
	}
	r, err := Theorem5(s, []float64{5e-3, 2e-3, 1e-3, 1e-4, 1e-5})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.MatrixSlope.Value-2) > 0.02 || math.Abs(r.LawSlope.Value-1) > 0.02 {
		t.Errorf("slopes %+v and %+v, want 2 and 1", r.MatrixSlope, r.LawSlope)
	}
}

// biasedCoin returns TV(pi_alpha, pi~) for SR whose moves up are 1.1 times too likely.
func biasedCoin() (float64, error) {
	s := OnGrid(quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}, func(w float64) Law { return Gaussian{w*w*w - w, 2} })
	good, err := s.Limit(1e-9)
	if err != nil {
		return 0, err
	}
	var rates []Rate
	for x := range good.n {
		good.Moves(x, func(y int, r float64) {
			if y > x {
				r *= 1.1
			}
			rates = append(rates, Rate{x, y, r})
		})
	}
	bad, err := FromRates(good.n, rates, 1e-9)
	if err != nil {
		return 0, err
	}
	p, err1 := good.Stationary()
	q, err2 := bad.Stationary()
	return TotalVariation(p, q), errors.Join(err1, err2)
}

// heavyTail returns the slope of log max|T - T~| on log alpha for a tail of order
// v^-index in one dimension.
func heavyTail(index float64) (Slope, error) {
	s := OnGrid(quantize.Grid{Delta: 0.5, Lo: -2, Hi: 2}, func(w float64) Law { return Lomax{w*w*w - w, 1, index} })
	alphas := []float64{1e-3, 1e-4, 1e-5, 1e-6}
	var d []float64
	for _, alpha := range alphas {
		exact, err1 := s.Chain(alpha)
		limit, err2 := s.Limit(alpha)
		if err := errors.Join(err1, err2); err != nil {
			return Slope{}, err
		}
		d = append(d, MaxDifference(exact, limit))
	}
	return LogSlope(alphas, d, func(i int) float64 { return 1e-13 * alphas[i] }), nil
}

// Ulam's chain of 1e5 cells has tens of millions of moves: they are stored once, and its law needs the half of the band beside them.
func TestUlamStoresItsMovesOnce(t *testing.T) {
	var before, built, solved runtime.MemStats
	runtime.ReadMemStats(&before)
	u := must(BinaryConnect(must(quantize.NewGrid(0.5, -2, 2)), func(w float64) Law { return Gaussian{w, 1} }, 0.005, 600, 1e-18))
	runtime.ReadMemStats(&built)
	must(u.Stationary())
	runtime.ReadMemStats(&solved)
	_, above := u.bandwidth()
	n, moves := uint64(u.n), uint64(len(u.val))
	if got, most := built.TotalAlloc-before.TotalAlloc, 12*moves*5/4+64*n; got > most {
		t.Errorf("%d bytes for %d moves, want at most %d", got, moves, most)
	}
	if got, most := solved.TotalAlloc-built.TotalAlloc, 8*n*uint64(above)*5/4+200*n; got > most {
		t.Errorf("%d bytes for the law of %d cells that reach %d cells up, want at most %d", got, n, above, most)
	}
}
