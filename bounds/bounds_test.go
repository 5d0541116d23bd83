package bounds

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"
	"gonum.org/v1/gonum/floats/scalar"
)

// The constants of the table: small enough to follow by hand.
//
//	k = sqrt(d) Delta/2 = 1/2, kG = 1.
var hand = Parameters{Dim: 4, Delta: 0.5, G: 2, Mu: 1, L: 4, L2: 3, Diameter: 3, C: 2, Alpha: 0.25, T: 4,
	Sigma: 1, Batch: 4, Tail: 2, Epsilon: 0.25, Mass: 0.25, Rate: 2}

func TestBoundsByHand(t *testing.T) {
	ln5 := 1.6094379124341003 // log(T+1)
	sqrt5 := 2.23606797749979
	strong := (1 + ln5) * 4 / 8    // (1+log 5) G^2/(2 mu T)
	h5 := 137.0 / 60               // 1 + 1/2 + 1/3 + 1/4 + 1/5
	sharp := (2 + 2*(h5-1)) / 4    // (mu/2)(G/mu)^2 = 2, G^2/(2mu) = 2
	rootSum4 := 2.7844570503761732 // 1 + 1/sqrt 2 + 1/sqrt 3 + 1/2
	// Theorem 1, sharp: alpha_t = 1/2, 1/3, 1/4, 1/5; alpha_t G - k = 1/2, 1/6, 0, -1/10.
	excess1 := 0.25/1 + (1.0/36)/(2.0/3)
	// Theorem 2, sharp: alpha_t = 2/sqrt(t); e = 4/sqrt(t) - 1/2; e^2/(2 alpha_t) = e^2 sqrt(t)/4.
	var excess2 float64
	for i := 1; i <= 4; i++ {
		r := math.Sqrt(float64(i))
		excess2 += (16/(r*r) - 4/r + 0.25) * r / 4
	}
	tests := []struct {
		claim        string
		form         Form
		rounding     Rounding
		decay, floor float64
	}{
		{"lemma1", Printed, Stochastic, 0.5, 0},  // 2*0.5*0.25*2
		{"lemma1", Derived, Stochastic, 0.25, 0}, // d Delta^2/4
		{"lemma1", Sharp, Stochastic, 0.25, 0},   // s = 1/2
		{"theorem1", Printed, Stochastic, strong, 1},
		{"theorem1", Derived, Stochastic, strong, 1},
		{"theorem1", Sharp, Stochastic, (2 + excess1) / 4, 1},
		// k = 1/2, L k = 2, s = sigma/sqrt(b) = 1/2: the floor is (2 + sqrt(4.25))/2; B = 1 exceeds the gain, so sharp is smaller.
		{"theorem1", Noise, Stochastic, (2 + excess1) / 4, 1},
		{"theorem2", Noise, Stochastic, 9.0/8 + excess2/4, 1},
		{"theorem2", Printed, Stochastic, 9.0/4 + sqrt5, 1}, // D^2/(c sqrt T), c G^2 sqrt(T+1)/(2T)
		{"theorem2", Appendix, Stochastic, 9.0/8 + sqrt5, 1},
		{"theorem2", Derived, Stochastic, 9.0/8 + 3, 1}, // c G^2 (2 sqrt T - 1)/(2T)
		{"theorem2", Sharp, Stochastic, 9.0/8 + excess2/4, 1},
		// c G/D = 4/3 and T = 4: m = 3 and q = 0 (TestMovingAgainstItsDefinition), so only the last step is another: alpha_3 for alpha_4, and no rounding error.
		{"theorem2", Moving, Stochastic, 9*math.Sqrt(3)/16 + (excess2-math.Pow(1.5, 2)/2+4/math.Sqrt(3)-1)/4, 1},
		{"theorem3", Moving, Stochastic, 9*math.Sqrt(3)/16 + 2*4*(rootSum4-0.5+1/math.Sqrt(3))/8, 0.25},
		{"theorem3", Moving, Nearest, 9*math.Sqrt(3)/16 + 2*4*(rootSum4-0.5+1/math.Sqrt(3))/8, 0.5},
		{"theorem3", Printed, Stochastic, 9.0/8 + sqrt5, 12}, // sqrt(d) Delta L D
		{"theorem3", Printed, Nearest, 9.0/8 + sqrt5, 12},
		{"theorem3", Derived, Stochastic, 9.0/8 + 3, 6},
		{"theorem3", Derived, Nearest, 9.0/8 + 3, 6},
		{"theorem3", Sharp, Stochastic, 9.0/8 + rootSum4, 0.25}, // L d Delta^2/16
		{"theorem3", Separable, Stochastic, 9.0/8 + rootSum4, 4 / (2 * math.Pow(math.Phi, 5))},
		{"theorem3", Sharp, Nearest, 9.0/8 + rootSum4, 0.5}, // L d Delta^2/8
		{"theorem4", Printed, Stochastic, strong, 4.5},      // D L2 sqrt(d) Delta/2
		{"theorem4", Printed, Nearest, strong, 4.5},
		{"theorem4", Derived, Stochastic, strong, 1.125}, // D L2 d Delta^2/8
		{"theorem4", Derived, Nearest, strong, 6},        // L D sqrt(d) Delta/2
		{"theorem4", Sharp, Stochastic, sharp, 0.1875},   // (L-mu) d Delta^2/16
		{"theorem4", Separable, Stochastic, sharp, 3 / (2 * math.Pow(math.Phi, 5))},
		{"theorem4", Sharp, Nearest, sharp + math.Sqrt(0.5)*(math.Sqrt(sharp+0.5)-math.Sqrt(0.5)), 1.125}, // e = 1/8: (sqrt(A+1/2)+sqrt(1/8))^2, floor (2+1)^2/8
		{"corollary1", Printed, Stochastic, strong, 0},
		{"corollary1", Printed, Nearest, strong, 0},
		{"corollary1", Derived, Stochastic, strong, 0},
		{"corollary1", Derived, Nearest, strong, 6},
		{"corollary1", Sharp, Stochastic, sharp, 0},
		{"corollary1", Sharp, Nearest, sharp + math.Sqrt(0.5)*(math.Sqrt(sharp+0.5)-math.Sqrt(0.5)), 1.125},
		{"corollary1", Limit, Nearest, 0, 0.5},              // L d Delta^2/8
		{"theorem5", Derived, Stochastic, 56 * 2 * 0.25, 0}, // (4*16-8) C1 (alpha/Delta)^2
		{"theorem6", Derived, Stochastic, 1, 0},             // log 2/log 2
	}
	done := map[[3]string]bool{}
	for _, tt := range tests {
		c, err := Find(tt.claim)
		if err != nil {
			t.Fatal(err)
		}
		p := hand
		if tt.claim == "corollary1" {
			p.L2 = 0
		}
		v, err := c.Bound(tt.form, tt.rounding, p)
		if err != nil {
			t.Errorf("%s %s %s: %v", tt.claim, tt.form, tt.rounding, err)
			continue
		}
		if !near(v.Decay, tt.decay) || !near(v.Floor, tt.floor) || !near(v.Total(), tt.decay+tt.floor) {
			t.Errorf("%s %s %s = %v, want {%v %v}", tt.claim, tt.form, tt.rounding, v, tt.decay, tt.floor)
		}
		done[[3]string{tt.claim, string(tt.form), string(tt.rounding)}] = true
	}
	for _, c := range Claims() {
		for _, f := range c.all() {
			for _, r := range c.Roundings {
				if c.has(f, r) && !done[[3]string{c.Name, string(f), string(r)}] {
					t.Errorf("the table has no row for %s %s %s", c.Name, f, r)
				}
			}
		}
	}
}

