package kernel

import "fmt"

// Linear is y = x W + b with x (n,In), W (In,Out), b (Out): a convolution with
// one pixel for each row of x. Its products are at the workers' precision; x may be an activation of bf16 numbers.
type Linear struct {
	ws      *Workers
	In, Out int
	rows    int
	algo    linearAlgorithm
}

type linearAlgorithm interface {
	forward(y []float32, x Values, w []float32, rows int)
	gradInput(dx Values, dy, w []float32, rows int) // rounded only if dx is of halves
	gradWeights(dw []float32, x Values, dy []float32, rows int)
}

// NewLinear allocates for at most that many rows.
func NewLinear(ws *Workers, rows, in, out int) *Linear {
	l := &Linear{ws: ws, In: in, Out: out, rows: rows}
	l.algo = newLinearAlgorithm(ws, rows, in, out)
	return l
}

func (l *Linear) check(what string, inputs int, y []float32) int {
	n := len(y) / l.Out
	if inputs != n*l.In || len(y) != n*l.Out || n > l.rows {
		panic(fmt.Sprintf("kernel: Linear.%s: %d inputs and %d outputs, want at most %d rows of %d and %d", what, inputs, len(y), l.rows, l.In, l.Out))
	}
	return n
}

// Forward computes y = x w + bias; bias may be nil.
func (l *Linear) Forward(y []float32, x Values, w, bias []float32) {
	n := l.check("Forward", x.Len(), y)
	checkLen("Linear.Forward: w", len(w), l.In*l.Out)
	l.algo.forward(y, x, w, n)
	if bias != nil {
		checkLen("Linear.Forward: bias", len(bias), l.Out)
		for i := range n {
			for k, b := range bias {
				y[i*l.Out+k] += b
			}
		}
	}
}

// GradInput computes dx = dy w^T.
func (l *Linear) GradInput(dx Values, dy, w []float32) {
	n := l.check("GradInput", dx.Len(), dy)
	checkLen("Linear.GradInput: w", len(w), l.In*l.Out)
	l.algo.gradInput(dx, dy, w, n)
	l.ws.round(dx)
}

// GradWeights computes dw = x^T dy and, unless dbias is nil, dbias = sum over rows of dy.
func (l *Linear) GradWeights(dw, dbias []float32, x Values, dy []float32) {
	n := l.check("GradWeights", x.Len(), dy)
	checkLen("Linear.GradWeights: dw", len(dw), l.In*l.Out)
	l.algo.gradWeights(dw, x, dy, n)
	if dbias != nil {
		checkLen("Linear.GradWeights: dbias", len(dbias), l.Out)
		clear(dbias)
		for i := range n {
			for k, d := range dy[i*l.Out:][:l.Out] {
				dbias[k] += d
			}
		}
	}
}

// genericLinear is the definition as loops.
type genericLinear struct {
	ws      *Workers
	in, out int

	y, x, w                          []float32
	rows                             int
	forwardRow, inputRow, weightsRow func(part, worker int)
}

func newGenericLinear(ws *Workers, in, out int) *genericLinear {
	g := &genericLinear{ws: ws, in: in, out: out}
	g.forwardRow = func(i, _ int) {
		to := g.y[i*out:][:out]
		clear(to)
		for j, v := range g.x[i*in:][:in] {
			for k, w := range g.w[j*out:][:out] {
				to[k] += float32(v * w)
			}
		}
	}
	g.inputRow = func(i, _ int) {
		dy := g.y[i*out:][:out]
		for j := range in {
			var sum float32
			for k, w := range g.w[j*out:][:out] {
				sum += float32(dy[k] * w)
			}
			g.x[i*in+j] = sum
		}
	}
	g.weightsRow = func(j, _ int) {
		to := g.w[j*out:][:out]
		clear(to)
		for i := range g.rows {
			v := g.x[i*in+j]
			for k, d := range g.y[i*out:][:out] {
				to[k] += float32(v * d)
			}
		}
	}
	return g
}

func (g *genericLinear) forward(y []float32, x Values, w []float32, rows int) {
	g.y, g.x, g.w = y, x.floats, w
	g.ws.Do(rows, g.forwardRow)
}

func (g *genericLinear) gradInput(dx Values, dy, w []float32, rows int) {
	g.y, g.x, g.w = dy, dx.floats, w
	g.ws.Do(rows, g.inputRow)
}

func (g *genericLinear) gradWeights(dw []float32, x Values, dy []float32, rows int) {
	g.y, g.x, g.w, g.rows = dy, x.floats, dw, rows
	g.ws.Do(g.in, g.weightsRow)
}
