package markov

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	// ErrorBound bounds |Law[x]/pi(x) - 1| for every x with Law[x] >= Covers, pi the
	// exact law of the chain with the given rates.
	ErrorBound float64
	Method     string // dense, band, graded band, sparse or wide GTH, or multilevel
	// Covers is 2.3e-308, the smallest normal float64: smaller entries are right to
	// 5e-324. Where rates lie so far apart that products underflowed it is 1e-200:
	// smaller entries are right to ErrorBound or to 1e-240, whichever is larger (joined).
	Covers float64
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
		return CertifiedLaw{[]float64{1}, 0, "one state", smallestNormal}, nil
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
	case err != nil:
		return c.iterative(ctx, law)
	case law.ErrorBound > polishAbove && len(c.val) < 64*c.n && slices.Min(law.Law) > smallestLaw:
		return c.polish(ctx, law)
	case law.ErrorBound > CertifiedError:
		return c.iterative(ctx, law)
	}
	return law, nil
}

// polish corrects the law of an elimination: its bound is that of the worst case, a
// few corrections show how right the law is, and better it.
func (c *Chain) polish(ctx context.Context, law CertifiedLaw) (CertifiedLaw, error) {
	d := c.rescaled()
	polished, err := d.refine(ctx, slices.Clone(law.Law))
	if ctx.Err() != nil {
		return CertifiedLaw{}, ctx.Err()
	}
	if err == nil && polished.ErrorBound < law.ErrorBound {
		polished.Method, polished.Covers = law.Method+", corrected", law.Covers
		law = polished
	}
	if law.ErrorBound > CertifiedError {
		return c.iterative(ctx, law)
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
		return CertifiedLaw{[]float64{1}, 0, "one state", smallestNormal}, nil
	case below*above < n*n/16 && float64(n)*float64(below)*float64(above) < 1e11 && n*(below+above+1) < 1<<27:
		pi, tiny, ok := gthBand(c, below, above)
		if ok && (!tiny || c.harmless(pi)) {
			return CertifiedLaw{pi, errorBound(bandRoundings(n, below, above) + bandDepth(n, below, above)), "band GTH", covers(tiny)}, nil
		}
		if pi, ok := gthGraded(c, below, above); ok {
			return CertifiedLaw{pi, errorBound(bandRoundings(n, below, above)+bandDepth(n, below, above)) + 0x1p-58, "graded band GTH", smallestNormal}, nil
		}
		if law, err := c.wideLaw(ctx, below, above); err == nil || ctx.Err() != nil {
			return law, err
		}
		if ok && slices.Min(pi) < smallestLaw { // no other solver has a chance
			return CertifiedLaw{}, fmt.Errorf("%w: its entries span more than the range of float64, and %.2g products of numbers beyond that range, more than %.2g, would be needed",
				ErrUncertified, float64(n)*float64(below)*float64(above), float64(wideWork))
		}
	case n <= 512 || n <= denseLimit && len(c.val) > n*n/16:
		if pi, tiny, ok := gthScaled(c.denseRates(), n); ok && (!tiny || c.harmless(pi)) {
			return CertifiedLaw{pi, errorBound(denseRoundings(n) + denseDepth(n)), "dense GTH", covers(tiny)}, nil
		}
	}
	if r, core, ok := c.eliminate(ctx); ok {
		if pi, roundings, ok := r.law(n, core); ok && (!r.tiny || c.rescaled().harmless(pi)) {
			return CertifiedLaw{pi, errorBound(roundings), "sparse GTH", covers(r.tiny)}, nil
		}
	}
	return c.wideLaw(ctx, n-1, n-1)
}

// wideLaw is gthWide where that is not too much work.
func (c *Chain) wideLaw(ctx context.Context, below, above int) (CertifiedLaw, error) {
	if n := c.n; float64(n)*float64(below)*float64(above) > wideWork || n*(below+above+1) > wideEntries {
		return CertifiedLaw{}, errNoDirect
	}
	pi, ok := gthWide(ctx, c, below, above)
	if !ok {
		return CertifiedLaw{}, errRange
	}
	return CertifiedLaw{pi, errorBound(bandRoundings(c.n, below, above) + bandDepth(c.n, below, above)), "wide GTH", smallestNormal}, nil
}

// Limits of joined, as fractions of all flow.
const (
	ownFlow      = 1e-20  // of the flow out of a state that its way to the likeliest state has at least
	smallestFlow = 1e-280 // states with less flow out of them, and that are left soon, are too rare to matter
	rareMass     = 1e-240 // what such states may weigh together
)

