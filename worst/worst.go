package worst

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tqn/bounds"
	"tqn/evidence"
)

//go:embed certificates/*.json certificates/rounded/*.json
var files embed.FS

// Case is a worst case that has been proved: Lower <= sup F(wbar_T) - F* <= Upper, in units of G D (Theorems 2, 3) or G^2/mu (1, 4).
type Case struct {
	Problem
	Lower, Upper float64 // rounded outwards
	Dim          int     // of the instance
	Weights      int     // inequalities that the proof of Upper uses
}

// Gap is Upper - Lower.
func (c Case) Gap() float64 { return c.Upper - c.Lower }

// Check proves both sides of a certificate.
func (c *Certificate) Check() (Case, error) {
	upper, err := c.Upper()
	if err != nil {
		return Case{}, err
	}
	lower, err := c.Lower()
	if err != nil {
		return Case{}, err
	}
	if lower.Cmp(upper) > 0 {
		return Case{}, fmt.Errorf("worst: %s: the instance is above the upper bound, which contradicts a proof", c.Name())
	}
	lo, _ := lower.Float64()
	hi, _ := upper.Float64()
	return Case{Problem: c.Problem, Lower: math.Nextafter(lo, math.Inf(-1)), Upper: math.Nextafter(hi, math.Inf(1)), Dim: c.Dim(), Weights: len(c.multipliers)}, nil
}

// certificates reads the embedded files without rounding errors.
func certificates() ([]*Certificate, error) { return read("certificates/*.json") }

// read reads embedded files, sorted by problem.
func read(pattern string) ([]*Certificate, error) {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, err
	}
	var all []*Certificate
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Certificate) int {
		return cmp.Or(cmp.Compare(a.Theorem, b.Theorem), cmp.Compare(a.K(), b.K()), cmp.Compare(a.LFloat(), b.LFloat()), cmp.Compare(a.T, b.T))
	})
	return all, nil
}

// Cases checks every committed certificate, once in a process, and returns the worst cases sorted by theorem, c, L and T. A certificate that fails is an error.
var Cases = sync.OnceValues(func() ([]Case, error) {
	all, err := certificates()
	if err != nil {
		return nil, err
	}
	cases := make([]Case, len(all))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range all {
		group.Go(func() (err error) {
			cases[i], err = c.Check()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return cases, nil
})

// Problems are the problems of the committed certificates in the order of [Cases], without the proofs.
var Problems = sync.OnceValues(func() ([]Problem, error) {
	all, err := certificates()
	if err != nil {
		return nil, err
	}
	problems := make([]Problem, len(all))
	for i, c := range all {
		problems[i] = c.Problem
	}
	return problems, nil
})

// Row names everything of a problem but T, as in the names of the certificates: "theorem2-k2-9/4", "theorem3-k2-1-l-16".
func (p Problem) Row() string {
	text := p.Claim()
	if p.K2 != nil {
		text += "-k2-" + p.K2.RatString()
	}
	if p.L != nil {
		text += "-l-" + p.L.RatString()
	}
	return text
}

// K is k = c G/D, or 0 for Theorems 1 and 4.
func (p Problem) K() float64 {
	if p.K2 == nil {
		return 0
	}
	x, _ := p.K2.Float64()
	return math.Sqrt(x)
}

// LFloat is L in the problem's unit, or 0 for Theorems 1 and 2.
func (p Problem) LFloat() float64 {
	if p.L == nil {
		return 0
	}
	x, _ := p.L.Float64()
	return x
}

// Claim is the name of the theorem in package bounds.
func (p Problem) Claim() string { return fmt.Sprintf("theorem%d", p.Theorem) }

// fine is the spacing of the grid at which the bounds are evaluated: the floors of Theorems 1 to 4 are below 1e-14 of the unit there.
const fine = 1e-15

// Parameters are the constants of the problem in its unit, on a fine grid.
func (p Problem) Parameters() bounds.Parameters {
	q := bounds.Unknown()
	q.Dim, q.Delta, q.G, q.T = 1, fine, 1, p.T
	if p.strong() {
		q.Mu = 1
		q.L2, q.Diameter = 0, 2 // |w - w*| <= G/mu; the floors of Theorem 4 are not looked at
	} else {
		q.Diameter, q.C = 1, p.K()
	}
	if p.Theorem == 1 {
		q.L2, q.Diameter = math.NaN(), math.NaN()
	}
	if p.smooth() {
		q.L = p.LFloat()
	}
	return q
}

// Bound is the decay of a form of the theorem: what the form says as Delta -> 0. BC is bounded with Q_s; its decay is the same for Q_d.
func (p Problem) Bound(form bounds.Form) (float64, error) {
	claim, err := bounds.Find(p.Claim())
	if err != nil {
		return 0, err
	}
	v, err := claim.Bound(form, bounds.Stochastic, p.Parameters())
	return v.Total(), err
}

// Result is the enclosure as evidence: exact, the estimate in the middle.
func (c Case) Result() evidence.Result {
	return evidence.Exact(c.Lower+(c.Upper-c.Lower)/2, (c.Upper-c.Lower)/2*(1+1e-12)+1e-17)
}
