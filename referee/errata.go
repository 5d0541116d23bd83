package referee

import (
	"context"
	"fmt"
	"math"
	"strings"

	"tqn/bounds"
	"tqn/cluster"
	"tqn/convex"
	"tqn/markov"
	"tqn/nets"
	"tqn/quantize"
	"tqn/toy"
)

// Errata holds every number of docs/errata.md.
type Errata struct {
	Counter        map[string]convex.Counterexample
	Order          []string // names of the counterexamples
	Growth2        []convex.Counterexample
	Growth3        []convex.Counterexample
	Open2          convex.OpenTheorem2
	General        []convex.Counterexample // Theorem 2 on a general convex W
	TrueUpTo       []TrueUpTo
	Reaches        []Reach
	Threshold      convex.Counterexample // Corollary 1 with Q_d at T = 1e5
	Sharp          map[string]float64    // sharp bound on each witness
	RootSums       []RootSum
	Lemma          LemmaErrata
	Sign           SignErrata
	Joint          []JointMove
	Concentration  []Concentration
	Left, Right    float64 // limits of the objective (8) at 3.5
	Margin         float64 // largest relative width of the exact measurements
	Theorem5Values []Theorem5Value
	Batches        []BatchErrata // SR's gap against the batch size
	ToyDelta       float64
	Rests          []Rest // where BC with Q_d comes to rest on (8)
	Walks          []PaperWalk
	NoiseFlips     float64            // see [NoiseFlips]
	AdamStep       float64            // see [AdamStep]
	AdamErrors     map[string]float64 // of Table 1, by column
}

// PaperWalk is what a method changes at the paper's protocol if nothing is learnt, in percent of VGG-9's convolution signs.
type PaperWalk struct {
	Method, Start string
	Updates       int
	Share         float64
}

// TrueUpTo is how far Theorem 2 is true for T iterates as Section 4.1 and as Appendix C print it, c in units of D/G.
type TrueUpTo struct {
	T           int
	C, Appendix float64
	Always      bool
}

// Reach is a staircase that refutes Section 4.1's Theorem 2 for T steps with c = K D/G.
type Reach struct {
	T       int
	K       float64
	TrueTo  int     // the statement is proved for every T up to this one
	Ratio   float64 // measured/printed
	Percent float64 // of the bound of the form moving
}

// Critical and CriticalAppendix are the steps, in units of D/G, up to which Theorem 2 as Section 4.1 and as Appendix C print it is true for every T, and above which it is false from some T on, cut off after seven digits.
func (e *Errata) Critical() string         { return cut(bounds.CriticalStep) }
func (e *Errata) CriticalAppendix() string { return cut(bounds.CriticalStepAppendix) }

func cut(x float64) string { return fmt.Sprintf("%.7f...", math.Floor(x*1e7)/1e7) }

// BatchErrata is the mean gap of SR with batches of B beside the bounds.
type BatchErrata struct {
	B                 int
	Gap, Noise, Sharp float64
}

// Rest is a cell of the grid between whose ends f' changes sign from - to +: BC's real weight with Q_d goes to its middle.
type Rest struct {
	Left, Right, Threshold, Value, Least, Share float64
}

// FalseResults is the number of results that have a counterexample.
func (e *Errata) FalseResults() int {
	claims := map[string]bool{}
	for _, c := range e.Counter {
		claims[c.Claim] = true
	}
	return len(claims)
}

type RootSum struct {
	T                int
	Sum, False, True float64
}

type LemmaErrata struct {
	Binary, BinaryAsPrinted, BinarySpacing float64 // E|r|^2 and the bound with Delta = 1 and 2
	OffGrid                                float64
}

type SignErrata struct{ Up, Down, Printed, True float64 }

type JointMove struct{ Alpha, Same, Independent float64 }

type Concentration struct{ Sigma, Mass, Smallest float64 }

type Theorem5Value struct {
	Alpha, Measured, Bound float64
}

// general reports whether a counterexample to Theorem 2 has a W that is not a box.
func general(c convex.Counterexample) bool { return strings.HasPrefix(c.Name, "theorem2-general") }