// covers is the smallest entry of a law that the bound on an elimination holds for;
// tiny says that products underflowed.
func covers(tiny bool) float64 {
	if tiny {
		return 1e-200
	}
	return smallestNormal
}

// joined reports whether underflows in an elimination with exits near one did no
// harm: every state with a flow of at least smallestFlow is joined to the likeliest one
// by moves whose flow is at least ownFlow of its own. Then entries of the law
// above 1e-200 have the relative error of errorBound, and smaller ones are right
// to that or to 1e-240, whichever is larger.
//
// Setting a rate out of state i below 2^-1022 to zero changes the law pi of what is
// left at state y by at most the relative amount pi(i) 2^-1022 T, T the largest
// expected time between i and y (C. Meyer, SIAM J. Alg. Disc. Meth. 1 (1980) 273-283, with
// the group inverse written as hitting times). A move with flow f is made every 1/f
// units of time, so it hits its end within 1/f; across every cut flows balance, so
// that m moves of which those with flow >= f join two states, taken either way,
// give T <= n m / f, here with f >= 1e-20 pi(i) on one side and 1e-220 on the other. For
// fewer than 1e14 operations and n m < 1e15 the sum is below 1e-308 * 1e14 * 1e15 * 1e220.
// Whatever the rarest states do, they are entered with a flow of at most
// m * 1e-280, and so change the rest by that times T. That they are rare is not concluded from
// their computed law, into which an underflow may have let no flow: see leftSoon.
func (c *Chain) joined(pi []float64) bool {
	d := candidate{c: c, x: make([]doubled, c.n)}
	for x, p := range pi {
		d.x[x].hi = p
	}
	total := c.flow(pi)
	tree := d.spanningTree(0)
	if len(tree.order) < c.n {
		return false
	}
	way := make([]float64, c.n) // the smallest flow on the way to the likeliest state
	way[tree.order[0]] = math.Inf(1)
	rare, any := make([]bool, c.n), false
	for _, x := range tree.order[1:] {
		way[x] = min(way[tree.parent[x]], tree.flow[x])
		own := pi[x] * c.exit[x]
		switch rare[x] = own < smallestFlow*total; {
		case rare[x]:
			any = true
		case way[x] < ownFlow*own,
			own < 1e-200*total && (pi[x] >= 1e-200 || c.exit[x] < 1e-19*total): // stays so long that it weighs more than its flow
			return false
		}
	}
	return !any || c.leftSoon(pi, rare, total)
}

// leftSoon reports whether rare states weigh at most rareMass together. They weigh the flow by which they are entered from the other
// states, whose law is right, times the mean time until they are left.
//
// Let d(x) be the number of moves that state x needs at least to leave them. Where the
// rate of the moves that lower d, less the sum of rate times rise of those that raise it, is at least r
// in every rare state, d falls by r in a unit of time on average, and they are left within max d / r (Foster's
// criterion; D. Levin, Y. Peres, Markov Chains and Mixing Times, 2nd ed., Proposition 21.9).
func (c *Chain) leftSoon(pi []float64, rare []bool, total float64) bool {
	into := make([][]int32, c.n) // the rare states from which a rare state is entered
	entered := 0.0
	d := make([]int, c.n)
	var order []int32
	for x := range c.n {
		cols, vals := c.row(x)
		out := false
		for i, y := range cols {
			switch {
			case !rare[x] && rare[y]:
				entered += pi[x] * vals[i]
			case rare[x] && rare[y]:
				into[y] = append(into[y], int32(x))
			}
			out = out || !rare[y]
		}
		if rare[x] && out {
			d[x] = 1
			order = append(order, int32(x))
		}
	}
	for i := 0; i < len(order); i++ { // breadth first
		for _, x := range into[order[i]] {
			if d[x] == 0 {
				d[x] = d[order[i]] + 1
				order = append(order, x)
			}
		}
	}
	least := math.Inf(1)
	for x := range c.n {
		if !rare[x] {
			continue
		}
		if d[x] == 0 {
			return false // no way out: the chain is not irreducible
		}
		cols, vals := c.row(x)
		fall := 0.0
		for i, y := range cols {
			fall += vals[i] * float64(d[x]-d[y]) // 1, 0 or negative
		}
		least = min(least, fall)
	}
	longest := float64(d[order[len(order)-1]])
	return entered <= 1e10*smallestFlow*total && least > 0 && entered*longest/least <= rareMass/2
}

// harmless is joined where the flows that it compares do not underflow themselves.
func (c *Chain) harmless(pi []float64) bool { return c.flow(pi) > 1e-20 && c.joined(pi) }

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
