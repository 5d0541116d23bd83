package bounds

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Form says which version of a result is meant.
type Form string

const (
	Printed   Form = "printed"   // as Section 4 or 5 states it
	Appendix  Form = "appendix"  // as the appendix states it, where that differs (Theorem 2)
	Derived   Form = "derived"   // what the paper's proof gives when its slips are mended
	Sharp     Form = "sharp"     // the best bound proved here under the theorem's assumptions
	Moving    Form = "moving"    // sharp, or less by comparing the iterates with a point that follows them (Theorems 2 and 3)
	Noise     Form = "noise"     // sharp with the variance of the gradient known, and grad F(w*) = 0 (Theorems 1 and 2)
	Separable Form = "separable" // sharp for F(w) = phi_1(w_1) + ... + phi_d(w_d), so for d = 1 (Theorems 3 and 4)
	Limit     Form = "limit"     // the limit superior as T grows, no bound at a finite T (Corollary 1)
)

// Rounding is the quantizer Q of the algorithm.
type Rounding string

const (
	Stochastic Rounding = "stochastic" // Q_s, equation (5)
	Nearest    Rounding = "nearest"    // Q_d, equation (3)
)

// Parameters are the constants of a problem and a run. The symbol table of the
// package comment gives the range of each; NaN stands for "not known".
type Parameters struct {
	Dim      int     // d
	Delta    float64 // grid spacing
	G        float64 // root mean square bound of the stochastic gradient
	Mu       float64 // strong convexity
	L        float64 // Lipschitz constant of the gradient
	L2       float64 // Lipschitz constant of the Hessian
	Diameter float64 // D
	C        float64 // c in alpha_t = c/sqrt(t)
	Alpha    float64 // one step size
	T        int     // averaged iterates
	Sigma    float64 // root mean square error of one stochastic gradient
	Batch    int     // gradients averaged in one step; 0 is 1

	Tail    float64 // C1 of Theorem 5
	Epsilon float64 // eps of the mixing time (10)
	Mass    float64 // pi(y) of Theorem 6
	Rate    float64 // R(y) of Theorem 6
}

// Unknown returns Parameters in which nothing is known: every real constant is
// NaN, Dim and T are 0. Fill in what is known.
func Unknown() Parameters {
	n := math.NaN()
	return Parameters{Delta: n, G: n, Mu: n, L: n, L2: n, Diameter: n, C: n, Alpha: n, Sigma: n,
		Tail: n, Epsilon: n, Mass: n, Rate: n}
}

// Value is a bound in two parts.
type Value struct {
	Decay float64 // vanishes as T grows (or as alpha vanishes)
	Floor float64 // stays
}

// Total returns Decay + Floor, the bound itself.
func (v Value) Total() float64 { return v.Decay + v.Floor }

// Claim is one result of the paper as data.
type Claim struct {
	Name        string                       // "theorem3"
	Title       string                       // "Theorem 3"
	Algorithm   string                       // "SR", "BC" or "SR chain", with its equation
	Bounds      string                       // the left side
	Assumptions []string                     // what has to hold
	Statement   string                       // the printed right side
	Proved      map[Rounding]string          // the derived right side
	Improved    map[Rounding]string          // the sharp right side
	Others      map[Form]map[Rounding]string // the right sides of further forms
	Tight       string                       // what is known about tightness
	Source      string                       // where the paper states and proves it
	Forms       []Form                       // forms under the result's assumptions, Printed first
	Further     []Form                       // forms that assume more, say less or have no short formula: Moving, Noise, Separable, Limit
	Roundings   []Rounding                   // roundings the paper states it for
	Bound       func(Form, Rounding, Parameters) (Value, error)
}

// Formula returns the right side of a form as text, "" if the claim does not have that form for the rounding. It is an expression
// in the symbols of the package comment, followed by definitions of abbreviations, separated by commas: "A + k*G, A = ..., k = ...". In it
// alpha_t is the step size, H_n = 1 + 1/2 + ... + 1/n, sum_t(x) the sum of x over t = 1..T, pos(x) = max(x, 0), phi = (1+sqrt(5))/2, and min leaves out what a constant is not
// known for. A test evaluates every formula and compares it with what Bound returns.
func (c Claim) Formula(f Form, r Rounding) string {
	switch f {
	case Printed:
		if slices.Contains(c.Forms, Printed) {
			return c.Statement
		}
	case Derived:
		return c.Proved[r]
	case Sharp:
		return c.Improved[r]
	}
	return c.Others[f][r]
}

// has reports whether the claim has the form for the rounding.
func (c Claim) has(f Form, r Rounding) bool {
	return slices.Contains(c.all(), f) && slices.Contains(c.Roundings, r) && c.Formula(f, r) != ""
}

// all returns Forms and then Further.
func (c Claim) all() []Form { return slices.Concat(c.Forms, c.Further) }

