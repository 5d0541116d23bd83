package convex

import (
	"context"
	"fmt"
	"math"
	"strings"

	"tqn/bounds"
	"tqn/evidence"
	"tqn/quantize"
)

// Counterexample is an instance on which a printed statement is false.
type Counterexample struct {
	Name       string // "theorem2-large-c"
	Claim      string // as in package bounds
	Form       bounds.Form
	Rounding   bounds.Rounding
	Instance   string            // the problem and the run in words
	Left       string            // what is measured
	Parameters bounds.Parameters // the constants that the bounds are given
	Measured   evidence.Result
	Printed    bounds.Value // the statement that fails
	Repaired   bounds.Value // the derived bound, which holds
	Coverage   string       // what the search went through
}

// Counterexamples returns one instance per false statement of Section 4, measured
// anew. The instances are what [Exhibit.Search] finds; the numbers that name them are
// kept in the exhibits, since the search takes minutes and the check a second.
func Counterexamples(ctx context.Context) ([]Counterexample, error) {
	var all []Counterexample
	for _, e := range Exhibits() {
		c, err := e.Check(ctx, e.Witness)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Exhibit is a family of instances and the member that refutes a printed statement.
type Exhibit struct {
	Name    string // begins with the claim's: "theorem2-large-c"
	Witness []int  // the parameters that Search returns
	Either  bool   // rounding plays no part, and the bounds are the same for both
	family  func() family
	starts  int // random starts of the search
	// Check measures the member x of the family and evaluates the bounds.
	Check func(ctx context.Context, x []int) (Counterexample, error)
}

// Claim is the claim of package bounds that the exhibit is about.
func (e Exhibit) Claim() string {
	claim, _, _ := strings.Cut(e.Name, "-")
	return claim
}

// Search looks for a member of the family that violates the printed statement, and
// shrinks it. It is deterministic.
func (e Exhibit) Search(ctx context.Context) ([]int, error) {
	if e.family == nil {
		return nil, fmt.Errorf("convex: %s was not found by this package's search", e.Name)
	}
	f := e.family()
	x, err := f.search(ctx, e.starts)
	if err != nil {
		return nil, err
	}
	return f.shrink(ctx, x)
}

// Exhibits are the families searched, in the paper's order, and then what was found by other means. (A place in the list is a number of package referee.)
func Exhibits() []Exhibit {
	return []Exhibit{theorem2Printed, theorem2Appendix, theorem2Averaged, theorem3Linear, corollary1Nearest, theorem4Coarse, theorem2General, theorem2GeneralLong, theorem2GeneralShort, theorem2Staircase, theorem2Critical, theorem3Smooth, theorem2CriticalAppendix}
}

// family is a set of instances with integer parameters, searched for one whose
// ratio measured/bound exceeds 1.
type family struct {
	low, high []int // ranges, both ends included
	ratio     func(x []int) float64
	size      func(x []int) float64 // what shrinking makes small
}

// margin is how far above 1 a ratio has to be: far beyond rounding errors.
const margin = 1e-4

// search climbs from restarts random points, log-uniform in each range, and
// returns the point with the largest ratio.
func (f family) search(ctx context.Context, restarts int) (best []int, err error) {
	noise := quantize.NewNoise(1706) // the paper's month; any seed will do
	top := math.Inf(-1)
	for r := range restarts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d := noise.At(0, uint64(r))
		x := make([]int, len(f.low))
		for k := range x {
			lo, hi := float64(f.low[k]), float64(f.high[k])+1
			x[k] = min(int(math.Exp(math.Log(lo+1)+d.Uniform(k)*math.Log((hi+1)/(lo+1)))-1), f.high[k])
		}
		y, ratio := f.climb(x, 40, -1)
		if ratio > top {
			best, top = y, ratio
		}
	}
	return best, nil
}

// climb changes one parameter at a time as long as the ratio grows, at most steps
// times. Parameter number fixed is left alone.
func (f family) climb(x []int, steps, fixed int) ([]int, float64) {
	x = append([]int(nil), x...)
	now := f.ratio(x)
	for range steps {
		improved := false
		for k := range x {
			if k == fixed {
				continue
			}
			old := x[k]
			bestValue, bestRatio := old, now
			for _, v := range []int{old * 3 / 4, old * 4 / 3, old * 19 / 20, old * 20 / 19, old - 1, old + 1} {
				v = min(max(v, f.low[k]), f.high[k])
				if v == old {
					continue
				}
				x[k] = v
				if r := f.ratio(x); r > bestRatio {
					bestValue, bestRatio = v, r
				}
			}
			x[k] = bestValue
			if bestRatio > now {
				now, improved = bestRatio, true
			}
		}
		if !improved {
			break
		}
	}
	return x, now
}

// shrink makes the size smaller, one parameter at a time and by smaller and smaller
// factors, letting the others adapt, for as long as the ratio stays above 1.
func (f family) shrink(ctx context.Context, x []int) ([]int, error) {
	if f.ratio(x) <= 1+margin {
		return nil, fmt.Errorf("convex: the search found no counterexample: the best ratio is %v at %v", f.ratio(x), x)
	}
	for progress := true; progress; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress = false
	moves:
		for _, factor := range []float64{0.5, 0.75, 0.9, 0.97, 0} {
			for k := range x {
				y := append([]int(nil), x...)
				y[k] = max(min(int(float64(x[k])*factor), x[k]-1), f.low[k])
				if factor == 0 {
					y[k] = max(x[k]-1, f.low[k])
				}
				if f.size(y) >= f.size(x) {
					continue
				}
				// The others adapt, but only within what is still smaller.
				g := f
				g.ratio = func(z []int) float64 {
					if f.size(z) >= f.size(x) {
						return math.Inf(-1)
					}
					return f.ratio(z)
				}
				if z, ratio := g.climb(y, 2, k); ratio > 1+margin {
					x, progress = z, true
					break moves
				}
			}
		}
	}
	return x, nil
}

// build is NewInstance for parameters that are right by construction.
func build(p Problem, delta float64, start []float64, s Schedule, t int) Instance {
	in, err := NewInstance(p, delta, start, s, t)
	if err != nil {
		panic(err)
	}
	return in
}

// fill evaluates the printed and the derived bound at c.Parameters.
func (c Counterexample) fill() (Counterexample, error) {
	claim, err := bounds.Find(c.Claim)
	if err != nil {
		return c, err
	}
	if c.Printed, err = claim.Bound(c.Form, c.Rounding, c.Parameters); err != nil {
		return c, err
	}
	c.Repaired, err = claim.Bound(bounds.Derived, c.Rounding, c.Parameters)
	return c, err
}