// NewErrata computes them anew. They are a function of nothing.
func NewErrata(ctx context.Context) (*Errata, error) {
	e := &Errata{Counter: map[string]convex.Counterexample{}, Sharp: map[string]float64{}}
	all, err := convex.Counterexamples(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		e.Counter[c.Name] = c
		e.Order = append(e.Order, c.Name)
		if general(c) {
			e.General = append(e.General, c)
		}
		claim, err := bounds.Find(c.Claim)
		if err != nil {
			return nil, err
		}
		v, err := claim.Bound(bounds.Sharp, c.Rounding, c.Parameters)
		if err != nil {
			return nil, err
		}
		e.Sharp[c.Name] = v.Total()
		if c.Name != "theorem3-linear" && c.Name != "theorem4-coarse" && c.Name != "theorem3-smooth" && !general(c) {
			e.Margin = max(e.Margin, (c.Measured.Upper-c.Measured.Lower)/c.Measured.Estimate)
		}
	}
	for _, T := range []int{2, 3, 10, 30, 100, 1000, 10_000, 1_000_000} {
		c := bounds.TrueUpTo(bounds.Printed, T)
		e.TrueUpTo = append(e.TrueUpTo, TrueUpTo{T, c, bounds.TrueUpTo(bounds.Appendix, T), math.IsInf(c, 1)})
	}
	members, err := convex.Staircases()
	if err != nil {
		return nil, err
	}
	for _, s := range members {
		lower, _, err := s.Mean()
		if err != nil {
			return nil, err
		}
		r := Reach{T: s.T, K: s.K, TrueTo: 1}
		for bounds.TrueUpTo(bounds.Printed, r.TrueTo+1) >= s.K {
			r.TrueTo++
		}
		for form, to := range map[bounds.Form]*float64{bounds.Printed: &r.Ratio, bounds.Moving: &r.Percent} {
			v, err := bounds.Theorem2(form, bounds.Stochastic, s.Parameters())
			if err != nil {
				return nil, err
			}
			*to = lower / v.Total()
		}
		r.Percent *= 100
		e.Reaches = append(e.Reaches, r)
	}
	if e.Growth2, err = convex.Theorem2Growth(ctx); err != nil {
		return nil, err
	}
	if e.Open2, err = convex.SearchOpenTheorem2(ctx); err != nil {
		return nil, err
	}
	if e.Growth3, err = convex.Theorem3Growth(ctx); err != nil {
		return nil, err
	}
	// The threshold at a large T: F = (w - 0.3)^2/2 on [0, 1].
	for _, x := range convex.Exhibits() {
		if x.Name == "corollary1-nearest" {
			if e.Threshold, err = x.Check(ctx, []int{100000, 30, 0}); err != nil {
				return nil, err
			}
		}
	}
	sum := 0.0
	for t := 1; t <= 10000; t++ {
		sum += 1 / math.Sqrt(float64(t))
		if t == 2 || t == 3 || t == 100 || t == 10000 {
			x := float64(t)
			e.RootSums = append(e.RootSums, RootSum{t, sum, math.Sqrt(x + 1), 2*math.Sqrt(x) - 1})
		}
	}
	e.lemma()
	if err := e.section5(); err != nil {
		return nil, err
	}
	if e.Batches, err = batchErrata(); err != nil {
		return nil, err
	}
	e.rests()
	if err := e.section6(); err != nil {
		return nil, err
	}
	e.Left, e.Right = toy.Objective(math.Nextafter(3.5, 0)), toy.Objective(3.5)
	return e, nil
}

func (e *Errata) lemma() {
	b := quantize.Binary()
	e.Lemma.Binary = b.ErrorSecondMoment(-1, 0.5) // alpha G = 1/2
	e.Lemma.BinaryAsPrinted, e.Lemma.BinarySpacing = 1*0.5, 2*0.5
	g := quantize.Grid{Delta: 1, Lo: 0, Hi: 1}
	_, p := g.UpProbability(0.5)
	e.Lemma.OffGrid = p * (1 - p)
}