// Claims returns every result in the paper's order.
func Claims() []Claim {
	all := []Claim{lemma1, theorem1, theorem2, theorem3, theorem4, corollary1, theorem5, theorem6}
	for i, f := range []func(Form, Rounding, Parameters) (Value, error){Lemma1, Theorem1, Theorem2, Theorem3, Theorem4, Corollary1, Theorem5, Theorem6} {
		all[i].Bound = f
	}
	return all
}

// Find returns the claim with the given name, such as "theorem3".
func Find(name string) (Claim, error) {
	var names []string
	for _, c := range Claims() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Claim{}, fmt.Errorf("bounds: no claim %q; the claims are %v", name, names)
}

// check collects what speaks against evaluating one result: constants that are not given and assumptions that do not hold. All of them are
// named in one error.
type check struct {
	claim   *Claim
	refusal string   // the form or the rounding does not exist; nothing else is looked at then
	missing []string // constants that are needed and not given
	wrong   []string // constants out of range, inequalities that do not hold
}

// begin checks that the claim has the form for the rounding.
func (c *Claim) begin(f Form, r Rounding) *check {
	k := &check{claim: c}
	switch {
	case !slices.Contains(c.all(), f):
		k.refusal = fmt.Sprintf("no form %q; the forms are %v", f, c.all())
	case r != Stochastic && r != Nearest:
		k.refusal = fmt.Sprintf("no rounding %q; the roundings are %v", r, []Rounding{Stochastic, Nearest})
	case !slices.Contains(c.Roundings, r):
		k.refusal = fmt.Sprintf("it is about stochastic rounding, whose error has mean zero; with %s rounding it says nothing", r)
	case !c.has(f, r):
		k.refusal = fmt.Sprintf("no form %q for %s rounding", f, r)
	}
	return k
}

func (k *check) failf(format string, a ...any) { k.wrong = append(k.wrong, fmt.Sprintf(format, a...)) }

// err names everything that was found.
func (k *check) err() error {
	text := k.refusal
	if text == "" {
		var all []string
		switch n := len(k.missing); {
		case n == 1:
			all = append(all, "needs "+k.missing[0]+", which is not given")
		case n > 1:
			all = append(all, "needs "+strings.Join(k.missing[:n-1], ", ")+" and "+k.missing[n-1]+", which are not given")
		}
		text = strings.Join(append(all, k.wrong...), "; ")
	}
	if text == "" {
		return nil
	}
	return fmt.Errorf("bounds: %s: %s", k.claim.Title, text)
}

// constant wants a finite constant above zero, or not below zero.
func (k *check) constant(symbol, why string, x float64, zero bool) {
	relation := ">"
	if zero {
		relation = ">="
	}
	switch {
	case math.IsNaN(x):
		k.missing = append(k.missing, fmt.Sprintf("%s (%s)", symbol, why))
	case x < 0, x == 0 && !zero:
		k.failf("assumes %s %s 0 (%s), not %v", symbol, relation, why, x)
	case math.IsInf(x, 1):
		k.failf("assumes a finite %s (%s)", symbol, why)
	}
}

func (k *check) positive(symbol, why string, x float64)    { k.constant(symbol, why, x, false) }
func (k *check) nonNegative(symbol, why string, x float64) { k.constant(symbol, why, x, true) }

// whole wants a positive integer; 0 stands for "not given".
func (k *check) whole(symbol, why string, n int) {
	if n == 0 {
		k.missing = append(k.missing, fmt.Sprintf("%s (%s, at least 1)", symbol, why))
	} else if n < 0 {
		k.failf("assumes %s >= 1 (%s), not %d", symbol, why, n)
	}
}

func (k *check) dim(d int)          { k.whole("d", "the dimension", d) }
func (k *check) steps(t int)        { k.whole("T", "the number of averaged iterates", t) }
func (k *check) delta(x float64)    { k.positive("Delta", "the spacing of the grid", x) }
func (k *check) gradient(x float64) { k.nonNegative("G", "E|grad f~|^2 <= G^2", x) }
func (k *check) strong(x float64)   { k.positive("mu", "F is mu-strongly convex", x) }
func (k *check) smooth(x float64)   { k.nonNegative("L", "grad F is L-Lipschitz", x) }
func (k *check) hessian(x float64)  { k.nonNegative("L2", "the Hessian is L2-Lipschitz", x) }
func (k *check) step(x float64)     { k.positive("c", "step sizes c/sqrt(t)", x) }
func (k *check) bounded(x float64) {
	if math.IsInf(x, 1) {
		k.failf("assumes a domain of finite diameter D; this domain is unbounded")
		return
	}
	k.positive("D", "the diameter of the domain", x)
}

