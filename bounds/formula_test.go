package bounds

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"gonum.org/v1/gonum/floats/scalar"
)

// The text of every formula, evaluated, is what the code returns: the tables, the reports and `tqn bound` print what is computed.
func TestFormulasAreWhatIsComputed(t *testing.T) {
	each := func(t *testing.T, p Parameters) {
		for _, c := range Claims() {
			for _, f := range c.all() {
				for _, r := range c.Roundings {
					if !c.has(f, r) || f == Moving { // a recursion: TestMovingAgainstItsDefinition
						continue
					}
					q := p
					if c.Name == "corollary1" && !math.IsNaN(q.L2) {
						q.L2 = 0
					}
					v, err := c.Bound(f, r, q)
					if err != nil {
						t.Errorf("%s %s %s: %v", c.Name, f, r, err)
						continue
					}
					got, err := evaluate(c, f, r, q)
					if err != nil {
						t.Errorf("%s %s %s: %v", c.Name, f, r, err)
						continue
					}
					if !scalar.EqualWithinRel(got, v.Total(), 1e-11) {
						t.Errorf("%s %s %s: the text %q is %v, the code says %v", c.Name, f, r, c.Formula(f, r), got, v.Total())
					}
				}
			}
		}
	}
	each(t, hand)
	p := hand
	p.Batch, p.T, p.Sigma = 7, 1000, 1.25
	each(t, p)
	p.T, p.Dim, p.Diameter = 4096, 9, 2.5
	each(t, p)
	p.L2, p.T = 40, 1
	each(t, p)
	p.L, p.Delta, p.Diameter = 1.01, 0.01, 3.9 // other arguments of min
	each(t, p)

	// The evaluator sees a wrong formula.
	c, _ := Find("theorem1")
	c.Statement = strings.Replace(c.Statement, "/2", "/3", 1)
	if x, err := evaluate(c, Printed, Stochastic, hand); err != nil || near(x, value(c, Printed, Stochastic, hand).Total()) {
		t.Errorf("a wrong formula evaluates to %v, %v", x, err)
	}
}

// evaluate is the value of c.Formula(f, r) at p.
func evaluate(c Claim, f Form, r Rounding, p Parameters) (x float64, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%q: %v", c.Formula(f, r), e)
		}
	}()
	terms := split(c.Formula(f, r))
	e := evaluator{names: map[string]func() float64{}}
	b := float64(max(p.Batch, 1))
	for name, x := range map[string]float64{"d": float64(p.Dim), "Delta": p.Delta, "G": p.G, "mu": p.Mu, "L": p.L, "L2": p.L2, "D": p.Diameter, "c": p.C, "alpha": p.Alpha,
		"T": float64(p.T), "sigma": p.Sigma, "b": b, "C1": p.Tail, "eps": p.Epsilon, "pi(y)": p.Mass, "R(y)": p.Rate, "pi": math.Pi, "phi": math.Phi,
		"H_T": harmonic(p.T), "H_{T+1}": harmonic(p.T + 1)} {
		e.names[name] = func() float64 { return x }
	}
	e.names["t"] = func() float64 { return e.t }
	e.names["alpha_t"] = func() float64 {
		if strings.Contains(c.Algorithm, "sqrt") {
			return p.C / math.Sqrt(e.t)
		}
		return 1 / (p.Mu * (e.t + 1))
	}
	e.steps = p.T
	for _, definition := range terms[1:] {
		name, text, ok := strings.Cut(definition, " = ")
		if !ok {
			panic("not a definition: " + definition)
		}
		e.names[strings.TrimSpace(name)] = func() float64 { return e.all(text) }
	}
	return e.all(terms[0]), nil
}

// split cuts a formula at the commas outside parentheses.
func split(text string) []string {
	depth, from := 0, 0
	var parts []string
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// evaluator evaluates expressions of + - * / ^ and functions by recursive descent.
type evaluator struct {
	names map[string]func() float64
	steps int
	t     float64 // of sum_t
	text  string
}

func (e *evaluator) all(text string) float64 {
	outer := e.text
	e.text = text
	x := e.sum()
	if e.skip(); e.text != "" {
		panic("what is " + e.text)
	}
	e.text = outer
	return x
}

func (e *evaluator) skip() { e.text = strings.TrimLeft(e.text, " ") }

func (e *evaluator) take(symbol string) bool {
	e.skip()
	rest, ok := strings.CutPrefix(e.text, symbol)
	if ok {
		e.text = rest
	}
	return ok
}

func (e *evaluator) sum() float64 {
	x := e.term()
	for {
		switch {
		case e.take("+"):
			x += e.term()
		case e.take("-"):
			x -= e.term()
		default:
			return x
		}
	}
}

func (e *evaluator) term() float64 {
	x := e.factor()
	for {
		switch {
		case e.take("*"):
			x *= e.factor()
		case e.take("/"):
			x /= e.factor()
		default:
			return x
		}
	}
}

func (e *evaluator) factor() float64 {
	if e.take("-") {
		return -e.factor()
	}
	x := e.atom()
	if e.take("^") {
		x = math.Pow(x, e.atom())
	}
	return x
}

func (e *evaluator) atom() float64 {
	if e.take("(") {
		x := e.sum()
		e.close()
		return x
	}
	e.skip()
	for _, name := range []string{"pi(y)", "R(y)", "H_{T+1}"} {
		if e.take(name) {
			return e.names[name]()
		}
	}
	n := strings.IndexFunc(e.text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '.' })
	if n < 0 {
		n = len(e.text)
	}
	word := e.text[:n]
	e.text = e.text[n:]
	if x, err := strconv.ParseFloat(word, 64); err == nil {
		return x
	}
	if e.take("(") {
		return e.call(word)
	}
	if f := e.names[word]; f != nil {
		return f()
	}
	panic("no value for " + word)
}

func (e *evaluator) close() {
	if !e.take(")") {
		panic("no ) before " + e.text)
	}
}

// call evaluates a function whose "(" has been read.
func (e *evaluator) call(name string) float64 {
	if name == "sum_t" {
		from, sum := e.text, 0.0
		for t := 1; t <= e.steps; t++ {
			e.text, e.t = from, float64(t)
			sum += e.sum()
		}
		e.close()
		return sum
	}
	x := []float64{e.sum()}
	for e.take(",") {
		x = append(x, e.sum())
	}
	e.close()
	switch name {
	case "sqrt":
		return math.Sqrt(x[0])
	case "log":
		return math.Log(x[0])
	case "pos":
		return max(x[0], 0)
	case "min": // leaves out what is not known
		least := math.Inf(1)
		for _, v := range x {
			if !math.IsNaN(v) {
				least = min(least, v)
			}
		}
		return least
	}
	panic("no function " + name)
}
