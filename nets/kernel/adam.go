package kernel

//go:generate sh -c "cd _asm && go run ./elementwise -out .."

import (
	"fmt"
	"math"

	"tqn/quantize"
)

// Adam is the step of Kingma and Ba (2015, Algorithm 1) at step number t, from 1,
// with g the gradient plus Decay*w:
//
//	m <- Beta1 m + (1-Beta1) g,  v <- Beta2 v + (1-Beta2) g^2
//	step = Factor * Alpha/(1-Beta1^t) * m / (sqrt(v/(1-Beta2^t)) + Epsilon)
//
// each operation rounded to float32, the constants computed in float64 first.
// Values below 2^-126 count as zero, before and after each operation: the moments of
// a weight without gradient would otherwise end as denormal numbers that never
// reach zero (0.9 times 4*2^-149 rounds to itself) and that cost the processor a
// hundred cycles each in every step from then on.
type Adam struct {
	Alpha, Beta1, Beta2, Epsilon float64
	Decay                        float64
	Factor                       float64 // of the step, rounded to float32; 0 is 1
	T                            uint64
}

// adamArgs is what the kernels get. Its layout is known to the assembly.
type adamArgs struct {
	w, g, m, v    *float32
	n             int64
	b1, a1        float32 // Beta1, 1-Beta1
	b2, a2        float32
	scale, c2     float32 // Alpha/(1-Beta1^t), 1/(1-Beta2^t)
	eps, decay    float32
	lo, hi        float32 // the box, for Float and BC
	block, stream uint32  // Philox: counter of w[0], which is a multiple of 4 words in
	step          uint64

	// What follows is filled in by adamUpdate.
	two, half float32 // 2, 2^31: probability 1, words for a displacement of 1
	sign, _   uint32
	m0, m1    uint64     // Philox' multipliers
	keys      [20]uint32 // Philox' keys, two a round
	order     [8]uint64  // block of each lane
	advance   uint64     // blocks in a vector

	k0, k1 uint32
}

// elementwise holds the state of the current elementwise job of a pool.
type elementwise struct {
	ws         *Workers
	adam       adamArgs
	rule       quantize.Rule
	binary     bool
	w, g, m, v []float32
	adamPart   func(part, worker int)
	finitePart func(part, worker int)
	addPart    func(part, worker int)
	to, from   Values
	roundPart  func(part, worker int)
	finite     []bool
}

func (e *elementwise) init(ws *Workers) {
	e.ws = ws
	e.adamPart = e.adamChunk
	e.finitePart = func(part, _ int) {
		from := part * chunk
		e.finite[part] = allFinite(ws.impl, e.w[from:min(from+chunk, len(e.w))])
	}
	e.roundPart = func(part, _ int) {
		x := e.to.Of(part*chunk, min((part+1)*chunk, e.to.Len())).floats
		roundAll(ws.impl, x, x)
	}
	e.addPart = func(part, _ int) {
		from, to := part*chunk, min((part+1)*chunk, e.to.Len())
		ws.addSome(e.to.Of(from, to), e.from.Of(from, to))
	}
}

// chunk is the number of values an elementwise part handles: small enough to
// stay in the first-level cache with three more arrays, large enough that handing it out costs nothing.
const chunk = 8192

// AdamRule takes one step in one pass: Adam's moments m and v of gradient g, then
// the rule on grid with draw d, as [quantize.Update] of float32 does with the
// step above, bit for bit. Weight i uses word i of the draw. An unbounded grid
// with the rule Float means no box.
//
// g must be finite (see [Workers.Finite]); it is overwritten if the grid is
// neither binary nor unbounded.
func (ws *Workers) AdamRule(w, g, m, v []float32, a Adam, rule quantize.Rule, grid quantize.Grid, d quantize.Draw) {
	checkLen("AdamRule: g", len(g), len(w))
	checkLen("AdamRule: m", len(m), len(w))
	checkLen("AdamRule: v", len(v), len(w))
	if a.T < 1 {
		panic(fmt.Sprintf("kernel: AdamRule: step number %d: want 1 or more", a.T))
	}
	k0, k1 := d.Noise.Key()
	e := &ws.elementwise
	e.adam = adamArgs{
		b1: float32(a.Beta1), a1: float32(1 - a.Beta1), b2: float32(a.Beta2), a2: float32(1 - a.Beta2),
		scale: float32(a.Alpha / (1 - math.Pow(a.Beta1, float64(a.T)))), c2: float32(1 / (1 - math.Pow(a.Beta2, float64(a.T)))),
		eps: float32(a.Epsilon), decay: float32(a.Decay), lo: float32(grid.Lo), hi: float32(grid.Hi),
		stream: d.Stream, step: d.Step, k0: k0, k1: k1,
	}
	if a.Factor != 0 {
		e.adam.scale *= float32(a.Factor)
	}
	e.w, e.g, e.m, e.v, e.rule = w, g, m, v, rule
	e.binary = grid == quantize.Binary()
	parts := (len(w) + chunk - 1) / chunk
	switch {
	case rule == quantize.Float && !grid.Bounded(), e.binary:
		ws.Do(parts, e.adamPart)
	default:
		e.rule = stepOnly
		ws.Do(parts, e.adamPart)
		quantize.Update(rule, grid, w, g, d)
	}
	e.w, e.g, e.m, e.v = nil, nil, nil, nil
}

