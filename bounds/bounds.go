package bounds

import (
	"fmt"
	"math"
	"slices"
)

// Form says which version of a result is meant.
type Form string

const (
	Printed  Form = "printed"  // as Section 4 or 5 states it
	Appendix Form = "appendix" // as the appendix states it, where that differs (Theorem 2)
	Derived  Form = "derived"  // what the paper's proof gives when its slips are mended
	Sharp    Form = "sharp"    // the best bound proved here
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

	Tail    float64 // C1 of Theorem 5
	Epsilon float64 // eps of the mixing time (10)
	Mass    float64 // pi(y) of Theorem 6
	Rate    float64 // R(y) of Theorem 6
}

// Unknown returns Parameters in which nothing is known: every real constant is
// NaN, Dim and T are 0. Fill in what is known.
func Unknown() Parameters {
	n := math.NaN()
	return Parameters{Delta: n, G: n, Mu: n, L: n, L2: n, Diameter: n, C: n, Alpha: n,
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
	Name        string              // "theorem3"
	Title       string              // "Theorem 3"
	Algorithm   string              // "SR", "BC" or "SR chain", with its equation
	Bounds      string              // the left side
	Assumptions []string            // what has to hold
	Statement   string              // the printed right side
	Proved      map[Rounding]string // the derived right side
	Improved    map[Rounding]string // the sharp right side
	Tight       string              // what is known about tightness
	Source      string              // where the paper states and proves it
	Forms       []Form              // forms that exist, Printed first
	Roundings   []Rounding          // roundings the paper states it for
	Bound       func(Form, Rounding, Parameters) (Value, error)
}

// Claims returns every result in the paper's order.
func Claims() []Claim {
	return []Claim{lemma1, theorem1, theorem2, theorem3, theorem4, corollary1, theorem5, theorem6}
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

// check collects the assumptions of one result; the first that fails is kept.
type check struct {
	title string
	err   error
}

func (k *check) failf(format string, a ...any) {
	if k.err == nil {
		k.err = fmt.Errorf("bounds: %s: %s", k.title, fmt.Sprintf(format, a...))
	}
}

// form refuses a form or a rounding the result does not have.
func (k *check) form(f Form, forms []Form, r Rounding, roundings []Rounding) {
	if !slices.Contains(forms, f) {
		k.failf("no form %q; the forms are %v", f, forms)
	}
	if r != Stochastic && r != Nearest {
		k.failf("no rounding %q; the roundings are %v", r, []Rounding{Stochastic, Nearest})
	}
	if !slices.Contains(roundings, r) {
		k.failf("it is about stochastic rounding, whose error has mean zero; with %s rounding it says nothing", r)
	}
}

// positive wants a finite constant above zero.
func (k *check) positive(symbol, why string, x float64) {
	switch {
	case math.IsNaN(x):
		k.failf("needs %s (%s), which is not given", symbol, why)
	case x <= 0:
		k.failf("assumes %s > 0 (%s), not %v", symbol, why, x)
	case math.IsInf(x, 1):
		k.failf("assumes a finite %s (%s)", symbol, why)
	}
}

// nonNegative wants a finite constant not below zero.
func (k *check) nonNegative(symbol, why string, x float64) {
	switch {
	case math.IsNaN(x):
		k.failf("needs %s (%s), which is not given", symbol, why)
	case x < 0:
		k.failf("assumes %s >= 0 (%s), not %v", symbol, why, x)
	case math.IsInf(x, 1):
		k.failf("assumes a finite %s (%s)", symbol, why)
	}
}

func (k *check) dim(d int) {
	if d < 1 {
		k.failf("assumes a dimension d >= 1, not %d", d)
	}
}

func (k *check) steps(t int) {
	if t < 1 {
		k.failf("assumes T >= 1 averaged iterates, not %d", t)
	}
}

func (k *check) delta(x float64)    { k.positive("Delta", "the spacing of the grid", x) }
func (k *check) gradient(x float64) { k.nonNegative("G", "E|grad f~|^2 <= G^2", x) }
func (k *check) strong(x float64)   { k.positive("mu", "F is mu-strongly convex", x) }
func (k *check) smooth(x float64)   { k.nonNegative("L", "grad F is L-Lipschitz", x) }
func (k *check) hessian(x float64)  { k.nonNegative("L2", "the Hessian is L2-Lipschitz", x) }
func (k *check) step(x float64)     { k.positive("c", "step sizes c/sqrt(t)", x) }
func (k *check) bounded(x float64) {
	if math.IsInf(x, 1) {
		k.failf("assumes a domain of finite diameter D; this domain is unbounded")
	}
	k.positive("D", "the diameter of the domain", x)
}

// optionalDiameter is for bounds that use D where it is known and finite.
func (k *check) optionalDiameter(x float64) {
	if known(x) && x <= 0 {
		k.failf("uses the diameter D of the domain where it is known: it must be above 0, not %v (NaN or +Inf if unknown)", x)
	}
}

// ordered refuses constants that contradict each other.
func (k *check) ordered(mu, l float64) {
	if l < mu {
		k.failf("the constants contradict each other: L = %v is below mu = %v", l, mu)
	}
}

// value returns v, or the first failed assumption, or an error where the
// formula leaves the floating-point range.
func (k *check) value(v func() Value) (Value, error) {
	if k.err != nil {
		return Value{}, k.err
	}
	x := v()
	if t := x.Total(); math.IsNaN(t) || math.IsInf(t, 0) {
		return Value{}, fmt.Errorf("bounds: %s: the value leaves the floating-point range (%v + %v)", k.title, x.Decay, x.Floor)
	}
	return x, nil
}

// known reports whether a constant can be used: given and finite.
func known(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// smaller returns the value with the smaller total.
func smaller(a, b Value) Value {
	if b.Total() < a.Total() {
		return b
	}
	return a
}

// decayStrongAgain is (y_1 + sum_{s=1..T-1} s/(s+1) A_s)/T with y_1 = (mu/2)|w^1-w*|^2 and A_s = decayStrongSharp at s:
//
//	(H_T y_1 + (G^2/(2 mu)) sum_{k=2..T} (H_k-1)/k)/T,  sum_{k=1..T} H_k/k = (H_T^2 + sum_{k=1..T} 1/k^2)/2,
//
// with pi^2/6 - 1/(T+1) for the sum of squares, which is at most that: 1/k^2 > 1/k - 1/(k+1) beyond T.
func decayStrongAgain(p Parameters) float64 {
	h := harmonic(p.T)
	sum := (h*h+math.Pi*math.Pi/6-1/float64(p.T+1))/2 - h
	return (h*startStrong(p) + p.G*p.G/(2*p.Mu)*sum) / float64(p.T)
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

// decayStrong is (1 + log(T+1)) G^2 / (2 mu T), the decay of Theorems 1 and 4.
func decayStrong(p Parameters) float64 {
	t := float64(p.T)
	return (1 + math.Log(t+1)) * p.G * p.G / (2 * p.Mu * t)
}

// startStrong is a bound of (mu/2)|w^1 - w*|^2. Strong convexity and the
// optimality of w* give mu|w^1-w*| <= |grad F(w^1)| <= G when w^1 is on the
// grid, and |w^1-w*| <= D whenever D is known.
func startStrong(p Parameters) float64 {
	r := p.G / p.Mu
	if known(p.Diameter) && p.Diameter > 0 {
		r = min(r, p.Diameter)
	}
	return p.Mu / 2 * r * r
}

// decayStrongSharp is ((mu/2)|w^1-w*|^2 + sum_{t=1..T} alpha_t G^2/2)/T for
// alpha_t = 1/(mu(t+1)): G^2 H_{T+1}/(2 mu T) with the start written out.
func decayStrongSharp(p Parameters) float64 {
	return (startStrong(p) + p.G*p.G/(2*p.Mu)*(harmonic(p.T+1)-1)) / float64(p.T)
}

// floorSR is sqrt(d) Delta G/2, the floor of Theorems 1 and 2.
func floorSR(p Parameters) float64 {
	return math.Sqrt(float64(p.Dim)) * p.Delta * p.G / 2
}

// excess is sum_{t=1..T} (alpha_t G - k)+^2/(2 alpha_t), k = sqrt(d) Delta/2:
// what one SR step costs above the floor k*G (see Lemma 1, sharp form).
// alpha decreases in t and so does the summand; after the first 4096 terms
// the sum is replaced by its integral from the last term on, which is not
// smaller. primitive is the antiderivative of the unclipped summand and end the
// real t at which alpha(t) G = k.
func excess(p Parameters, alpha func(t float64) float64, primitive func(t float64) float64, end float64) float64 {
	k := math.Sqrt(float64(p.Dim)) * p.Delta / 2
	last := min(float64(p.T), end)
	var s float64
	t := 1.0
	for ; t <= last && t <= 4096; t++ {
		a := alpha(t)
		e := a*p.G - k
		s += e * e / (2 * a)
	}
	if from := t - 1; from < last && t > 4096 {
		s += max(0, primitive(last)-primitive(from))
	}
	return s
}
