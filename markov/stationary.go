package markov

import (
	"context"
	"errors"
	"slices"
)

// denseLimit is the number of states up to which dense algorithms of order n^3
// are used where nothing cheaper fits: 4096 states are 128 MiB and 46 GFLOP.
const denseLimit = 4096

// ErrUncertified says that no stationary law is known whose entries are proven
// right to CertifiedError. The error's text says what is known.
var ErrUncertified = errors.New("markov: no stationary law with a certificate")

// CertifiedLaw is a stationary law with a proven bound on its error.
type CertifiedLaw struct {
	Law []float64
	// ErrorBound bounds |Law[x]/pi(x) - 1| for every x, pi the exact law of the
	// chain with the given rates. For pi(x) below 2.3e-308, the smallest normal
	// float64, Law[x] is within 5e-324 of a number of that accuracy.
	ErrorBound float64
	Method     string // dense, band, sparse or wide GTH, or multilevel
}

// Stationary returns the stationary law pi, pi P = pi, of a chain with one closed
// class; transient states have probability zero. It is ErrReducible if there are
// several closed classes (see StationaryLaws), and ErrUncertified if the entries
// cannot be proven right to CertifiedError.
func (c *Chain) Stationary() ([]float64, error) {
	law, err := c.Certified(context.Background())
	if err != nil {
		return nil, err
	}
	return law.Law, nil
}

// Certified is Stationary with the bound on the law's error. It ends early with
// the context's error.
//
// Bands, matrices with little fill-in and dense matrices up to 4096 states are
// solved by GTH, whose bound (errorBound) does not depend on how nearly decoupled
// the chain is. What fills too much is solved by multilevel iteration, corrected in
// doubled precision, and certified by its flows (certificate).
func (c *Chain) Certified(ctx context.Context) (CertifiedLaw, error) {
	class, err := c.closed()
	if err != nil {
		return CertifiedLaw{}, err
	}
	if len(class.States) == c.n {
		return c.solve(ctx)
	}
	law, err := c.sub(class.States).solve(ctx)
	law.Law = spread(law.Law, class, c.n)
	return law, err
}

// ExtremeLaw is the stationary law that lives on one closed class.
type ExtremeLaw struct {
	Class      Class
	Law        []float64 // over all states of the chain
	ErrorBound float64   // as in CertifiedLaw
}

// StationaryLaws returns one law a closed class, in the order of Classes. The
// stationary laws of the chain are exactly their mixtures.
func (c *Chain) StationaryLaws() ([]ExtremeLaw, error) {
	var laws []ExtremeLaw
	for _, class := range c.Classes() {
		if !class.Closed {
			continue
		}
		law, err := c.classLaw(context.Background(), class)
		if err != nil {
			return nil, err
		}
		laws = append(laws, ExtremeLaw{class, spread(law.Law, class, c.n), law.ErrorBound})
	}
	return laws, nil
}

// classLaw returns the law of a closed class over its own states.
func (c *Chain) classLaw(ctx context.Context, class Class) (CertifiedLaw, error) {
	switch len(class.States) {
	case 1:
		return CertifiedLaw{[]float64{1}, 0, "one state"}, nil
	case c.n:
		return c.solve(ctx)
	}
	return c.sub(class.States).solve(ctx)
}

// spread gives a law on the states of a class to all n states.
func spread(law []float64, class Class, n int) []float64 {
	if law == nil || len(law) == n {
		return law
	}
	pi := make([]float64, n)
	for i, x := range class.States {
		pi[x] = law[i]
	}
	return pi
}

// stationary solves an irreducible chain.
func (c *Chain) stationary() ([]float64, error) {
	law, err := c.solve(context.Background())
	if err != nil {
		return nil, err
	}
	return law.Law, nil
}