func near(a, b float64) bool { return scalar.EqualWithinAbsOrRel(a, b, 1e-13, 1e-13) }

// Three numbers of the refutations in docs/errata.md.
func TestNumbersOfTheRefutations(t *testing.T) {
	// F = (w-0.3)^2/2 on [0, 1]: gradients are taken at 0 and 1, G = 0.7.
	p := Unknown()
	p.Dim, p.Delta, p.G, p.Mu, p.T = 1, 1, 0.7, 1, 100000
	v, err := Corollary1(Printed, Nearest, p)
	if err != nil || math.Round(v.Total()*1e6) != 31 {
		t.Errorf("Corollary 1 = %v, %v; want about 3.1e-5", v, err)
	}
	// F' = mu z + (L2/2) max(0,z)^2 on [0, Delta], z = w - Delta/2: G = 500 + 0.05*500^2 = 13000.
	p = Parameters{Dim: 1, Delta: 1000, G: 13000, Mu: 1, L: 51, L2: 0.1, Diameter: 1000, T: 100000}
	printed, err1 := Theorem4(Printed, Stochastic, p)
	derived, err2 := Theorem4(Derived, Stochastic, p)
	if err1 != nil || err2 != nil || math.Round(printed.Total()/1e3) != 61 || math.Round(derived.Total()/1e4) != 1251 {
		t.Errorf("Theorem 4 = %v and %v, %v %v; want about 6.1e4 and 1.25e7", printed.Total(), derived.Total(), err1, err2)
	}
}

