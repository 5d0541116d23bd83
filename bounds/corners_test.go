package bounds

import (
	"math"
	"strings"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"
)

// corner draws constants from the whole admissible range with its edges: each is an end of its range, a round number or anything between, and G, D and L may be exactly the smallest that the others allow.
func corner(t *testing.T, name string, draws int, check func(p Parameters) bool) {
	t.Helper()
	tp := gopter.DefaultTestParametersWithSeed(20171204)
	tp.MinSuccessfulTests = draws
	wide := func(low, high float64) gopter.Gen {
		return gen.OneGenOf(gen.OneConstOf(math.Pow(10, low), math.Pow(10, high), 1.0), gen.Float64Range(low, high).Map(func(e float64) float64 { return math.Pow(10, e) }))
	}
	over := gen.OneGenOf(gen.OneConstOf(1.0, 2.0, 1e6), gen.Float64Range(0, 12).Map(func(e float64) float64 { return math.Pow(10, e) })) // how far above the least a constant is
	ps := gopter.NewProperties(tp)
	ps.Property(name, prop.ForAll(func(d, T int, delta, mu, c float64, overs []float64, l2, sigma float64) bool {
		p := Unknown()
		p.Dim, p.T, p.Delta, p.Mu, p.C, p.L2, p.Sigma, p.Batch = d, T, delta, mu, c, l2, sigma, 1
		p.Diameter = math.Sqrt(float64(d)) * delta * overs[0]
		p.G = mu * p.Diameter / 2 * overs[1]
		p.L = mu * overs[2]
		p.Alpha = c
		return p.G < smallestNormal || check(p) // a G below the range of float64 is no constant
	}, gen.OneGenOf(gen.OneConstOf(1, 2, 1_000_000_000), gen.IntRange(1, 1_000_000)),
		gen.OneGenOf(gen.OneConstOf(1, 2, 3, movingExact, movingExact+1, 1_000_000_000_000_000), gen.IntRange(1, 1_000_000)),
		wide(-300, 100), wide(-100, 100), wide(-100, 100), gen.SliceOfN(3, over), wide(-100, 100), wide(-100, 100)))
	ps.TestingRun(t)
}

// Every form at every corner is finite and not negative in both parts, or an error that says why: that the value is no float64. Nothing is NaN, and no other error can occur, since the constants agree.
func TestCorners(t *testing.T) {
	each := func(p Parameters, visit func(c Claim, f Form, r Rounding, v Value, err error) bool) bool {
		for _, c := range Claims()[:6] {
			q := p
			if c.Name == "corollary1" {
				q.L2 = 0
			}
			for _, f := range c.all() {
				for _, r := range c.Roundings {
					if !c.has(f, r) {
						continue
					}
					v, err := c.Bound(f, r, q)
					if !visit(c, f, r, v, err) {
						t.Logf("%s %s %s = %+v, %v at %+v", c.Name, f, r, v, err, q)
						return false
					}
				}
			}
		}
		return true
	}
	corner(t, "finite, not negative, or out of range", 200, func(p Parameters) bool {
		return each(p, func(_ Claim, _ Form, _ Rounding, v Value, err error) bool {
			if err != nil {
				return strings.Contains(err.Error(), "leaves the floating-point range")
			}
			return v.Decay >= 0 && v.Floor >= 0 && !math.IsInf(v.Total(), 0)
		})
	})
	corner(t, "sharp <= derived; moving, separable, noise <= sharp", 100, func(p Parameters) bool {
		values := map[string]map[Form]float64{}
		each(p, func(c Claim, f Form, r Rounding, v Value, err error) bool {
			key := c.Name + string(r)
			if values[key] == nil {
				values[key] = map[Form]float64{}
			}
			if err == nil {
				values[key][f] = v.Total()
			}
			return true
		})
		for key, forms := range values {
			for _, pair := range [][2]Form{{Sharp, Derived}, {Moving, Sharp}, {Separable, Sharp}, {Noise, Sharp}} {
				a, hasA := forms[pair[0]]
				b, hasB := forms[pair[1]]
				if hasA && hasB && a > b*(1+1e-9) {
					t.Logf("%s: %s = %v, %s = %v at %+v", key, pair[0], a, pair[1], b, p)
					return false
				}
			}
		}
		return true
	})
	for name, change := range map[string]func(*Parameters){
		"Delta":          func(p *Parameters) { p.Delta *= 1 - 0x1p-20 }, // downwards, so that D stays large enough
		"G":              func(p *Parameters) { p.G *= 1.25 },
		"D with G":       func(p *Parameters) { p.Diameter *= 1.25; p.G *= 1.25 },
		"L":              func(p *Parameters) { p.L *= 1.25 },
		"sigma":          func(p *Parameters) { p.Sigma *= 1.25 },
		"L2 (Lipschitz)": func(p *Parameters) { p.L2 *= 1.25 },
	} {
		corner(t, "no bound falls as "+name+" grows", 40, func(p Parameters) bool {
			q := p
			change(&q)
			small, large := p, q
			if name == "Delta" {
				small, large = q, p
			}
			after := map[string]float64{}
			each(large, func(c Claim, f Form, r Rounding, v Value, err error) bool {
				if err == nil {
					after[c.Name+string(f)+string(r)] = v.Total()
				}
				return true
			})
			return each(small, func(c Claim, f Form, r Rounding, v Value, err error) bool {
				x, ok := after[c.Name+string(f)+string(r)]
				return err != nil || !ok || x >= v.Total()*(1-1e-9)
			})
		})
	}
}

// One step outside each edge is refused with the inequality.
func TestBesideTheEdges(t *testing.T) {
	p := Unknown()
	p.Dim, p.T, p.Delta, p.Mu, p.L, p.L2, p.C, p.Sigma, p.Batch = 1_000_000_000, 1_000_000_000_000_000, 1e-300, 1, 1, 0, 1, 1, 1
	p.Diameter = math.Sqrt(1e9) * 1e-300
	p.G = p.Diameter / 2
	for _, tt := range []struct {
		spoil func(*Parameters)
		want  string
	}{
		{func(*Parameters) {}, ""},
		{func(p *Parameters) { p.Diameter *= 1 - 1e-9 }, "D >= sqrt(d)*Delta"},
		{func(p *Parameters) { p.G *= 1 - 1e-9 }, "G >= mu*D/2"},
		{func(p *Parameters) { p.L *= 1 - 1e-9 }, "L >= mu"},
	} {
		q := p
		tt.spoil(&q)
		for _, c := range Claims()[1:6] {
			for _, f := range c.all() {
				for _, r := range c.Roundings {
					if !c.has(f, r) {
						continue
					}
					_, err := c.Bound(f, r, q)
					refused := err != nil && !strings.Contains(err.Error(), "leaves the floating-point range")
					if refused != (tt.want != "") || refused && !strings.Contains(err.Error(), tt.want) {
						t.Errorf("%s %s %s: %v, want %q", c.Name, f, r, err, tt.want)
					}
				}
			}
		}
	}
}
