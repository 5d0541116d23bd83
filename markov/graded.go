package markov

import "math"

// enoughLoss is the binary logarithm of what underflows may do to a law that
// gthGraded returns: nothing beside its roundings.
const enoughLoss = -60

// gthGraded is gthBand for chains whose law varies so much from state to state that
// rates and their products leave the range of float64. Instead of q(x,y) it keeps
//
//	q(x,y) 2^(h(x)-h(y)),   2^(2h) about the law,
//
// which is about the geometric mean of q(x,y) and of the rate y -> x of the chain that
// runs backwards: at most of size one, and small only where neither direction
// matters. Scaling by powers of two makes no rounding. The law that h comes from is that of
// the elimination before it, at first h = 0.
//
// An underflow changes a rate q(x,y) by some delta, and with it every pi(z) by a factor
// of at most 1 + pi(x) delta C(x,y), C the commute time between x and y: the change is
// pi(x) delta (m(y,z) - m(x,z)) with mean first passage times m (C. Meyer, SIAM J. Alg.
// Disc. Meth. 1 (1980) 273-283), which obey the triangle inequality. The commute time of
// neighbours is at most one over the larger flow between them, and
// commute times obey the triangle inequality, too (D. Levin, Y. Peres, Markov Chains and
// Mixing Times, 2nd ed., Section 10.3). So the harm is bounded from the law that was
// found; ok is false if it is more than 2^enoughLoss, because the law varies by more
// than some 1e-600 from one end of a move to the other, or if there is no flow between
// two neighbours.
func gthGraded(c *Chain, below, above int) (pi []float64, ok bool) {
	h := make([]int, c.n)
	before := math.Inf(1)
	for {
		g := newGraded(c, below, above, h)
		if !g.eliminate() {
			return nil, false
		}
		law := g.law()
		loss := g.loss(law)
		if loss <= enoughLoss {
			return fromWide(law), true
		}
		if !(loss < before-1) {
			return nil, false
		}
		before = loss
		next := make([]int, c.n)
		for x, v := range law {
			next[x] = int(v.e / 2)
			if v.m == 0 { // its way was lost to an underflow: as its neighbour, to begin with
				next[x] = next[max(0, x-1)]
			}
		}
		h = next
	}
}

// graded is an elimination by gthGraded under way.
type graded struct {
	c            *Chain
	below, above int
	w            int       // width of a row
	h            []int     // as above
	q            []float64 // scaled; q(x, y) is at x*w + y-x+below
	top          []int     // 2^top is the unit of the exit of each eliminated state
	largest      float64   // factor by which an error of a rate was multiplied
}

func newGraded(c *Chain, below, above int, h []int) *graded {
	g := &graded{c: c, below: below, above: above, w: below + above + 1, h: h, top: make([]int, c.n), largest: 1}
	g.q = make([]float64, c.n*g.w)
	for x := range c.n {
		cols, vals := c.row(x)
		for i, y := range cols {
			g.q[x*g.w+int(y)-x+below] = math.Ldexp(vals[i], h[x]-h[int(y)])
		}
	}
	return g
}

// eliminate is false if a state has no way to a smaller one, or numbers overflow.
func (g *graded) eliminate() bool {
	scaled := make([]float64, g.below)
	for k := g.c.n - 1; k > 0; k-- {
		first := max(0, k-g.below)
		row := g.q[k*g.w+first-k+g.below : k*g.w+g.below] // states first..k-1
		unscaled := scaled[:len(row)]
		if !g.unscale(k, first, row, unscaled) {
			return false
		}
		sum := positiveSum(unscaled)
		for j, v := range row {
			row[j] = math.Ldexp(v, g.h[k]-g.top[k])
			g.largest = max(g.largest, row[j])
		}
		for i := max(0, k-g.above); i < k; i++ {
			at := i*g.w + k - i + g.below
			f := g.q[at] / sum
			g.q[at] = f
			if f == 0 {
				continue
			}
			to := g.q[i*g.w+first-i+g.below:][:len(row)]
			for j, v := range row {
				to[j] += f * v
			}
			g.q[i*g.w+g.below] = 0 // a way back to where it started is no move
		}
	}
	return !math.IsInf(g.largest, 0) && !math.IsNaN(g.largest)
}

// unscale sets rates to those of a row in the unit 2^top, in which the largest is
// near one.
func (g *graded) unscale(k, first int, row, rates []float64) bool {
	top, any := 0, false
	for j, v := range row {
		if v == 0 {
			continue
		}
		if _, e := math.Frexp(v); !any || e+g.h[first+j] > top {
			top, any = e+g.h[first+j], true
		}
	}
	g.top[k] = top
	for j, v := range row {
		rates[j] = math.Ldexp(v, g.h[first+j]-top)
	}
	return any
}

// law substitutes back.
func (g *graded) law() []wide {
	law := make([]wide, g.c.n)
	law[0] = toWide(1)
	most := int64(0)
	for k := 1; k < g.c.n; k++ {
		var v wide
		for i := max(0, k-g.above); i < k; i++ {
			if f := g.q[i*g.w+k-i+g.below]; f != 0 {
				u := law[i].mul(toWide(f))
				u.e -= int64(g.h[i])
				v = v.add(u)
			}
		}
		v.e += int64(2*g.h[k] - g.top[k])
		law[k] = v
		if v.m != 0 {
			most = max(most, v.e)
		}
	}
	for k := range law {
		law[k].e -= most
	}
	return law
}

// loss bounds the binary logarithm of what underflows did to any entry of the law,
// relatively.
func (g *graded) loss(law []wide) float64 {
	n := g.c.n
	flow := make([]float64, n) // binary logarithm of the flow between x and x+1
	size := make([]float64, n) // of law[x]
	lg := func(x, y int) float64 { return math.Log2(g.c.Rate(x, y)) + float64(law[x].e) - 1 }
	for x := range n {
		size[x] = float64(law[x].e)
		if law[x].m == 0 {
			return math.MaxFloat64 // worth another try
		}
	}
	for x := range n - 1 {
		flow[x] = max(lg(x, x+1), lg(x+1, x))
	}
	width := max(g.below, g.above)
	worst := math.Inf(-1) // of pi(x) delta / flow, for a delta of one in scaled rates
	for x := range n {
		least := math.Inf(1)
		for y := x + 1; y <= min(n-1, x+width); y++ {
			least = min(least, flow[y-1])
			d := float64(g.h[y] - g.h[x])
			worst = max(worst, size[x]+d-least, size[y]-d-least)
		}
	}
	// Each scaled rate has up to width products, each with an error of 2^-1075 of its own and
	// one of its factor, multiplied by at most largest, and the error of scaling it; a
	// commute time has up to width terms, and there are 2 n width rates.
	b := float64(width)
	return worst - 1075 + math.Log2((b*(1+g.largest)+1)*b*2*float64(n)*b) + 2
}
