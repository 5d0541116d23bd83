package toy

import (
	"context"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
)

// equation8 is the paper's objective, typed by a user.
const equation8 = "w < 1 ? w^2 + 2 : w < 3.5 ? (w - 2.5)^2 + 0.75 : (w - 4.75)**2 + 0.19"

func TestExpressionsHaveExactDerivatives(t *testing.T) {
	for _, text := range []string{
		"w*w + 2*cos(5*w)", "exp(-w^2/2)*sin(3*w)", "abs(w - 0.31) + tanh(w)/2", "log(1 + w^2) - atan(w)", "2^w + w^-2 + sqrt(4 + w)", "max(w, -w, 0.2) + min(w^2, 3)", "-(w) + pi*e", "(w+1)**3",
	} {
		x, err := ParseExpression(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, w := range []float64{-1.7, -0.45, 0.6, 1.9} {
			_, slope, err := x.at(w)
			want := fd.Derivative(func(v float64) float64 { y, _, _ := x.at(v); return y }, w, &fd.Settings{Formula: fd.Central})
			if err != nil || math.Abs(slope-want) > 1e-6*(1+math.Abs(want)) {
				t.Errorf("%s at %g: slope %g, finite difference %g, %v", text, w, slope, want, err)
			}
		}
	}
}

func TestEquation8AsAnExpression(t *testing.T) {
	x, err := ParseExpression(equation8)
	if err != nil {
		t.Fatal(err)
	}
	for w := -3.0; w <= 8; w += 0.125 {
		v, s, err := x.at(w)
		if err != nil || math.Abs(v-Objective(w)) > 1e-12 || math.Abs(s-Gradient(w)) > 1e-12 {
			t.Errorf("at %g: %g and %g, want %g and %g (%v)", w, v, s, Objective(w), Gradient(w), err)
		}
	}
}

func TestExpressionsThatAreNotUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		"":                "unexpected",
		"w +":             "unexpected",
		"x*x":             `unknown name "x"`,
		"gamma(w)":        "unknown function gamma",
		"sin(w, 2)":       "takes one value",
		"w < 1":           "does not give a number",
		"w ? 1 : 2":       "is not a condition",
		`"a"`:             "is not a number",
		"w % 2":           `operator "%"`,
		"true ? w : y":    `unknown name "y"`,
		"[1, 2]":          "is not a number",
		"len(w)":          "unknown function len",
		"w.real":          "is not a number",
		"let a = 1; a*w":  "is not a number",
		"w[0]":            "is not a number",
		"map([1], # * 2)": "is not a number",
	} {
		if _, err := ParseExpression(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	x, err := ParseExpression("1/w")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.at(0); err == nil || !strings.Contains(err.Error(), "at w = 0") {
		t.Errorf("1/w at 0: %v", err)
	}
}

// The paper's own problem, typed as an expression, has the laws of the built-in one.
func TestOwnProblemIsTheToyProblem(t *testing.T) {
	x, err := ParseExpression(equation8)
	if err != nil {
		t.Fatal(err)
	}
	o := Own{Objective: x, Noise: NoiseLaw{"normal", 4}, Delta: 0.5, Box: [2]float64{BoxLo, BoxHi}, Alphas: []float64{0.2, 0.05}}
	got, err := o.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProblem(0.5, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i, alpha := range o.Alphas {
		sr, err := p.SR().Chain(alpha)
		if err != nil {
			t.Fatal(err)
		}
		pi, err := sr.Stationary()
		if err != nil {
			t.Fatal(err)
		}
		bc, err := p.BCRow(alpha, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		row := got.Rows[i]
		if math.Abs(row.SREntropy-Entropy(pi)) > 1e-12 || math.Abs(row.SRGlobal-p.GlobalMass(pi)) > 1e-12 || math.Abs(row.BCEntropy-bc.Entropy) > 1e-12 {
			t.Errorf("alpha %g: %+v", alpha, row)
		}
	}
	if got.Minima != 3 {
		t.Errorf("%d local minima on the grid, want 3", got.Minima)
	}
}

// Every kind of noise has mean 0 and the deviation it is asked for.
func TestNoiseKinds(t *testing.T) {
	for _, kind := range NoiseKinds {
		n, err := ParseNoise(kind + ":0.7")
		if err != nil {
			t.Fatal(err)
		}
		law := n.around(0.3)
		if m := law.Excess(0) - law.Shortfall(0); math.Abs(m-0.3) > 1e-12 {
			t.Errorf("%s: mean %g, want 0.3", kind, m)
		}
		// Var g = 2 * integral of E(g-a)+ over a > m, and the same below it.
		v, h := 0.0, 1e-3
		for a := h / 2; a < 12; a += h {
			v += 2 * h * (law.Excess(0.3+a) + law.Shortfall(0.3-a))
		}
		if math.Abs(v-0.49) > 1e-4 {
			t.Errorf("%s: variance %g, want 0.49", kind, v)
		}
	}
	for _, bad := range []string{"", "0", "-1", "normal:", "normal:inf", "cauchy:1", "uniform:nan"} {
		if _, err := ParseNoise(bad); err == nil {
			t.Errorf("noise %q is taken", bad)
		}
	}
}

// Noise that cannot turn the gradient's sign everywhere breaks the assumption of Theorem 5 and is refused.
func TestOwnProblemChecksTheAssumption(t *testing.T) {
	x, err := ParseExpression("w^2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Own{Objective: x, Noise: NoiseLaw{"two-point", 0.5}, Delta: 0.5, Box: [2]float64{-3, 3}, Alphas: []float64{0.1}}.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "Theorem 5") {
		t.Errorf("%v", err)
	}
}

// Where BC hardly ever crosses a barrier the ratio of the basins is decided by rates that
// leave the range of float64. The objective is even, so that the laws are, too.
func TestOwnProblemAtASmallLearningRate(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	x, err := ParseExpression("w*w + 2*cos(5*w)")
	if err != nil {
		t.Fatal(err)
	}
	o := Own{Objective: x, Noise: NoiseLaw{"normal", 1}, Delta: 0.5, Box: [2]float64{-3, 3}, Alphas: []float64{0.02, 0.2}}
	r, err := o.Run(context.Background())
	if err != nil || len(r.Rows) != 2 || r.Note != "" {
		t.Fatalf("%d rows, note %q, %v", len(r.Rows), r.Note, err)
	}
	for _, l := range r.Laws {
		for i := range l.BC {
			j := len(l.BC) - 1 - i
			if math.Abs(l.BC[i]-l.BC[j]) > 1e-7*l.BC[i]+1e-300 || math.Abs(l.SR[i]-l.SR[j]) > 1e-7*l.SR[i]+1e-300 {
				t.Errorf("alpha = %g: BC %g and %g, SR %g and %g at %g and %g", l.Alpha, l.BC[i], l.BC[j], l.SR[i], l.SR[j], r.Points[i], r.Points[j])
			}
		}
	}
}

// What one's own problem may not be: the error says which part is wrong.
func TestOwnProblemsAreChecked(t *testing.T) {
	if _, err := ParseExpression("w + " + strings.Repeat("0", 10_000)); err == nil || !strings.Contains(err.Error(), "characters") {
		t.Errorf("an expression of more than 10,000 characters: %v", err)
	}
	x, err := ParseExpression("w^2")
	if err != nil {
		t.Fatal(err)
	}
	good := Own{Objective: x, Noise: NoiseLaw{"normal", 1}, Delta: 0.5, Box: [2]float64{-1, 1}, Alphas: []float64{0.1}}
	for want, change := range map[string]func(*Own){
		"box [1, 1]":                        func(o *Own) { o.Box[0] = 1 },
		"a grid of 2049":                    func(o *Own) { o.Delta = 0x1p-10 },
		"no learning rate":                  func(o *Own) { o.Alphas = nil },
		"the probability of the other sign": func(o *Own) { o.Noise.Deviation = 0.01 },
		"larger or unbounded noise":         func(o *Own) { o.Noise = NoiseLaw{"uniform", 0.01} },
		"alpha = 0: want":                   func(o *Own) { o.Alphas = []float64{0} },
		"alpha = +Inf: want":                func(o *Own) { o.Alphas = []float64{math.Inf(1)} },
	} {
		o := good
		change(&o)
		if _, err := o.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