// Every assumption that is broken is named together with the result.
func TestBrokenAssumptions(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		claim string
		form  Form
		r     Rounding
		spoil func(*Parameters)
		want  string
	}{
		{"lemma1", Printed, Nearest, nil, "Lemma 1: it is about stochastic rounding"},
		{"lemma1", Printed, Stochastic, func(p *Parameters) { p.Alpha = nan }, "Lemma 1: needs alpha"},
		{"lemma1", Printed, Stochastic, func(p *Parameters) { p.Alpha = 0 }, "Lemma 1: assumes alpha > 0"},
		{"lemma1", Appendix, Stochastic, nil, `Lemma 1: no form "appendix"`},
		{"theorem1", Printed, Nearest, nil, "Theorem 1: it is about stochastic rounding"},
		{"theorem1", Printed, Rounding("up"), nil, `Theorem 1: no rounding "up"`},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.Mu = 0 }, "Theorem 1: assumes mu > 0"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.Mu = nan }, "Theorem 1: needs mu"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.T = 0 }, "Theorem 1: needs T (the number of averaged iterates, at least 1)"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.Dim = 0 }, "Theorem 1: needs d (the dimension, at least 1)"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.Delta = 0 }, "Theorem 1: assumes Delta > 0"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.Delta = inf }, "Theorem 1: assumes a finite Delta"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.G = -1 }, "Theorem 1: assumes G >= 0"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.G = inf }, "Theorem 1: assumes a finite G"},
		{"theorem1", Printed, Stochastic, func(p *Parameters) { p.G = 1e200 }, "Theorem 1: the value leaves the floating-point range: its decay is 3.262e+399"},
		{"theorem1", Sharp, Stochastic, func(p *Parameters) { p.Diameter = 0 }, "D >= sqrt(d)*Delta"},
		{"theorem2", Derived, Nearest, nil, "Theorem 2: it is about stochastic rounding"},
		{"theorem2", Printed, Stochastic, func(p *Parameters) { p.C = -1 }, "Theorem 2: assumes c > 0"},
		{"theorem2", Printed, Stochastic, func(p *Parameters) { p.C = 0 }, "Theorem 2: assumes c > 0"},
		{"theorem2", Printed, Stochastic, func(p *Parameters) { p.Diameter = inf }, "Theorem 2: assumes a domain of finite diameter"},
		{"theorem2", Printed, Stochastic, func(p *Parameters) { p.Diameter = nan }, "Theorem 2: needs D"},
		{"theorem3", Printed, Nearest, func(p *Parameters) { p.L = nan }, "Theorem 3: needs L "},
		{"theorem3", Derived, Nearest, func(p *Parameters) { p.Diameter = inf }, "Theorem 3: assumes a domain of finite diameter"},
		{"theorem4", Printed, Stochastic, func(p *Parameters) { p.L2 = nan }, "Theorem 4: needs L2"},
		{"theorem4", Derived, Nearest, func(p *Parameters) { p.L = nan }, "Theorem 4: needs L "},
		{"theorem4", Derived, Nearest, func(p *Parameters) { p.L = 0.5 }, "Theorem 4: the constants contradict each other"},
		{"theorem4", Derived, Stochastic, func(p *Parameters) { p.Diameter = inf }, "Theorem 4: assumes a domain of finite diameter"},
		{"theorem4", Derived, Stochastic, func(p *Parameters) { p.Mu = -1 }, "Theorem 4: assumes mu > 0"},
		{"theorem4", Sharp, Stochastic, func(p *Parameters) { p.L, p.L2 = nan, nan }, "Theorem 4: needs L2"},
		{"corollary1", Printed, Stochastic, nil, "Corollary 1: assumes a quadratic F"},
		{"corollary1", Derived, Nearest, func(p *Parameters) { p.L2, p.L = 0, nan }, "Corollary 1: needs L "},
		{"corollary1", Derived, Nearest, func(p *Parameters) { p.L2, p.Diameter = 0, inf }, "Corollary 1: assumes a domain of finite diameter"},
		{"theorem5", Derived, Stochastic, func(p *Parameters) { p.Tail = nan }, "Theorem 5: needs C1"},
		{"theorem5", Printed, Stochastic, nil, `Theorem 5: no form "printed"`},
		{"theorem6", Derived, Stochastic, func(p *Parameters) { p.Mass = 0.8 }, "Theorem 6: assumes pi(y) + eps < 1"},
		{"theorem6", Derived, Stochastic, func(p *Parameters) { p.Rate = 5 }, "Theorem 6: alpha*R(y) is a probability"},
	}
	for _, tt := range tests {
		c, err := Find(tt.claim)
		if err != nil {
			t.Fatal(err)
		}
		p := hand
		if tt.spoil != nil {
			tt.spoil(&p)
		}
		v, err := c.Bound(tt.form, tt.r, p)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s %s = %v, %v; want an error with %q", tt.claim, tt.form, tt.r, v, err, tt.want)
		}
	}
	if _, err := Find("theorem7"); err == nil || !strings.Contains(err.Error(), "corollary1") {
		t.Errorf("Find(theorem7) = %v, want an error that lists the claims", err)
	}
}

