package worst

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"tqn/bounds"
)

// Certificate is what generate/pep.py found for one problem: multipliers for the upper side and an instance for the lower side. Nothing in it is true
// before [Certificate.Upper] and [Certificate.Lower] have checked it.
type Certificate struct {
	Problem
	multipliers []multiplier
	fine        *big.Int     // the number of units of the instance in 1: 2^40 unless the file says how many bits
	points      [][]*big.Int // w_1..w_T, in these units
	gradients   [][]*big.Int // g_1..g_T, the slope at the average, and for smooth classes g_*
	values      []*big.Int   // F(w_1)..F(w_T), and for smooth classes F at the average
}

// multiplier is the weight of one inequality.
type multiplier struct {
	kind   byte
	s, t   int
	weight *big.Rat
}

// unit is the number of units of the file in 1.
var unit = new(big.Int).Lsh(big.NewInt(1), 40)

// Parse reads a certificate. Weights are in units of 2^-40.
func Parse(data []byte) (*Certificate, error) {
	var file struct {
		Theorem int                 `json:"theorem"`
		T       int                 `json:"T"`
		K2      *string             `json:"k2"`
		Kappa   *string             `json:"kappa"`
		Reads   *string             `json:"rounding"`
		L       *string             `json:"l"`
		Upper   map[string][][]any  `json:"upper"`
		Lower   map[string]rawTable `json:"lower"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("worst: certificate: %w", err)
	}
	c := &Certificate{Problem: Problem{Theorem: file.Theorem, T: file.T}}
	for _, constant := range []struct {
		name string
		text *string
		to   **big.Rat
	}{{"k2", file.K2, &c.K2}, {"l", file.L, &c.L}, {"kappa", file.Kappa, &c.Kappa}} {
		if constant.text == nil {
			continue
		}
		x, ok := new(big.Rat).SetString(*constant.text)
		if !ok {
			return nil, fmt.Errorf("worst: certificate: %s = %q: want a fraction such as 9/4", constant.name, *constant.text)
		}
		*constant.to = x
	}
	if (file.Reads != nil) != (c.Kappa != nil && c.Theorem == 3) || file.Reads != nil && *file.Reads != string(bounds.Nearest) && *file.Reads != string(bounds.Stochastic) {
		return nil, errors.New(`worst: certificate: rounding: want "nearest" or "stochastic" exactly for Theorem 3 with rounding errors`)
	}
	c.Nearest = file.Reads != nil && *file.Reads == string(bounds.Nearest)
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("worst: certificate: %w", err)
	}
	if err := c.readWeights(file.Upper); err != nil {
		return nil, fmt.Errorf("worst: certificate of %s: %w", c.Name(), err)
	}
	if c.Kappa != nil {
		if file.Lower != nil {
			return nil, fmt.Errorf("worst: certificate of %s: an instance is given: with rounding errors there is an upper side only", c.Name())
		}
		return c, nil
	}
	if err := c.readInstance(file.Lower); err != nil {
		return nil, fmt.Errorf("worst: certificate of %s: %w", c.Name(), err)
	}
	return c, nil
}

func (c *Certificate) readWeights(lists map[string][][]any) error {
	for _, kind := range []string{"F", "G", "D", "N", "S", "R", "O"} {
		for i, row := range lists[kind] {
			want := 3
			if kind == "G" || kind == "S" || kind == "R" {
				want = 2
			}
			if len(row) != want {
				return fmt.Errorf("weight %d of kind %s has %d entries: want %d", i, kind, len(row), want)
			}
			text := make([]string, want)
			for j, x := range row {
				text[j] = fmt.Sprint(x)
			}
			m := multiplier{kind: kind[0]}
			weight, ok := new(big.Rat).SetString(text[want-1])
			if !ok {
				return fmt.Errorf("weight %d of kind %s is %q: want a whole number or a fraction", i, kind, text[want-1])
			}
			m.weight = weight.Quo(weight, new(big.Rat).SetInt(unit))
			step := func(text string) (int, error) {
				t, err := strconv.Atoi(text)
				if err != nil {
					return 0, fmt.Errorf("weight %d of kind %s is for step %q: want a whole number", i, kind, text)
				}
				return t, nil
			}
			var err error
			if m.t, err = step(text[want-2]); err != nil {
				return err
			}
			if want == 3 {
				if m.s, err = step(text[0]); err != nil {
					return err
				}
			}
			c.multipliers = append(c.multipliers, m)
		}
	}
	return nil
}

// rawTable is a list of numbers, or of vectors of numbers.
type rawTable = json.RawMessage

func (c *Certificate) readInstance(tables map[string]rawTable) error {
	number := func(n json.Number) (*big.Int, error) {
		x, ok := new(big.Int).SetString(n.String(), 10)
		if !ok {
			return nil, fmt.Errorf("%q: want a whole number", n)
		}
		return x, nil
	}
	list := func(numbers []json.Number) (out []*big.Int, err error) {
		for _, n := range numbers {
			x, err := number(n)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	}
	for name, to := range map[string]*[][]*big.Int{"w": &c.points, "g": &c.gradients} {
		var vectors [][]json.Number
		if err := json.Unmarshal(tables[name], &vectors); err != nil {
			return fmt.Errorf("instance: %s: %w", name, err)
		}
		for _, v := range vectors {
			x, err := list(v)
			if err != nil {
				return fmt.Errorf("instance: %s: %w", name, err)
			}
			*to = append(*to, x)
		}
	}
	bits := uint(40)
	if text, ok := tables["bits"]; ok {
		if err := json.Unmarshal(text, &bits); err != nil || bits < 1 || bits > 1000 {
			return fmt.Errorf("instance: bits = %s: want a whole number from 1 to 1000", text)
		}
	}
	c.fine = new(big.Int).Lsh(big.NewInt(1), bits)
	var values []json.Number
	if err := json.Unmarshal(tables["f"], &values); err != nil {
		return fmt.Errorf("instance: f: %w", err)
	}
	var err error
	if c.values, err = list(values); err != nil {
		return fmt.Errorf("instance: f: %w", err)
	}
	gradients, f := c.T+1, c.T
	if c.smooth() {
		gradients, f = c.T+2, c.T+1
	}
	if len(c.points) != c.T || len(c.gradients) != gradients || len(c.values) != f {
		return fmt.Errorf("instance: %d points, %d gradients and %d values: want %d, %d and %d", len(c.points), len(c.gradients), len(c.values), c.T, gradients, f)
	}
	for _, v := range append(append([][]*big.Int{}, c.points...), c.gradients...) {
		if len(v) != len(c.points[0]) {
			return errors.New("instance: vectors of different dimensions")
		}
	}
	return nil
}

// Upper proves an upper bound of the worst case and returns it: sum weight * bound. It is an error, which names what fails, if a weight is negative, if
// the function values do not cancel exactly, or if the matrix of the sum is not shown to be positive semidefinite.
//
// The sum of the weighted inequalities is <M, Gram> + sum_t a_t f_t <= bound. If a is the objective's vector c of coefficients of f, and M = S + C with C
// the objective's matrix and S positive semidefinite, then <C, Gram> + c.f <= bound: that is the objective, F(wbar_T) - F* or what bounds it.
func (c *Certificate) Upper() (*big.Rat, error) {
	S, err := c.matrix()
	if err == nil {
		err = positiveSemidefinite(S)
	}
	if err != nil {
		return nil, fmt.Errorf("worst: upper bound of %s: %w", c.Name(), err)
	}
	bound := new(big.Rat)
	for _, m := range c.multipliers {
		switch m.kind {
		case 'G', 'D': // the inequalities with 1 on the right
			bound.Add(bound, m.weight)
		case 'R':
			right := c.errorBound(m.t)
			bound.Add(bound, right.Mul(right, m.weight))
		}
	}
	return bound, nil
}

// matrix is M - C, once all weights are seen to be legal and the function values to cancel.
func (c *Certificate) matrix() (symmetric, error) {
	lookup := map[multiplierKey]inequality{}
	for _, q := range c.inequalities() {
		lookup[multiplierKey{q.kind, q.s, q.t}] = q
	}
	basis := c.basis()
	S := newMatrix(c.dimension())
	f := make([]*big.Rat, c.T+2)
	for i := range f {
		f[i] = new(big.Rat)
	}
	for _, m := range c.multipliers {
		q, ok := lookup[multiplierKey{m.kind, m.s, m.t}]
		if !ok {
			return nil, fmt.Errorf("no inequality %c %d %d belongs to this problem", m.kind, m.s, m.t)
		}
		if m.weight.Sign() < 0 && !q.equal() {
			return nil, fmt.Errorf("the weight of inequality %c %d %d is negative", m.kind, m.s, m.t)
		}
		f[q.plus].Add(f[q.plus], m.weight)
		f[q.minus].Sub(f[q.minus], m.weight)
		for _, term := range c.products(q) {
			S.addProduct(term.c.mul(exact(m.weight)), basis[term.x], basis[term.y])
		}
	}
	want, objective := c.objective()
	for t := 1; t <= c.T+1; t++ {
		if f[t].Cmp(want[t]) != 0 {
			return nil, fmt.Errorf("the values F(w_%d) do not cancel: their weights sum to %s instead of %s", t, f[t].RatString(), want[t].RatString())
		}
	}
	for _, term := range objective {
		S.addProduct(term.c.neg(), basis[term.x], basis[term.y])
	}
	return S, nil
}

type multiplierKey struct {
	kind byte
	s, t int
}

// objective is what is maximised: coefficients of f_1..f_{T+1}, and inner products. With smoothness it is F at the average. Without, the largest convex function
// through given values and gradients is the convex hull of its table, so F(wbar) is at most the mean of f_t - (mu/2) times the mean of |w_t - wbar|^2
// (Jensen's inequality for F - (mu/2)|w|^2), and iterates that are linearly independent attain it.
func (p Problem) objective() ([]*big.Rat, []product) {
	coefficients := make([]*big.Rat, p.T+2)
	for i := range coefficients {
		coefficients[i] = new(big.Rat)
	}
	if p.smooth() {
		coefficients[p.T+1].SetInt64(1)
		return coefficients, nil
	}
	var terms []product
	for t := 1; t <= p.T; t++ {
		coefficients[t].SetFrac64(1, int64(p.T))
		if p.strong() {
			terms = append(terms, p.square(exact(big.NewRat(-1, int64(2*p.T))), p.w(t), p.w(p.T+1))...)
		}
	}
	return coefficients, terms
}

// dimension is the number of free vectors: w_1..w_T, g_1..g_T, and with smoothness g_{T+1} and g_*.
func (p Problem) dimension() int {
	switch {
	case p.rounds():
		return 3*p.T + 2
	case p.Kappa != nil:
		return 3*p.T - 1
	}
	if p.smooth() {
		return 2*p.T + 2
	}
	return 2 * p.T
}

// entry is a coordinate of a vector in the basis of free vectors.
type entry struct {
	i int
	c interval
}

// basis writes w_0..w_{T+1}, g_0..g_{T+1} in the free vectors: w_0 = 0, w_{T+1} the average; g_0 and g_{T+1} are 0 unless F is smooth.
func (p Problem) basis() [][]entry {
	switch {
	case p.rounds():
		return p.connectBasis()
	case p.Kappa != nil:
		return p.roundedBasis()
	}
	table := make([][]entry, 2*p.T+4)
	for t := 1; t <= p.T; t++ {
		table[p.w(t)] = []entry{{t - 1, whole(1)}}
		table[p.g(t)] = []entry{{p.T + t - 1, whole(1)}}
		table[p.w(p.T+1)] = append(table[p.w(p.T+1)], entry{t - 1, exact(big.NewRat(1, int64(p.T)))})
	}
	if p.smooth() {
		table[p.g(p.T+1)] = []entry{{2 * p.T, whole(1)}}
		table[p.g(0)] = []entry{{2*p.T + 1, whole(1)}}
	}
	return table
}

// symmetric is a symmetric interval matrix.
type symmetric [][]interval

func newMatrix(n int) symmetric {
	m := make(symmetric, n)
	for i := range m {
		m[i] = make([]interval, n)
		for j := range m[i] {
			m[i][j] = whole(0)
		}
	}
	return m
}

// addProduct adds c (x y' + y x')/2.
func (m symmetric) addProduct(c interval, x, y []entry) {
	half := c.mul(exact(big.NewRat(1, 2)))
	for _, a := range x {
		for _, b := range y {
			v := half.mul(a.c).mul(b.c)
			m[a.i][b.i] = m[a.i][b.i].add(v)
			m[b.i][a.i] = m[b.i][a.i].add(v)
		}
	}
}
