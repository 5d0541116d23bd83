package worst

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"tqn/bounds"
)

// Every committed certificate is a proof, and its two sides are less than 1e-6 apart.
func TestCertificates(t *testing.T) {
	start := time.Now()
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if !(c.Gap() < 1e-6) {
			t.Errorf("%s: %v to %v, a gap of %v", c.Name(), c.Lower, c.Upper, c.Gap())
		}
	}
	t.Logf("%d certificates in %v", len(cases), time.Since(start))
}

// certificate returns a committed certificate by the name of its file.
func certificate(t *testing.T, name string) *Certificate {
	t.Helper()
	data, err := files.ReadFile("certificates/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var sample = []string{"theorem1-t4", "theorem2-k2-1-t3", "theorem2-k2-2-t12", "theorem3-k2-1-l-16-t4", "theorem4-l-10-t3"}

// A multiplier changed by 1e-6 is no proof any more: the values no longer cancel (F), or the matrix is no longer positive semidefinite when a weight that
// the bound pays for is made smaller (G, D). A weight of a projection has freedom: it is refused without it.
func TestChangedMultiplierIsRefused(t *testing.T) {
	for _, name := range sample {
		c := certificate(t, name)
		for _, change := range []int64{1, -1} {
			for i := range c.multipliers {
				m := &c.multipliers[i]
				if i%7 != 0 && i > 12 || m.weight.Cmp(big.NewRat(1, 100)) < 0 || (m.kind != 'F' && change > 0) {
					continue // a sample of the large weights
				}
				kept := m.weight
				m.weight = new(big.Rat).Add(kept, big.NewRat(change, 1e6))
				if m.kind == 'N' {
					m.weight = new(big.Rat)
				}
				if bound, err := c.Upper(); err == nil {
					x, _ := bound.Float64()
					t.Errorf("%s: %c %d %d changed (%de-6, or to 0 for N) is still accepted, with the bound %v", name, m.kind, m.s, m.t, change, x)
				}
				m.weight = kept
			}
		}
	}
}

// A negative weight, a weight of an inequality that does not exist, and an indefinite matrix are refused with what is wrong.
func TestFalseUpperBoundsAreRefused(t *testing.T) {
	for _, planted := range []struct {
		says   string
		change func(c *Certificate)
	}{
		{"negative", func(c *Certificate) { c.multipliers[0].weight.SetFrac64(-1, 10) }},
		{"no inequality", func(c *Certificate) { c.multipliers[0].s = 99 }},
		{"do not cancel", func(c *Certificate) { c.multipliers[0].weight.Add(c.multipliers[0].weight, big.NewRat(1, 1<<40)) }},
		{"positive semidefinite", func(c *Certificate) {
			for i := range c.multipliers {
				if c.multipliers[i].kind == 'D' { // the bound without the diameter: too good
					c.multipliers[i].weight.SetInt64(0)
				}
			}
		}},
	} {
		c := certificate(t, "theorem2-k2-1-t3")
		planted.change(c)
		if _, err := c.Upper(); err == nil || !strings.Contains(err.Error(), planted.says) {
			t.Errorf("planted %q: %v", planted.says, err)
		}
	}
}

// An instance that cannot be interpolated, whose gradient is too long, whose diameter is too large, or whose iterate is not the projection of the
// step is refused.
func TestFalseInstancesAreRefused(t *testing.T) {
	small := big.NewInt(1 << 20) // 1e-6
	for _, name := range sample {
		for _, planted := range []struct {
			what   string
			change func(c *Certificate)
		}{
			{"a value raised by 1e-6", func(c *Certificate) { last := c.values[len(c.values)-1]; last.Add(last, small) }},
			{"a gradient lengthened", func(c *Certificate) {
				for _, x := range c.gradients[0] {
					x.Add(x, new(big.Int).Quo(x, big.NewInt(1e6)))
				}
			}},
			{"another second iterate", func(c *Certificate) { c.points[1][0].Sub(c.points[1][0], small) }},
			{"another second iterate, the other way", func(c *Certificate) { c.points[1][0].Add(c.points[1][0], small) }},
		} {
			c := certificate(t, name)
			planted.change(c)
			if _, err := c.Lower(); err == nil {
				t.Errorf("%s: %s is accepted", name, planted.what)
			}
		}
	}
}

// The longer step sqrt(2)/sqrt(t) does not pass for 1/sqrt(t): an instance belongs to its steps.
func TestCertificatesBelongToTheirSteps(t *testing.T) {
	c := certificate(t, "theorem2-k2-1-t3")
	c.K2 = big.NewRat(2, 1)
	if _, err := c.Upper(); err == nil {
		t.Error("the multipliers for c = D/G prove a bound for sqrt(2) D/G")
	}
	if _, err := c.Lower(); err == nil {
		t.Error("the instance for c = D/G is one for sqrt(2) D/G")
	}
}

// The proof of positive semidefiniteness accepts and refuses what it should: a matrix and its opposite, the smallest eigenvalue on both sides of 0, an interval
// that reaches below 0.
func TestPositiveSemidefinite(t *testing.T) {
	dense := func(rows ...[]*big.Rat) [][]interval {
		m := make([][]interval, len(rows))
		for i, r := range rows {
			for _, x := range r {
				m[i] = append(m[i], exact(x))
			}
		}
		return m
	}
	r := big.NewRat
	// [[2, 1], [1, x]] has determinant 2x - 1.
	for _, x := range []struct {
		value *big.Rat
		want  bool
	}{{r(1, 1), true}, {r(500000001, 1000000000), true}, {r(499999999, 1000000000), false}, {r(-1, 1), false}} {
		err := positiveSemidefinite(dense([]*big.Rat{r(2, 1), r(1, 1)}, []*big.Rat{r(1, 1), x.value}))
		if (err == nil) != x.want {
			t.Errorf("[[2, 1], [1, %s]]: %v", x.value.RatString(), err)
		}
	}
	if err := positiveSemidefinite([][]interval{{{r(-1, 1000), r(1, 1)}}}); err == nil {
		t.Error("an interval that reaches below 0 is accepted")
	}
}

// exactLDL is the other way to the same answer: Gaussian elimination in rational numbers, every pivot positive.
func exactLDL(m [][]*big.Rat) bool {
	for k := range m {
		if m[k][k].Sign() <= 0 {
			return false
		}
		for i := k + 1; i < len(m); i++ {
			l := new(big.Rat).Quo(m[i][k], m[k][k])
			for j := k; j < len(m); j++ {
				m[i][j] = new(big.Rat).Sub(m[i][j], new(big.Rat).Mul(l, m[k][j]))
			}
		}
	}
	return true
}

// Where the steps are rational (Theorems 1 and 4) the matrices are, and exact elimination agrees with the factorisation.
func TestAgainstExactElimination(t *testing.T) {
	for _, name := range []string{"theorem1-t3", "theorem1-t6", "theorem4-l-10-t4"} {
		c := certificate(t, name)
		S, err := c.matrix()
		if err != nil {
			t.Fatal(err)
		}
		m := make([][]*big.Rat, len(S))
		for i := range S {
			for j := range S[i] {
				if !S[i][j].isExact() {
					t.Fatalf("%s: entry %d %d is not rational", name, i, j)
				}
				m[i] = append(m[i], S[i][j].lo)
			}
		}
		if !exactLDL(m) {
			t.Errorf("%s: a pivot of the exact elimination is not positive", name)
		}
	}
}

// What can be said by hand: one step costs G D or G^2/(2 mu); two steps at c = D/G cost 3/4 G D.
func TestWorstCasesByHand(t *testing.T) {
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		theorem, T int
		k          float64
		value      float64
	}{{2, 1, 1, 1}, {2, 1, math.Sqrt2, 1}, {1, 1, 0, 0.5}, {2, 2, 1, 0.75}, {2, 3, 1, 0.63807}} {
		found := false
		for _, c := range cases {
			if c.Theorem == want.theorem && c.T == want.T && math.Abs(c.K()-want.k) < 1e-12 {
				found = true
				if c.Upper < want.value-1e-9 || c.Lower > want.value+2e-6 {
					t.Errorf("%s: %v to %v, want %v", c.Name(), c.Lower, c.Upper, want.value)
				}
			}
		}
		if !found {
			t.Errorf("no certificate for theorem %d, T = %d, k = %v", want.theorem, want.T, want.k)
		}
	}
}

// A certificate that is not one is refused with what is wrong.
func TestParseRefuses(t *testing.T) {
	lower := func(tables string) string { return `{"theorem":2,"T":1,"k2":"1","upper":{},"lower":{` + tables + `}}` }
	for text, says := range map[string]string{
		`{}`:                                                 "theorem 0",
		`{"theorem":2,"T":3}`:                                "k2",
		`{"theorem":1,"T":3,"k2":"1"}`:                       "k2",
		`{"theorem":2,"T":3,"k2":"-1"}`:                      "> 0",
		`{"theorem":2,"T":0,"k2":"1"}`:                       "0 iterates",
		`{"theorem":4,"T":2,"l":"1"}`:                        "l = 1",
		`{"theorem":2,"T":3,"k2":"one"}`:                     "fraction",
		`{"theorem":2,"T":3,"k3":"1"}`:                       "k3",
		`{"theorem":2,"T":1,"k2":"1","upper":{"F":[[1,0]]}}`: "entries",
		`{"theorem":2,"T":1,"k2":"1","upper":{},"lower":{"w":[[1]],"g":[[1]],"f":[1]}}`: "1 gradients",
		`{"theorem":2,"T":2,"k2":"1","kappa":"1/4","lower":{"w":[[1]]}}`:                "an upper side only",
		`{"theorem":2,"T":1,"k2":"1","upper":{"G":[[1,"x"]]}}`:                          `weight 0 of kind G is "x"`,
		`{"theorem":2,"T":1,"k2":"1","upper":{"G":[[1,1],[1.5,1]]}}`:                    `weight 1 of kind G is for step "1.5"`,
		`{"theorem":2,"T":1,"k2":"1","upper":{"F":[["x",1,1]]}}`:                        `weight 0 of kind F is for step "x"`,
		lower(`"w":[[1.5]],"g":[[1],[1]],"f":[1]`):                                      `instance: w: "1.5"`,
		lower(`"w":[[1]],"g":[[1],[1]],"f":[0.5]`):                                      `instance: f: "0.5"`,
		lower(`"w":[[1]],"g":[[1],[1]],"f":[1],"bits":0`):                               "bits = 0",
		lower(`"w":[[1]],"g":[[1],[1]],"f":[1],"bits":1001`):                            "bits = 1001",
		lower(`"w":[],"g":[[1],[1]],"f":[1]`):                                           "0 points",
		lower(`"w":[[1]],"g":[[1],[1]],"f":[]`):                                         "0 values",
		lower(`"w":[[1]],"g":[[1],[1,2]],"f":[1]`):                                      "different dimensions",
	} {
		if _, err := Parse(json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// With rounding errors the upper bound is a proof, above the worst case without errors and below the derived bound with its floor; without the
// inequalities that say how large the errors are, or with one that is said to be smaller, the certificate is refused or proves another number.
func TestRounding(t *testing.T) {
	cases, err := RoundedCases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		derived, err := c.Bound(bounds.Derived)
		if err != nil {
			t.Fatal(err)
		}
		if !(c.Quiet.Lower < c.Upper && c.Upper < derived) {
			t.Errorf("%s: %v without errors, at most %v with, derived bound %v: want them in this order", c.Name(), c.Quiet.Lower, c.Upper, derived)
		}
	}
	for _, planted := range []struct {
		kind byte
		says string
	}{{'R', "positive semidefinite"}, {'O', "positive semidefinite"}, {'D', "positive semidefinite"}, {'F', "do not cancel"}} {
		c := certificate(t, "rounded/theorem2-k2-1-kappa-1over4-t3")
		for i := range c.multipliers {
			if c.multipliers[i].kind == planted.kind {
				c.multipliers[i].weight = new(big.Rat)
			}
		}
		if _, err := c.Upper(); err == nil || !strings.Contains(err.Error(), planted.says) {
			t.Errorf("without the weights of kind %c: %v", planted.kind, err)
		}
	}
	c := certificate(t, "rounded/theorem2-k2-1-kappa-1over4-t3")
	for i := range c.multipliers {
		if c.multipliers[i].kind == 'R' {
			c.multipliers[i].weight.Neg(c.multipliers[i].weight)
			break
		}
	}
	if _, err := c.Upper(); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Errorf("a negative weight of an inequality: %v", err)
	}
}

// BC with rounding errors: every upper bound lies between the worst case without errors and the sharp form, and Q_s, which has equalities beside, is not above Q_d. A certificate without the weights of a kind that it needs, for the other rounding, or for the problem
// without errors is refused.
func TestRoundingOfBC(t *testing.T) {
	cases, err := RoundedCases()
	if err != nil {
		t.Fatal(err)
	}
	nearest := map[string]float64{}
	found := 0
	for _, c := range cases {
		if c.Theorem != 3 {
			continue
		}
		found++
		sharp, err := c.Bound(bounds.Sharp)
		if err != nil {
			t.Fatal(err)
		}
		if !(c.Quiet.Lower < c.Upper && c.Upper < sharp) {
			t.Errorf("%s: %v without errors, at most %v with, sharp bound %v: want them in this order", c.Name(), c.Quiet.Lower, c.Upper, sharp)
		}
		key := c.Row() + c.Kappa.RatString() + fmt.Sprint(c.T)
		if c.Rounding() == bounds.Nearest {
			nearest[key] = c.Upper
		} else if x := nearest[key]; !(c.Upper <= x) {
			t.Errorf("%s: %v, with Q_d %v", c.Name(), c.Upper, x)
		}
	}
	if found != 32 {
		t.Errorf("%d cases of BC, want 32", found)
	}
	for _, planted := range []struct {
		rounding string
		kind     byte
		says     string
	}{{"stochastic", 'R', "positive semidefinite"}, {"stochastic", 'O', "positive semidefinite"}, {"nearest", 'R', "positive semidefinite"}, {"nearest", 'D', "positive semidefinite"}, {"nearest", 'F', "do not cancel"}} {
		c := certificate(t, "rounded/theorem3-k2-1-l-4-kappa-1over4-"+planted.rounding+"-t3")
		for i := range c.multipliers {
			if c.multipliers[i].kind == planted.kind {
				c.multipliers[i].weight = new(big.Rat)
			}
		}
		if _, err := c.Upper(); err == nil || !strings.Contains(err.Error(), planted.says) {
			t.Errorf("%s, without the weights of kind %c: %v", planted.rounding, planted.kind, err)
		}
	}
	c := certificate(t, "rounded/theorem3-k2-1-l-4-kappa-1over4-stochastic-t3")
	c.Nearest = true
	if _, err := c.Upper(); err == nil || !strings.Contains(err.Error(), "no inequality O") {
		t.Errorf("a certificate for Q_s as one for Q_d: %v", err)
	}
	c = certificate(t, "rounded/theorem3-k2-1-l-4-kappa-1over4-nearest-t3")
	c.L = big.NewRat(16, 1)
	if _, err := c.Upper(); err == nil {
		t.Error("a certificate for L = 4 proves a bound for L = 16")
	}
	for _, text := range []string{`{"theorem":3,"T":2,"k2":"1","l":"4","kappa":"1/4"}`, `{"theorem":3,"T":2,"k2":"1","l":"4","kappa":"1/4","rounding":"up"}`, `{"theorem":2,"T":2,"k2":"1","kappa":"1/4","rounding":"nearest"}`, `{"theorem":3,"T":2,"k2":"1","l":"4","rounding":"nearest"}`} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "rounding") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