// What contradicts itself is refused with the inequality that it breaks, in every form and rounding of every result that has the constants.
func TestContradictions(t *testing.T) {
	for _, tt := range []struct {
		spoil func(*Parameters)
		want  string
	}{
		{func(p *Parameters) { p.L = 0.999 * p.Mu }, "L >= mu"},
		{func(p *Parameters) { p.G = 0.499 * p.Mu * p.Diameter }, "G >= mu*D/2"},
		{func(p *Parameters) { p.Diameter = 0.999 }, "D >= sqrt(d)*Delta"},
		{func(p *Parameters) { p.Diameter, p.G = math.NaN(), 0.499 }, "G >= mu*sqrt(d)*Delta/2"},
		{func(p *Parameters) { p.Mu = -1 }, "mu"},
		{func(p *Parameters) { p.L = math.Inf(-1) }, "L"},
		{func(p *Parameters) { p.G = -1e-300 }, "G"},
		{func(p *Parameters) { p.Delta = 0 }, "Delta > 0"},
		{func(p *Parameters) { p.Delta = math.Inf(1) }, "Delta"},
		{func(p *Parameters) { p.T = -5 }, "T >= 1"},
		{func(p *Parameters) { p.Dim = -1 }, "d >= 1"},
	} {
		for _, c := range Claims()[1:6] {
			for _, f := range c.all() {
				for _, r := range c.Roundings {
					p := hand
					p.L2 = 0
					tt.spoil(&p)
					if f == Limit && (p.T < 0 || p.G < 0) || !c.has(f, r) {
						continue // the limit has no T and no G
					}
					if v, err := c.Bound(f, r, p); err == nil || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("%s %s %s = %v, %v; want an error with %q", c.Name, f, r, v, err, tt.want)
					}
				}
			}
		}
	}
	// The inequalities may be equalities: F = (mu/2)|w-w*|^2 on one cell, w* in its middle.
	p := hand
	p.L2, p.L, p.Diameter, p.G = 0, p.Mu, 1, 0.5
	for _, c := range Claims()[1:6] {
		for _, f := range c.all() {
			for _, r := range c.Roundings {
				if v, err := c.Bound(f, r, p); c.has(f, r) && (err != nil || v.Decay < 0 || v.Floor < 0) {
					t.Errorf("%s %s %s on the edge of the range = %v, %v", c.Name, f, r, v, err)
				}
			}
		}
	}
	// Everything that is wrong is said at once.
	q := Unknown()
	q.Dim, q.Delta, q.Mu, q.L, q.G = 1, 1, 5, 1, 0.7
	_, err := Theorem3(Sharp, Stochastic, q)
	for _, want := range []string{"needs D (", "c (step sizes", "and T (", "which are not given", "L >= mu", "G >= mu*sqrt(d)*Delta/2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// A bound is a property of the problem, not of its units: with w measured in units 1/u and F in units 1/v it is v times as large, however small u and v,
// and whatever the products on the way. (Not what the paper prints for Theorem 4: its units are wrong, which is item 2 of the errata.)
func TestUnits(t *testing.T) {
	for _, u := range []float64{1e-120, 1e-60, 1, 1e60, 1e120} {
		for _, v := range []float64{1e-60, 1, 1e60} {
			p := hand
			p.Delta, p.Diameter = p.Delta*u, p.Diameter*u
			p.G, p.Sigma = p.G*v/u, p.Sigma*v/u
			p.Mu, p.L = p.Mu*(v/u)/u, p.L*(v/u)/u
			p.L2 = p.L2 * (v / u) / u / u
			if p.L2 == 0 || math.IsInf(p.L2, 0) {
				continue // not a float64 in these units
			}
			p.C = p.C * u / v * u
			for _, c := range Claims()[1:6] {
				for _, f := range c.all() {
					for _, r := range c.Roundings {
						if !c.has(f, r) || c.Name == "theorem4" && f == Printed {
							continue
						}
						want := value(c, f, r, hand).Total() * v
						if got := value(c, f, r, p).Total(); !scalar.EqualWithinRel(got, want, 1e-12) {
							t.Errorf("%s %s %s with w in units of %g and F in units of %g: %v, want %v", c.Name, f, r, 1/u, 1/v, got, want)
						}
					}
				}
			}
		}
	}
}

// Where the bound itself is no float64 it is an error, never 0 and never +Inf.
func TestOutOfRange(t *testing.T) {
	for name, change := range map[string]func(*Parameters){
		"tiny": func(p *Parameters) {
			p.Delta, p.Diameter, p.G, p.Alpha, p.Mu, p.L, p.C, p.Sigma = 1e-200, 1e-199, 1e-199, 1e-200, 1, 1, 1, 1e-200
		},
		"large": func(p *Parameters) {
			p.Delta, p.Diameter, p.G, p.Alpha, p.Mu, p.L, p.C, p.Sigma = 1e200, 1e201, 1e300, 1e200, 1e-200, 1e200, 1, 1e200
		},
	} {
		p := hand
		change(&p)
		p.L2 = 0
		for _, c := range Claims()[:6] {
			for _, f := range c.all() {
				for _, r := range c.Roundings {
					if v, err := c.Bound(f, r, p); c.has(f, r) && (err == nil || !strings.Contains(err.Error(), "leaves the floating-point range")) {
						t.Errorf("%s: %s %s %s = %v, %v", name, c.Name, f, r, v, err)
					}
				}
			}
		}
	}
	// A floor that is 0 and one that vanishes in rounding are told apart.
	p := hand
	p.L2 = 0
	if v, err := Corollary1(Sharp, Stochastic, p); err != nil || v.Floor != 0 {
		t.Errorf("Corollary 1 with Q_s: %v, %v; want the floor 0", v, err)
	}
	p.Delta, p.Diameter = 1e-170, math.NaN()
	if v, err := Theorem4(Sharp, Nearest, p); err == nil {
		t.Errorf("a floor of about 1e-340 came out as %v", v)
	}
	if v, err := Theorem6(Derived, Stochastic, Parameters{Alpha: 1e-200, Rate: 1e-100, Mass: 0.25, Epsilon: 0.25}); err != nil || !scalar.EqualWithinRel(v.Decay, math.Ln2*1e300, 1e-12) {
		t.Errorf("Theorem 6 with alpha R = 1e-300: %v, %v", v, err)
	}
}

// The form noise at the hand-made constants, and its two ends: no noise, and L -> 0.
func TestNoise(t *testing.T) {
	p := hand // k = 1/2, L k = 2, s = 1/2
	p.T = 1_000_000_000
	v := value(theorem2, Noise, Stochastic, p)
	if want := 1.0; !near(v.Floor, want) { // k G = 1 is smaller than (2 + sqrt(4.25))/2
		t.Errorf("floor %v, want %v", v.Floor, want)
	}
	p.L, p.Mu = 0.2, math.NaN() // L k = 0.1
	if v = value(theorem2, Noise, Stochastic, p); !near(v.Floor, 0.5*(0.1+math.Sqrt(0.26))) {
		t.Errorf("floor %v, want %v", v.Floor, 0.5*(0.1+math.Sqrt(0.26)))
	}
	p.Sigma = 0
	if v = value(theorem2, Noise, Stochastic, p); !near(v.Floor, 0.2*4*0.25/2) { // L d Delta^2/2
		t.Errorf("floor without noise %v, want %v", v.Floor, 0.1)
	}
	p.Sigma, p.L, p.Batch = 1, 0, 0
	if v = value(theorem2, Noise, Stochastic, p); !near(v.Floor, 0.5) { // k sigma
		t.Errorf("floor for L = 0: %v, want 0.5", v.Floor)
	}
	random(t, "the floor falls as b grows, towards L d Delta^2/2", func(p Parameters) bool {
		last := math.Inf(1)
		for b := 1; b < 1<<40; b *= 16 {
			p.Batch = b
			v := noiseAware(p, wide(0))
			f, _ := v.floor.Float64()
			k := math.Sqrt(float64(p.Dim)) * p.Delta / 2
			if f > last || f > k*p.Sigma/math.Sqrt(float64(b))*(1+1e-12)+2*p.L*k*k*(1+1e-12) || f < 2*p.L*k*k*(1-1e-12) {
				return false
			}
			last = f
		}
		return true
	})
}

// Unknown constants are never guessed: each one a bound uses must be asked for.
func TestUnknownConstantsAreRefused(t *testing.T) {
	for _, c := range Claims() {
		for _, f := range c.all() {
			for _, r := range c.Roundings {
				if v, err := c.Bound(f, r, Unknown()); err == nil {
					t.Errorf("%s %s %s of nothing = %v", c.Name, f, r, v)
				}
			}
		}
	}
	// What needs no domain does not ask for one.
	p := hand
	p.Diameter, p.L2 = math.NaN(), 0
	for _, f := range []Form{Printed, Derived, Sharp} {
		if _, err := Corollary1(f, Stochastic, p); err != nil {
			t.Error(err)
		}
		if _, err := Theorem1(f, Stochastic, p); err != nil {
			t.Error(err)
		}
	}
}

// random draws constants over six decades each; every generator shrinks.
func random(t *testing.T, name string, check func(p Parameters) bool) {
	t.Helper()
	tp := gopter.DefaultTestParametersWithSeed(20170601)
	tp.MinSuccessfulTests = 300
	e := func() gopter.Gen { return gen.Float64Range(-3, 3) }
	ps := gopter.NewProperties(tp)
	ps.Property(name, prop.ForAll(func(d int, delta, g, mu, kappa, l2, diameter, c, te float64) bool {
		x := func(e float64) float64 { return math.Pow(10, e) }
		// D and G are at least twice what they have to be, so that a property may change a constant a little.
		p := Parameters{Dim: d, Delta: x(delta), Mu: x(mu), L: x(mu) * (1 + x(kappa)), L2: x(l2),
			C: x(c), Alpha: x(c), T: int(x(te)), Tail: x(g), Sigma: x(l2), Batch: d}
		p.Diameter = 2 * math.Sqrt(float64(d)) * p.Delta * (1 + x(diameter))
		p.G = p.Mu * p.Diameter * (1 + x(g))
		return check(p)
	}, gen.IntRange(1, 50), e(), e(), e(), e(), e(), e(), e(), gen.Float64Range(0, 6)))
	ps.TestingRun(t)
}

// value is the bound of a claim that has to exist.
func value(c Claim, f Form, r Rounding, p Parameters) Value {
	if c.Name == "corollary1" {
		p.L2 = 0
	}
	bound := c.Bound
	if bound == nil { // of the variable; Claims knows it
		named, _ := Find(c.Name)
		bound = named.Bound
	}
	v, err := bound(f, r, p)
	if err != nil {
		panic(err)
	}
	return v
}

func TestMonotone(t *testing.T) {
	each := func(p Parameters, change func(*Parameters), ok func(c Claim, before, after Value) bool) bool {
		q := p
		change(&q)
		for _, c := range Claims()[:6] {
			for _, f := range c.all() {
				for _, r := range c.Roundings {
					if c.has(f, r) && !ok(c, value(c, f, r, p), value(c, f, r, q)) {
						return false
					}
				}
			}
		}
		return true
	}
	const slack = 1 + 1e-9
	grows := func(_ Claim, a, b Value) bool { return b.Total() >= a.Total()/slack }
	random(t, "no bound falls as Delta grows", func(p Parameters) bool {
		return each(p, func(q *Parameters) { q.Delta *= 1.5 }, func(c Claim, a, b Value) bool { return b.Total() >= a.Total()/slack })
	})
	random(t, "no bound falls as G grows", func(p Parameters) bool {
		return each(p, func(q *Parameters) { q.G *= 1.5 }, grows)
	})
	random(t, "no bound falls as d grows", func(p Parameters) bool {
		return each(p, func(q *Parameters) { q.Dim++ }, func(c Claim, a, b Value) bool { return b.Total() >= a.Total()/slack })
	})
	random(t, "no bound falls as D grows", func(p Parameters) bool {
		return each(p, func(q *Parameters) { q.Diameter *= 1.5 }, func(c Claim, a, b Value) bool { return b.Total() >= a.Total()/slack })
	})
	random(t, "the decay falls as T grows, the floor does not move", func(p Parameters) bool {
		p.T += 2 // sqrt(T+1)/T and (2 sqrt(T) - 1)/T both fall from T = 1 on, the latter strictly from 2 on
		return each(p, func(q *Parameters) { q.T *= 2 }, func(c Claim, a, b Value) bool {
			return b.Total() <= a.Total()*slack
		})
	})
}

func TestFormsAgainstEachOther(t *testing.T) {
	const slack = 1 + 1e-9
	all := Claims()[:6]
	random(t, "sharp <= derived", func(p Parameters) bool {
		for _, c := range all {
			for _, r := range c.Roundings {
				if value(c, Sharp, r, p).Total() > value(c, Derived, r, p).Total()*slack {
					return false
				}
			}
		}
		return true
	})
	random(t, "separable <= sharp, noise <= sharp", func(p Parameters) bool {
		for _, c := range all {
			for _, f := range []Form{Separable, Noise} {
				if c.has(f, Stochastic) && value(c, f, Stochastic, p).Total() > value(c, Sharp, Stochastic, p).Total()*slack {
					return false
				}
			}
		}
		return true
	})
	random(t, "Theorem 2: derived <= printed, by the proof's own sum, when c <= ownSumUpTo(T) D/G; c <= sqrt(2) D/G is below that up to T = 8", func(p Parameters) bool {
		for T := 1; T <= 12; T++ {
			p.T, p.C = T, p.Diameter/p.G*min(ownSumUpTo(T), 1e3)
			own, _ := plus(decayRoot(p, rootSum(T)), floorSR(p)).Float64()
			q := p
			q.C *= 1.01
			beyond, _ := plus(decayRoot(q, rootSum(T)), floorSR(q)).Float64()
			if own > value(theorem2, Printed, Stochastic, p).Total()*slack || T > 2 && beyond <= value(theorem2, Printed, Stochastic, q).Total() || (ownSumUpTo(T) >= math.Sqrt2) != (T <= 8) {
				return false
			}
		}
		return math.Abs(ownSumUpTo(1e12)-1) < 1e-5
	})
	random(t, "Lemma 1: derived <= printed; Theorem 1: equal", func(p Parameters) bool {
		return value(lemma1, Derived, Stochastic, p).Total() <= value(lemma1, Printed, Stochastic, p).Total() &&
			value(theorem1, Derived, Stochastic, p) == value(theorem1, Printed, Stochastic, p)
	})
	random(t, "Theorem 2: derived <= printed when c <= D/G", func(p Parameters) bool {
		p.C = min(p.C, p.Diameter/p.G)
		return value(theorem2, Derived, Stochastic, p).Total() <= value(theorem2, Printed, Stochastic, p).Total()*slack
	})
	random(t, "Theorem 2: appendix <= printed; appendix <= derived", func(p Parameters) bool {
		a := value(theorem2, Appendix, Stochastic, p).Total()
		p3 := p
		p3.T = max(p.T, 3) // sqrt(T+1) <= 2 sqrt(T) - 1 from T = 3 on
		return a <= value(theorem2, Printed, Stochastic, p).Total() &&
			value(theorem2, Appendix, Stochastic, p3).Total() <= value(theorem2, Derived, Stochastic, p3).Total()*slack
	})
	random(t, "Theorem 3: derived floor is half the printed one", func(p Parameters) bool {
		return near(2*value(theorem3, Derived, Nearest, p).Floor, value(theorem3, Printed, Nearest, p).Floor)
	})
	random(t, "Theorem 4, Q_s: derived <= printed exactly when sqrt(d) Delta <= 4", func(p Parameters) bool {
		x := math.Sqrt(float64(p.Dim)) * p.Delta
		d, q := value(theorem4, Derived, Stochastic, p).Floor, value(theorem4, Printed, Stochastic, p).Floor
		return near(x, 4) || (x < 4) == (d < q)
	})
	random(t, "Corollary 1 is Theorem 4 with L2 = 0 where the paper says so", func(p Parameters) bool {
		p.L2 = 0
		return value(corollary1, Printed, Nearest, p) == value(theorem4, Printed, Nearest, p) &&
			value(corollary1, Derived, Stochastic, p) == value(theorem4, Derived, Stochastic, p) &&
			value(corollary1, Sharp, Nearest, p) == value(theorem4, Sharp, Nearest, p)
	})
}

// The second decay of Theorem 4's sharp form for Q_d against its definition.
func TestDecayStrongAgain(t *testing.T) {
	for _, T := range []int{1, 2, 3, 10, 1000, 100000} {
		p := hand
		unit := p.G * p.G / (2 * p.Mu)
		sum := startStrong(p) * unit
		for p.T = 1; p.T < T; p.T++ {
			sum += (startStrong(p) + harmonic(p.T+1) - 1) * unit / float64(p.T+1)
		}
		got, _ := decayStrongAgain(p).Float64()
		want := sum / float64(T)
		// pi^2/6 - 1/(T+1) exceeds the sum of squares by less than 1/T - 1/(T+1).
		if over := p.G * p.G / (2 * p.Mu) / 2 / float64(T) / float64(T+1) / float64(T); got < want*(1-1e-12) || got > want*(1+1e-12)+over {
			t.Errorf("T = %d: %v, by summation %v", T, got, want)
		}
	}
	p := hand
	p.T = 1_000_000
	if v := value(theorem4, Sharp, Nearest, p); v.Floor != 1 { // L d Delta^2/4, below (2+1)^2/8
		t.Errorf("Theorem 4, sharp, Q_d, T = 1e6: floor %v, want 1", v.Floor)
	}
}

// Theorem 4 with Q_d: no theta makes the line that its comment proves smaller than the sharp form, the best one comes as close as the grid is fine, and the theta that makes the floor smallest is worse. The
// bound has its best L at the smallest: it does not fall as L grows.
func TestTheorem4BestTheta(t *testing.T) {
	for _, L := range []float64{1, 1.5, 4, 100} {
		for _, T := range []int{1, 4, 1000} {
			p := hand
			p.L, p.T, p.Diameter, p.Delta = L, T, math.NaN(), 0.25
			a, _ := decayStrongSharp(p).Float64()
			e := float64(p.Dim) * p.Delta * p.Delta / 8
			line := func(theta float64) float64 { return (a + (p.L-p.Mu)*e + p.Mu*e/theta) / (1 - theta) }
			got := balanced(p, decayStrongSharp(p)).total()
			x, _ := got.Float64()
			least := math.Inf(1)
			for theta := 1e-4; theta < 1; theta += 1e-4 {
				least = min(least, line(theta))
			}
			if x > least*(1+1e-12) || x < least*(1-1e-3) {
				t.Errorf("L = %v, T = %d: %v, the best of the thetas gives %v", L, T, x, least)
			}
			if floors := line(math.Sqrt(p.Mu) / (math.Sqrt(p.Mu) + math.Sqrt(p.L))); floors <= x {
				t.Errorf("L = %v, T = %d: %v, with the best floor %v: want it to be worse", L, T, x, floors)
			}
			q := p
			q.L *= 1.001
			if y, _ := balanced(q, decayStrongSharp(q)).total().Float64(); y <= x {
				t.Errorf("L = %v, T = %d: %v, for a larger L %v", L, T, x, y)
			}
		}
	}
}

// The sums against exact rationals and against plain summation.
func TestSums(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 255, 256, 257, 1000} {
		h := new(big.Rat)
		for i := 1; i <= n; i++ {
			h.Add(h, big.NewRat(1, int64(i)))
		}
		want, _ := h.Float64()
		if got := harmonic(n); !scalar.EqualWithinRel(got, want, 1e-15) {
			t.Errorf("harmonic(%d) = %v, want %v", n, got, want)
		}
		if harmonic(n) > 1+math.Log(float64(n)) {
			t.Errorf("H_%d > 1 + log %d", n, n)
		}
	}
	for _, n := range []int{1, 2, 3, 1023, 1024, 1025, 100000} {
		var want float64
		for i := n; i >= 1; i-- {
			want += 1 / math.Sqrt(float64(i))
		}
		if got := rootSum(n); !scalar.EqualWithinRel(got, want, 1e-14) {
			t.Errorf("rootSum(%d) = %v, want %v", n, got, want)
		}
		// The step of Appendix C: false from T = 3 on; and its repair.
		if x := float64(n); (want <= math.Sqrt(x+1)) != (n < 3) || want > 2*math.Sqrt(x)-1+1e-12 {
			t.Errorf("sum of 1/sqrt(t) to %d is %v: sqrt(T+1) = %v, 2 sqrt(T)-1 = %v", n, want, math.Sqrt(x+1), 2*math.Sqrt(x)-1)
		}
	}
}

