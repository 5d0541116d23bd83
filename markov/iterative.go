package markov

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// iterative solves an irreducible chain that no elimination can: Multilevel with
// aggregates that follow the rates until the law is roughly known, the same with
// aggregates that follow its flows until no entry moves, then refine. best is what
// elimination knows.
func (c *Chain) iterative(ctx context.Context, best CertifiedLaw) (CertifiedLaw, error) {
	c = c.rescaled()
	x, err := c.guess(ctx)
	if err != nil {
		return CertifiedLaw{}, err
	}
	law, err := c.refine(ctx, x)
	if err != nil {
		return CertifiedLaw{}, err
	}
	if best.Law != nil && best.ErrorBound < law.ErrorBound {
		law = best
	}
	if !(law.ErrorBound <= CertifiedError) {
		return law, fmt.Errorf("%w: the best law of %d states has entries that may be wrong by a relative %.2g, at most %g is wanted (%s; its flows balance to %.2g)",
			ErrUncertified, c.n, law.ErrorBound, float64(CertifiedError), law.Method, c.Residual(law.Law))
	}
	return law, nil
}

// refine corrects an approximate law, which it overwrites, in doubled precision
// until its certificate is good. In turn the masses of nearly decoupled groups are
// set (settle) and the law inside them is corrected (correct). It returns the best
// law it met, whatever its bound.
func (c *Chain) refine(ctx context.Context, x []float64) (CertifiedLaw, error) {
	law := CertifiedLaw{ErrorBound: math.Inf(1), Method: "multilevel iteration", Covers: smallestNormal}
	d := newCandidate(c, transposed(c), x)
	idle, slow := 0, 0 // rounds with no progress to speak of, and without much
	for round := range maxRounds {
		p := d.partition(d.spanningTree(isolated[slow%len(isolated)]))
		if d.settle(ctx, p) {
			x = d.law(x)
		}
		d.residual()
		t := d.certify()
		x = d.law(x)
		idle++
		slow++
		if t.bound < law.ErrorBound/2 || law.Law == nil {
			idle = 0
		}
		if t.bound < law.ErrorBound/10 || law.Law == nil {
			slow = 0
		}
		if t.bound < law.ErrorBound || law.Law == nil {
			law.Law, law.ErrorBound = slices.Clone(x), t.bound
		}
		if law.ErrorBound <= goodError || idle > 2*len(isolated) || round == maxRounds-1 {
			break
		}
		if round%3 == 0 { // the levels of a law that is nearly right are good for its successors
			d.top.coarsen(x, p.of)
		}
		if err := d.correct(ctx, p, enough(t.bound)); err != nil {
			return law, err
		}
	}
	return law, nil
}

// rescaled returns the chain with the unit of time changed by a power of two, so
// that the largest exit is near one; the law is the same.
func (c *Chain) rescaled() *Chain {
	_, e := math.Frexp(maxOf(c.exit))
	if e > -100 && e < 100 {
		return c
	}
	d := *c
	d.val, d.exit = slices.Clone(c.val), slices.Clone(c.exit)
	for i := range d.val {
		d.val[i] = math.Ldexp(d.val[i], -e)
	}
	for x := range d.exit {
		d.exit[x] = math.Ldexp(d.exit[x], -e)
	}
	return &d
}

// goodError is the bound at which the corrections end.
const goodError = 1e-10

// maxRounds is the number of corrections in doubled precision; each gains some ten digits.
const maxRounds = 25

// smallestLaw is the smallest entry that iteration handles: below it flows would underflow.
const smallestLaw = 1e-270

// guess runs cycles until the law is roughly known.
func (c *Chain) guess(ctx context.Context) ([]float64, error) {
	x := make([]float64, c.n)
	for i := range x {
		x[i] = 1 / float64(c.n)
	}
	top := newLevel(c)
	top.initial(x)
	for range 12 {
		moved, err := c.settleCycles(ctx, top, x, 1e-3, 12)
		if err != nil {
			return nil, err
		}
		if moved < 1e-2 {
			break
		}
		top.coarsen(x, nil)
	}
	if !(slices.Min(x) >= smallestLaw) { // also where products underflowed to 0/0
		return nil, fmt.Errorf("%w: it has entries below %g, which only elimination can handle, and there is too much fill-in for that", ErrUncertified, smallestLaw)
	}
	return x, nil
}

// settleCycles cycles until no entry moves by more than the relative amount tol,
// and returns the relative amount of the last cycle.
func (c *Chain) settleCycles(ctx context.Context, top *level, x []float64, tol float64, most int) (float64, error) {
	moved := math.Inf(1)
	var window recombination
	before := slices.Clone(x)
	for range most {
		if err := ctx.Err(); err != nil {
			return moved, err
		}
		top.cycle(x)
		normalise(x)
		window.add(top, x)
		normalise(x)
		moved = 0
		for y, v := range x {
			moved = max(moved, math.Abs(v-before[y])/(v+before[y]))
		}
		if moved < tol {
			break
		}
		copy(before, x)
	}
	return moved, nil
}

// enough is the fraction to which a correction is to take imbalances where the bound
// is as given: at first errors are too large for a linear correction to be right, later
// as much is wanted as takes the bound to a hundredth of goodError.
func enough(bound float64) float64 {
	if bound > 1e-3 {
		return 1e-5
	}
	return min(0.1, max(1e-9, goodError/100/bound))
}

// correct solves for the relative error of the candidate inside each nearly decoupled
// group and takes it off. The errors of other groups count as zero, and so does that
// of the group's anchor, whose equation follows from the others once settle has made
// the flows into and out of the group equal. What this leaves of the error is of the
// order of the coupling. The imbalances are to shrink to the fraction enough.
func (d *candidate) correct(ctx context.Context, p partition, enough float64) error {
	top, n := d.top, d.c.n
	flow, slack := make([]float64, len(top.src)), make([]float64, n)
	r, g := make([]float64, n), make([]float64, n)
	for y := range n {
		a := p.of[y]
		unit := p.through[a] // groups of all sizes count alike
		r[y] = d.r[y].hi / unit
		for e := top.ptr[y]; e < top.ptr[y+1]; e++ {
			z := top.src[e]
			if f := d.x[z].hi * top.val[e] / unit; p.of[z] == a {
				flow[e] = f
			} else {
				slack[y] += f
			}
		}
	}
	for _, y := range p.anchor {
		slack[y]++
	}
	b := newBalance(top, flow, slack)
	left := 1.0
	for range 12 {
		if left <= enough {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f := b.conjugate(g, r, 6, enough/left)
		left *= f
		if f > 0.9 {
			break
		}
	}
	for y, a := range p.of { // a group's own factor is left to settle
		if y != int(p.anchor[a]) {
			g[y] -= g[p.anchor[a]]
		}
	}
	for _, y := range p.anchor {
		g[y] = 0
	}
	d.better(g)
	return nil
}

// law returns the candidate rounded to float64 and normalised.
func (d *candidate) law(x []float64) []float64 {
	for y, v := range d.x {
		x[y] = v.hi
	}
	normalise(x)
	return x
}