// consistent refuses constants that contradict each other, whether the form uses them or not. With the conventions of the package,
//
//	L >= mu                the gradient changes by at least mu|x-y| and by at most L|x-y|
//	D >= sqrt(d) Delta     W is a box with corners on the grid: it has at least one cell in every direction
//	G >= mu D/2            the gradients at two opposite corners differ by at least mu D, so one of them is at least mu D/2 long,
//
// and where D is not known G >= mu sqrt(d) Delta/2, which follows from the last two. Each can be an equality: F = (mu/2)|w-w*|^2 with w* in the
// middle of W. Between G, L, L2, Delta and c there is no other inequality: G and L are bounds from above, and a larger one is always right.
//
// The slack forgives the rounding of D = (hi-lo) sqrt(d) and the like.
func (k *check) consistent(p Parameters) {
	if !(p.Delta > 0) || p.Dim < 1 {
		return // said already
	}
	const slack = 1 + 1e-12
	below := func(x float64, y *big.Float) bool { return times(wide(x), wide(slack)).Cmp(y) < 0 }
	sided := math.Sqrt(float64(p.Dim))
	if p.Mu < 0 || p.L < 0 || p.L2 < 0 {
		k.failf("no constant is negative: mu = %v, L = %v, L2 = %v (NaN if unknown)", p.Mu, p.L, p.L2)
		return
	}
	if p.L < p.Mu {
		k.failf("the constants contradict each other: L >= mu, but L = %v is below mu = %v", p.L, p.Mu)
	}
	if known(p.Diameter) && !math.IsInf(p.Delta, 0) && (p.Diameter <= 0 || below(p.Diameter, product(sided, p.Delta))) {
		k.failf("the constants contradict each other: D >= sqrt(d)*Delta, the diameter of one cell of the grid, but D = %v is below %.6g", p.Diameter, product(sided, p.Delta))
		return
	}
	if !known(p.Mu) || !known(p.G) || p.G < 0 || math.IsInf(p.Delta, 0) {
		return
	}
	switch {
	case known(p.Diameter) && below(p.G, product(p.Mu, p.Diameter, 0.5)):
		k.failf("the constants contradict each other: G >= mu*D/2, since the gradients at opposite corners of W differ by at least mu*D, but G = %v is below %.6g", p.G, product(p.Mu, p.Diameter, 0.5))
	case math.IsInf(p.Diameter, 1) && p.Mu > 0:
		k.failf("the constants contradict each other: G >= mu*D/2, so a strongly convex F with bounded gradients has a bounded domain, but D = %v (NaN if unknown)", p.Diameter)
	case math.IsNaN(p.Diameter) && below(p.G, product(p.Mu, sided, p.Delta, 0.5)):
		k.failf("the constants contradict each other: G >= mu*D/2 and D >= sqrt(d)*Delta, so G >= mu*sqrt(d)*Delta/2, but G = %v is below %.6g", p.G, product(p.Mu, sided, p.Delta, 0.5))
	}
}

// value returns the bound, or everything that speaks against it, or an error where the bound leaves the range of float64.
func (k *check) value(bound func() parts) (Value, error) {
	if err := k.err(); err != nil {
		return Value{}, err
	}
	v, err := bound().value()
	if err != nil {
		return Value{}, fmt.Errorf("bounds: %s: %w", k.claim.Title, err)
	}
	return v, nil
}