// The sharp forms of Theorems 1 and 2 replace the tail of their sum by an
// integral: never below the sum, and by little.
func TestExcessAgainstTheSum(t *testing.T) {
	random(t, "excess", func(p Parameters) bool {
		p.T = min(p.T, 50000)
		k := math.Sqrt(float64(p.Dim)) * p.Delta / 2
		for i, alpha := range []func(float64) float64{
			func(t float64) float64 { return 1 / (p.Mu * (t + 1)) },
			func(t float64) float64 { return p.C / math.Sqrt(t) },
		} {
			var want float64
			for t := 1; t <= p.T; t++ {
				a := alpha(float64(t))
				e := max(0, a*p.G-k)
				want += e * e / (2 * a)
			}
			var got float64
			if i == 0 {
				got = value(Claims()[1], Sharp, Stochastic, p).Decay*float64(p.T) - startStrong(p)*p.G*p.G/(2*p.Mu)
			} else {
				got = value(theorem2, Sharp, Stochastic, p).Decay*float64(p.T) - p.Diameter*p.Diameter*math.Sqrt(float64(p.T))/(2*p.C)
			}
			scale := 1e-9 * (want + value(theorem2, Sharp, Stochastic, p).Decay*float64(p.T) + p.G*p.G/p.Mu)
			if got < want-scale || got > want*1.001+scale {
				return false
			}
		}
		return true
	})
}