// solve returns the law of an irreducible chain, or an error if its bound exceeds
// CertifiedError.
func (c *Chain) solve(ctx context.Context) (CertifiedLaw, error) {
	law, err := c.direct(ctx)
	switch {
	case ctx.Err() != nil:
		return CertifiedLaw{}, ctx.Err()
	case err != nil && !errors.Is(err, errNoDirect):
		return CertifiedLaw{}, err
	case err != nil || law.ErrorBound > CertifiedError:
		return c.iterative(ctx, law)
	case law.ErrorBound > polishAbove && len(c.val) < 64*c.n && slices.Min(law.Law) > smallestLaw:
		// The bound on elimination is that of the worst case: a few corrections
		// show how right the law is, and better it.
		d := c.rescaled()
		polished, err := d.refine(ctx, slices.Clone(law.Law))
		if err == nil && polished.ErrorBound < law.ErrorBound {
			return CertifiedLaw{polished.Law, polished.ErrorBound, law.Method + ", corrected"}, nil
		}
		return law, err
	}
	return law, nil
}

// polishAbove is the bound above which the law of an elimination is corrected.
const polishAbove = 1e-10

// errNoDirect says that a chain has too many states for a direct solver.
var errNoDirect = errors.New("markov: too much fill-in for elimination")

// direct solves an irreducible chain by the cheapest elimination.
func (c *Chain) direct(ctx context.Context) (CertifiedLaw, error) {
	below, above := c.bandwidth()
	n := c.n
	switch {
	case n == 1:
		return CertifiedLaw{[]float64{1}, 0, "one state"}, nil
	case below*above < n*n/16 && float64(n)*float64(below)*float64(above) < 1e11 && n*(below+above+1) < 1<<27:
		if pi, ok := gthBand(c, below, above); ok {
			return CertifiedLaw{pi, errorBound(bandRoundings(n, below, above) + bandDepth(n, below, above)), "band GTH"}, nil
		}
	case n <= 512 || n <= denseLimit && len(c.val) > n*n/16:
		if pi, ok := gth(c.denseRates(), n); ok {
			return CertifiedLaw{pi, errorBound(denseRoundings(n) + denseDepth(n)), "dense GTH"}, nil
		}
	}
	if r, core, ok := c.eliminate(ctx); ok {
		if pi, roundings, ok := r.law(n, core); ok && (!r.tiny || c.joined(pi)) {
			return CertifiedLaw{pi, errorBound(roundings), "sparse GTH"}, nil
		}
	}
	if n <= wideLimit {
		if pi, ok := gthWide(c); ok {
			return CertifiedLaw{pi, errorBound(wideRoundings(n) + wideDepth(n)), "wide GTH"}, nil
		}
		return CertifiedLaw{}, errRange
	}
	return CertifiedLaw{}, errNoDirect
}

// joinedFlow is the flow, as a fraction of all flow, down to which joined looks.
const joinedFlow = 1e-240

// joined reports whether the moves with a flow of at least joinedFlow join all
// states. Then underflows in an elimination with exits near one did no harm.
//
// Setting a rate out of state i below 2^-1022 to zero changes the law pi of what is
// left by at most the relative amount pi(i) 2^-1022 T at any state, T the largest
// expected hitting time (C. Meyer, SIAM J. Alg. Disc. Meth. 1 (1980) 273-283, with
// the group inverse written as hitting times). A move with flow f is made every 1/f
// units of time, so it hits its end within 1/f; across every cut flows balance, so
// that m moves of which those with flow >= f join the states, taken either way,
// give T <= n m / f. For fewer than 1e14 operations and n m < 1e15 the sum is below
// 1e-308 * 1e14 * 1e15 * 1e240 = 1e-39.
func (c *Chain) joined(pi []float64) bool {
	total := c.flow(pi)
	sets := newSets(c.n)
	count := c.n
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			if pi[x]*vals[i] >= joinedFlow*total && sets.join(int32(x), y) {
				count--
			}
		}
	}
	return count == 1
}

// flow returns the number of moves in a unit of time.
func (c *Chain) flow(pi []float64) float64 {
	total := 0.0
	for x, e := range c.exit {
		total += pi[x] * e
	}
	return total
}

// sets is a partition of states into sets that are joined (union-find).
type sets []int32

func newSets(n int) sets {
	s := make(sets, n)
	for x := range s {
		s[x] = int32(x)
	}
	return s
}

func (s sets) find(x int32) int32 {
	for s[x] != x {
		s[x] = s[s[x]]
		x = s[x]
	}
	return x
}

// join is false if x and y are in one set already.
func (s sets) join(x, y int32) bool {
	a, b := s.find(x), s.find(y)
	s[a] = b
	return a != b
}