// known reports whether a constant can be used: given and finite.
func known(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// energy is G^2/(2 mu T), the unit of the decay of Theorems 1 and 4 and Corollary 1.
func energy(p Parameters) *big.Float {
	return ratio(factors{p.G, p.G}, factors{2, p.Mu, float64(p.T)})
}

// decayStrong is (1 + log(T+1)) G^2/(2 mu T).
func decayStrong(p Parameters) *big.Float {
	return times(energy(p), wide(1+math.Log(float64(p.T)+1)))
}

// startStrong is a bound of (mu/2)|w^1 - w*|^2 in units of G^2/(2 mu): min(1, mu D/G)^2. Strong convexity and the
// optimality of w* give mu|w^1-w*| <= |grad F(w^1)| <= G when w^1 is on the
// grid, and |w^1-w*| <= D whenever D is known.
func startStrong(p Parameters) float64 {
	if !known(p.Diameter) || p.G == 0 {
		return 1
	}
	r, _ := ratio(factors{p.Mu, p.Diameter}, factors{p.G}).Float64()
	return min(r, 1) * min(r, 1)
}

// decayStrongSharp is ((mu/2)|w^1-w*|^2 + sum_{t=1..T} alpha_t G^2/2)/T for
// alpha_t = 1/(mu(t+1)): G^2 H_{T+1}/(2 mu T) with the start written out.
func decayStrongSharp(p Parameters) *big.Float {
	return times(energy(p), wide(startStrong(p)+(harmonic(p.T+1)-1)))
}

// decayStrongAgain is (y_1 + sum_{s=1..T-1} s/(s+1) A_s)/T with y_1 = (mu/2)|w^1-w*|^2 and A_s = decayStrongSharp at s:
//
//	(H_T y_1 + (G^2/(2 mu)) sum_{k=2..T} (H_k-1)/k)/T,  sum_{k=1..T} H_k/k = (H_T^2 + sum_{k=1..T} 1/k^2)/2,
//
// with pi^2/6 - 1/(T+1) for the sum of squares, which is at most that: 1/k^2 > 1/k - 1/(k+1) beyond T.
func decayStrongAgain(p Parameters) *big.Float {
	h := harmonic(p.T)
	sum := (h*h+math.Pi*math.Pi/6-1/(float64(p.T)+1))/2 - h
	return times(energy(p), wide(h*startStrong(p)+sum))
}

// decayRoot is D^2/(2 c sqrt T) + c G^2 sum/(2T), the decay of Theorems 2 and 3 with sum in the place of sum_{t<=T} 1/sqrt(t).
func decayRoot(p Parameters, sum float64) *big.Float {
	t := float64(p.T)
	return plus(ratio(factors{p.Diameter, p.Diameter}, factors{2, p.C, math.Sqrt(t)}), ratio(factors{p.C, p.G, p.G, sum}, factors{2, t}))
}

// harmonic returns H_n = 1 + 1/2 + ... + 1/n to full precision.
func harmonic(n int) float64 {
	if n <= 256 {
		var h float64
		for i := n; i >= 1; i-- { // smallest terms first
			h += 1 / float64(i)
		}
		return h
	}
	// Euler-Maclaurin; the first omitted term is 1/(252 n^6) < 2e-17.
	const gamma = 0.57721566490153286060651209008240243
	x := float64(n)
	return math.Log(x) + gamma + 1/(2*x) - 1/(12*x*x) + 1/(120*x*x*x*x)
}

// rootSum returns 1/sqrt(1) + 1/sqrt(2) + ... + 1/sqrt(n) to full precision.
func rootSum(n int) float64 {
	if n <= 1024 {
		var s float64
		for i := n; i >= 1; i-- {
			s += 1 / math.Sqrt(float64(i))
		}
		return s
	}
	// Euler-Maclaurin; the first omitted term is of order n^-5.5 < 1e-16.
	const zetaHalf = -1.4603545088095868128894991525152980
	x := float64(n)
	r := math.Sqrt(x)
	return 2*r + zetaHalf + 1/(2*r) - 1/(24*x*r) + 1/(384*x*x*x*r)
}

// floorSR is sqrt(d) Delta G/2, the floor of Theorems 1 and 2.
func floorSR(p Parameters) *big.Float {
	return product(math.Sqrt(float64(p.Dim)), p.Delta, p.G, 0.5)
}

// floorCell is x d Delta^2, the floors of BC that know no diameter.
func floorCell(p Parameters, x ...float64) *big.Float {
	return times(product(x...), product(float64(p.Dim), p.Delta, p.Delta))
}

// floorBias is L D sqrt(d) Delta/2, what a rounding error of length sqrt(d) Delta/2 with a bias costs.
func floorBias(p Parameters) *big.Float {
	return product(p.L, p.Diameter, math.Sqrt(float64(p.Dim)), p.Delta, 0.5)
}

// excess is sum_{t=1..T} (s(t) - rho)+^2/s(t) for step sizes alpha_t = a s(t), s decreasing in t. With rho = k/(a G) and k = sqrt(d) Delta/2,
// (a G^2/2) excess is sum_t (alpha_t G - k)+^2/(2 alpha_t), what the SR steps cost above the floor k G (Lemma 1, sharp form).
// The summand decreases in t; after the first 4096 terms
// the sum is replaced by its integral from the last term on, which is not
// smaller. primitive is the antiderivative of the summand without the clipping, end the
// real t at which s(t) = rho.
func excess(T int, rho float64, s, primitive func(t float64) float64, end float64) float64 {
	last := min(float64(T), end)
	var sum float64
	t := 1.0
	for ; t <= last && t <= 4096; t++ {
		e := s(t) - rho
		sum += e * e / s(t)
	}
	if from := t - 1; from < last && t > 4096 {
		sum += max(0, primitive(last)-primitive(from))
	}
	return sum
}

// budget is rho of [excess], sqrt(d) Delta/(2 a G); +Inf if G = 0, when nothing exceeds the floor.
func budget(p Parameters, over, under factors) float64 {
	if p.G == 0 {
		return math.Inf(1)
	}
	rho, _ := ratio(append(factors{math.Sqrt(float64(p.Dim)), p.Delta}, over...), append(factors{2, p.G}, under...)).Float64()
	return rho
}