// The sharp Lemma 1 is attained: |g_i| = min(G/sqrt(d), Delta/(2 alpha)).
func TestLemma1IsAttained(t *testing.T) {
	random(t, "attained", func(p Parameters) bool {
		u := p.Alpha * min(p.G/math.Sqrt(float64(p.Dim)), p.Delta/(2*p.Alpha)) / p.Delta
		err := float64(p.Dim) * p.Delta * p.Delta * u * (1 - u)
		return scalar.EqualWithinRel(err, value(lemma1, Sharp, Stochastic, p).Total(), 1e-12)
	})
}

// What a caller must not ask for is a panic that names it.
func TestProgrammerErrorsPanic(t *testing.T) {
	for want, f := range map[string]func(){
		"TrueLimit: want delta > 0": func() { TrueLimit([]float64{0}, 0, 0, func(dst, x []float64) {}) },
		"TrueUpTo: want T >= 1":     func() { TrueUpTo(Printed, 0) },
		"form printed or appendix":  func() { TrueUpTo(Sharp, 9) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
					t.Errorf("%v, want a panic with %q", r, want)
				}
			}()
			f()
		}()
	}
}

// Two finite parts may have a sum that is not.
func TestASumBeyondFloat64IsAnError(t *testing.T) {
	if v, err := (parts{wide(1e308), wide(1e308)}).value(); err == nil {
		t.Errorf("%+v, want an error", v)
	}
}