// stepOnly leaves the step in g and w alone.
const stepOnly = quantize.Rule(255)

func (e *elementwise) adamChunk(part, _ int) {
	from := part * chunk
	to := min(from+chunk, len(e.w))
	a := e.adam
	a.block = uint32(from / 4)
	adamUpdate(e.ws.impl, e.w[from:to], e.g[from:to], e.m[from:to], e.v[from:to], &a, e.rule)
}

func adamGeneric(w, g, m, v []float32, a *adamArgs, rule quantize.Rule) {
	noise := quantize.NewNoise(uint64(a.k1)<<32 | uint64(a.k0))
	var words [4]uint32
	for i := range w {
		grad := plus(g[i], times(a.decay, w[i]))
		m[i] = plus(times(a.b1, m[i]), times(a.a1, grad))
		v[i] = plus(times(a.b2, v[i]), times(a.a2, times(grad, grad)))
		root := float32(math.Sqrt(float64(times(v[i], a.c2))))
		step := over(times(a.scale, m[i]), plus(root, a.eps))
		switch rule {
		case stepOnly:
			g[i] = step
		case quantize.Float, quantize.BC, quantize.BCStochastic:
			w[i] = min(max(plus(w[i], -step), a.lo), a.hi)
		case quantize.R:
			if plus(w[i], -step) >= 0 {
				w[i] = 1
			} else {
				w[i] = -1
			}
		case quantize.SR:
			if i&3 == 0 {
				words = noise.Block(a.stream, a.step, a.block+uint32(i>>2))
			}
			// The inward displacement; p = inward/2 is the probability of a flip,
			// certain from 2 on.
			inward := step
			if w[i] < 0 {
				inward = -step
			}
			if inward >= 2 || inward > 0 && words[i&3] < uint32(inward*0x1p31) {
				w[i] = -w[i]
			}
		}
	}
}

// plus, times and over are the operations of a processor that flushes: float32
// with zero in place of every operand and result below 2^-126. In float64 the sum,
// product or quotient is exact or close enough to round to the same float32.
func plus(a, b float32) float32  { return flushed(float64(zeroed(a)) + float64(zeroed(b))) }
func times(a, b float32) float32 { return flushed(float64(zeroed(a)) * float64(zeroed(b))) }
func over(a, b float32) float32  { return flushed(float64(zeroed(a)) / float64(zeroed(b))) }

func zeroed(x float32) float32 {
	if math.Float32bits(x)&0x7f800000 == 0 {
		return math.Float32frombits(math.Float32bits(x) & (1 << 31))
	}
	return x
}

// flushed rounds to float32. A result is too small if it is so when rounded to 24
// bits: halfway between 2^-126 and its lower neighbour at that precision it is not.
func flushed(x float64) float32 {
	if math.Abs(x) < 0x1p-126-0x1p-151 {
		return float32(math.Copysign(0, x))
	}
	return float32(x)
}

// Add adds from to to, of one kind; rounded values are rounded again.
func (ws *Workers) Add(to, from Values) {
	checkLen("Add: from", from.Len(), to.Len())
	e := &ws.elementwise
	e.to, e.from = to, from
	ws.Do((to.Len()+chunk-1)/chunk, e.addPart)
	e.to, e.from = Values{}, Values{}
}

// round rounds values that lie as float32 though they are to be bf16 numbers.
func (ws *Workers) round(v Values) {
	if !v.rounded || v.halves != nil {
		return
	}
	e := &ws.elementwise
	e.to = v
	ws.Do((v.Len()+chunk-1)/chunk, e.roundPart)
	e.to = Values{}
}

// addSome adds values that one worker adds.
func (ws *Workers) addSome(to, from Values) {
	if to.halves == nil {
		add(ws.impl, to.floats, from.floats)
		if to.rounded {
			roundAll(ws.impl, to.floats, to.floats)
		}
		return
	}
	var buffer [256]float32
	for at := 0; at < to.Len(); at += len(buffer) {
		end := min(at+len(buffer), to.Len())
		addHalves(to.halves[at:end], from.Of(at, end).Float32(buffer[:]))
	}
}

func addGeneric(to, from []float32) {
	for i, v := range from {
		to[i] += v
	}
}

// Finite reports whether all values are finite.
func (ws *Workers) Finite(x []float32) bool {
	e := &ws.elementwise
	parts := (len(x) + chunk - 1) / chunk
	if len(e.finite) < parts {
		e.finite = make([]bool, parts)
	}
	e.w = x
	ws.Do(parts, e.finitePart)
	e.w = nil
	for _, ok := range e.finite[:parts] {
		if !ok {
			return false
		}
	}
	return true
}

func finite(x []float32) bool {
	var bad uint32
	for _, v := range x {
		// The exponent is all ones iff this addition carries into the sign bit.
		bad |= math.Float32bits(v)&0x7fffffff + 0x00800000
	}
	return bad>>31 == 0
}
