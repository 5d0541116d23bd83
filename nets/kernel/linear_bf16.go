package kernel

// bf16Linear is the definition of a linear layer at bf16, the order of its sums included: of rounded factors, in chunks of [tileTerms] of the reduction, the last filled up with
// zeros ([tileDot]). The reduction runs over the inputs, over the outputs in the gradient of the input, and over the rows in that of the weights.
type bf16Linear struct {
	ws      *Workers
	in, out int

	x, y, w    []float32 // rounded, but for the result
	rows       int
	forwardRow func(part, worker int)
	inputRow   func(part, worker int)
	weightsRow func(part, worker int)
	rx, ry, rw []float32
}

func newBF16Linear(ws *Workers, rows, in, out int) *bf16Linear {
	l := &bf16Linear{ws: ws, in: in, out: out, rx: make([]float32, rows*in), ry: make([]float32, rows*out), rw: make([]float32, in*out)}
	l.forwardRow = func(i, _ int) {
		for k := range out {
			l.y[i*out+k] = tileSum(in, l.x[i*in:], 1, l.w[k:], out)
		}
	}
	l.inputRow = func(i, _ int) {
		for c := range in {
			l.x[i*in+c] = tileSum(out, l.y[i*out:], 1, l.w[c*out:], 1)
		}
	}
	l.weightsRow = func(c, _ int) {
		for k := range out {
			l.w[c*out+k] = tileSum(l.rows, l.x[c:], in, l.y[k:], out)
		}
	}
	return l
}

// tileSum is the sum over so many terms of the products of values of a and b that lie so far apart.
func tileSum(terms int, a []float32, apartA int, b []float32, apartB int) (sum float32) {
	for from := 0; from < terms; from += tileTerms {
		var s, t [tileTerms]float32
		for i := range min(tileTerms, terms-from) {
			s[i], t[i] = a[(from+i)*apartA], b[(from+i)*apartB]
		}
		sum = tileDot(sum, &s, &t)
	}
	return sum
}

// rounded rounds from into the beginning of to.
func (l *bf16Linear) rounded(to, from []float32) []float32 {
	roundAll(l.ws.impl, to, from)
	return to[:len(from)]
}

func (l *bf16Linear) forward(y []float32, x Values, w []float32, rows int) {
	l.y, l.x, l.w = y, l.rounded(l.rx, x.floats), l.rounded(l.rw, w)
	l.ws.Do(rows, l.forwardRow)
}

func (l *bf16Linear) gradInput(dx Values, dy, w []float32, rows int) {
	l.x, l.y, l.w = dx.floats, l.rounded(l.ry, dy), l.rounded(l.rw, w)
	l.ws.Do(rows, l.inputRow)
}

func (l *bf16Linear) gradWeights(dw []float32, x Values, dy []float32, rows int) {
	l.w, l.x, l.y, l.rows = dw, l.rounded(l.rx, x.floats), l.rounded(l.ry, dy), rows
	l.ws.Do(l.in, l.weightsRow)
}

// roundedLinear computes at bf16 with float32's kernels of rounded operands, as [roundedConv] does.
type roundedLinear struct {
	linearAlgorithm
	*rounder
	x, y, w []float32
}

func newRoundedLinear(ws *Workers, rows, in, out int, algo linearAlgorithm) *roundedLinear {
	return &roundedLinear{linearAlgorithm: algo, rounder: newRounder(ws), x: make([]float32, rows*in), y: make([]float32, rows*out), w: make([]float32, in*out)}
}

func (l *roundedLinear) forward(y []float32, x Values, w []float32, rows int) {
	l.linearAlgorithm.forward(y, Floats(l.factors(x)), l.rounded(l.w, w), rows)
}

func (l *roundedLinear) gradInput(dx Values, dy, w []float32, rows int) {
	to := dx.room(l.x, dx.Len(), 0, 1)
	l.linearAlgorithm.gradInput(Floats(to), l.rounded(l.y, dy), l.rounded(l.w, w), rows)
	if dx.halves != nil {
		dx.Round(to)
	}
}

func (l *roundedLinear) gradWeights(dw []float32, x Values, dy []float32, rows int) {
	l.linearAlgorithm.gradWeights(dw, Floats(l.factors(x)), l.rounded(l.y, dy), rows)
}

// factors is the layer's input as float32.
func (l *roundedLinear) factors(x Values) []float32 {
	if x.halves != nil {
		return x.Float32(l.x)
	}
	return l.rounded(l.x, x.floats)
}