func (e *Errata) section5() error {
	// p is the law of the step direction, N(0.5, 1).
	law := markov.Gaussian{Mean: 0.5, Sigma: 1}
	up, down := law.Excess(0), law.Shortfall(0)
	e.Sign = SignErrata{up, down, up / (up - down), up / (up + down)}

	for _, alpha := range []float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8} {
		// Z with P(|Z| > v) = 1/v^2 for v >= 1 and a fair sign, Delta = 1. For Z_1 = Z_2 = Z
		// the probability of the move (+1, +1) is E[h(alpha Z+)^2], h the tent on [0, 2]:
		//	alpha^2 (int_alpha^1 du/u + int_1^2 (2-u)^2/u^3 du) = alpha^2 (log(1/alpha) + log 2 - 1/2),
		// for independent ones (E h(alpha Z+))^2, E h = alpha (1 - alpha + int_1^2 ... ) below.
		same := math.Log(1/alpha) + math.Ln2 - 0.5
		// E h(alpha Z+) = alpha^2 (int_alpha^1 du/u^2 + int_1^2 (2-u)/u^3 du) = alpha^2 (1/alpha - 1 + 1/4).
		single := 1 - 0.75*alpha
		e.Joint = append(e.Joint, JointMove{alpha, same, single * single})
	}
	grid, err := quantize.NewGrid(0.5, -2, 2)
	if err != nil {
		return err
	}
	for _, sigma := range []float64{2, 0.5, 0.1, 0.02} {
		s := markov.OnGrid(grid, func(w float64) markov.Law { return markov.Gaussian{Mean: w, Sigma: sigma} })
		alpha, err := s.Alpha0()
		if err != nil {
			return err
		}
		chain, err := s.Limit(alpha / 2)
		if err != nil {
			return err
		}
		pi, err := chain.Stationary()
		if err != nil {
			return err
		}
		c := Concentration{Sigma: sigma, Mass: pi[4], Smallest: 1}
		for _, p := range pi {
			c.Smallest = min(c.Smallest, p)
		}
		e.Concentration = append(e.Concentration, c)
	}
	// The explicit constant of (21) on a grid of 5 x 5 points with heavy tails.
	lattice := markov.SR{Axes: []quantize.Grid{grid, grid}, Gradient: func(w []float64, k int) markov.Law {
		return markov.Gaussian{Mean: 0.5 * w[k], Sigma: 1}
	}}
	tail := 0.0
	w := make([]float64, 2)
	for x := range lattice.States() {
		lattice.Point(x, w)
		tail = max(tail, lattice.Gradient(w, 0).TailConstant(), lattice.Gradient(w, 1).TailConstant())
	}
	alphas := []float64{1e-1, 1e-2, 1e-3}
	r, err := markov.Theorem5(lattice, alphas)
	if err != nil {
		return err
	}
	for _, row := range r.Rows {
		v, err := bounds.Theorem5(bounds.Derived, bounds.Stochastic, bounds.Parameters{Dim: 2, Delta: grid.Delta, Alpha: row.Alpha, Tail: tail})
		if err != nil {
			return err
		}
		e.Theorem5Values = append(e.Theorem5Values, Theorem5Value{row.Alpha, row.MatrixDistance, v.Total()})
	}
	return nil
}

// section6 computes the walks of Section 6's runs of VGG-9.
func (e *Errata) section6() error {
	e.NoiseFlips, e.AdamStep, e.AdamErrors = NoiseFlips(), AdamStep(), map[string]float64{}
	for _, c := range cluster.PaperColumns() {
		e.AdamErrors[c.ID] = c.Errors["adam"]
	}
	add := func(start string, c nets.Config) error {
		c.Net, c.Data = "vgg9", "cifar10"
		c, err := c.Resolve()
		if err != nil {
			return err
		}
		updates := 50000 / c.Batch * c.Epochs
		share, err := Walk(c, uint64(updates))
		if err != nil {
			return err
		}
		title := (&Trained{Method: c.Method}).title()
		e.Walks = append(e.Walks, PaperWalk{title, start, updates, 100 * share})
		return nil
	}
	for _, s := range Starts() {
		if s.Scale != "" {
			continue // the original BinaryConnect's step lengths are not the paper's
		}
		if err := add(s.String(), nets.Config{Method: "bc", Init: s.Init, Clip: &s.Clip}); err != nil {
			return err
		}
	}
	for _, method := range []string{"sr", "big-sr"} {
		if err := add("-1 and +1", nets.Config{Method: method}); err != nil {
			return err
		}
	}
	return nil
}

// rests finds the points of rest of BC with Q_d on the objective (8), on a grid over all of its wells. The share follows from the mean gradient, which is 0 at rest:
// (1-share) f'(left) + share f'(right) = 0.
func (e *Errata) rests() {
	const delta = 0.4
	e.ToyDelta = delta
	at := func(i int) float64 { return math.Round(10*toy.BoxLo+10*delta*float64(i)) / 10 } // without rounding errors
	for i := range int(math.Floor((toy.BoxHi - toy.BoxLo) / delta)) {
		a, b := at(i), at(i+1)
		fa, fb := toy.Gradient(a), toy.Gradient(b)
		if fa >= 0 || fb <= 0 {
			continue
		}
		r := Rest{Left: a, Right: b, Threshold: (a + b) / 2, Value: toy.Objective((a + b) / 2), Least: math.Inf(1), Share: -fa / (fb - fa)}
		for i := 0; i <= 1000; i++ {
			r.Least = min(r.Least, toy.Objective(a+delta*float64(i)/1000))
		}
		e.Rests = append(e.Rests, r)
	}
}
