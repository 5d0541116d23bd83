//go:build amd64 && !purego

package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// halvesCase is a batch norm of bf16 numbers: in two bytes by the vectors, as float32 by the generic loops, which define it.
type halvesCase struct {
	rows, c               int
	relu, residual, pools bool
	tiny                  bool // activations around the smallest number of bf16
}

const halvesImages = 2

func (h halvesCase) String() string {
	return fmt.Sprintf("%d rows of %d channels, ReLU %v, residual %v, pooling %v, tiny %v", h.rows, h.c, h.relu, h.residual, h.pools, h.tiny)
}

// run is the batch norm's results at the given implementation: z, dy, dresidual, dgamma, dbeta.
func (h halvesCase) run(t *testing.T, impl implementation) [][]float32 {
	ws := pool(t, 2, impl)
	ws.SetPrecision(BF16)
	each := h.rows * h.c
	values := func(seed uint64, n int) []float32 {
		x := make([]float32, n)
		noise(seed, x)
		return x
	}
	kept := func(x []float32) Values {
		if x == nil {
			return Values{}
		}
		v := ws.Rounded(make([]float32, ws.RoundedSize(len(x))), len(x))
		if v.IsFloat32() {
			roundAllGeneric(v.floats, x)
		} else {
			roundAllGeneric(x, x)
			v.Round(x)
		}
		return v
	}
	y, dz := values(1, halvesImages*each), values(2, halvesImages*each)
	for i := range y { // equal neighbours for a pooling to choose from
		y[i] = float32(int(4*y[i])) / 4
	}
	gamma, beta := values(3, h.c), values(4, h.c)
	if h.tiny {
		for i := range gamma {
			gamma[i] *= 0x1p-127
			beta[i] *= 0x1p-127
		}
	}
	var r, dres0 []float32
	if h.residual {
		r, dres0 = values(5, len(y)), make([]float32, len(y))
		if h.tiny {
			for i := range r {
				r[i] *= 0x1p-127
			}
		}
	}
	b := NewBatchNorm(ws, halvesImages, h.rows, h.c, 1e-5)
	var m *MaxPool
	if h.pools {
		m = NewMaxPool(ws, 4, h.rows/4, h.c, 2, 2, 0)
		dz = dz[:halvesImages*m.Outputs()]
	}
	dgamma, dbeta := make([]float32, h.c), make([]float32, h.c)
	dy, dres, grad := kept(make([]float32, len(y))), kept(dres0), kept(dz)
	wide := func(v Values) []float32 {
		x := v.Float32(make([]float32, v.Len()))
		roundAllGeneric(x, x) // dy lies as float32 where it is for the convolution to round
		return x
	}
	z := kept(make([]float32, len(y)))
	if m == nil {
		b.Forward(z, kept(y), nil, gamma, beta, kept(r), h.relu)
		b.Backward(dy, dres, dgamma, dbeta, grad)
		return [][]float32{wide(z), wide(dy), wide(dres), dgamma, dbeta}
	}
	pooled := kept(make([]float32, halvesImages*m.Outputs()))
	if b.FusesPool(m) {
		b.SetPool(m)
		b.Forward(pooled, kept(y), nil, gamma, beta, Values{}, h.relu)
		b.Backward(dy, Values{}, dgamma, dbeta, grad)
	} else {
		b.Forward(z, kept(y), nil, gamma, beta, Values{}, h.relu)
		m.Forward(pooled.floats, z.floats)
		whole := make([]float32, len(y))
		m.Backward(whole, grad.floats, z.floats)
		b.Backward(dy, Values{}, dgamma, dbeta, kept(whole))
	}
	return [][]float32{wide(pooled), wide(dy), dgamma, dbeta}
}

// TestHalvesAreRounded: a batch norm that keeps its activations in two bytes has the generic one's results, which rounds what it writes; a ReLU's mask and a pooling's first maximum are
// those of the rounded activation, the smallest numbers included.
func TestHalvesAreRounded(t *testing.T) {
	if !available(avx512) || !roundsToHalves(avx512) {
		t.Skip("no activations in two bytes")
	}
	for _, c := range []int{1, 5, 8, 16, 24, 40, 64, 112} {
		for _, rows := range []int{1, 6, 64, 72, 128} { // with a pooling: a block of sums, none, and two
			for at := range 16 {
				h := halvesCase{rows: rows, c: c, relu: at&1 > 0, residual: at&2 > 0, tiny: at&4 > 0, pools: at&8 > 0}
				if h.pools && (h.residual || rows < 64 || c%16 > 0) {
					continue
				}
				got, want := h.run(t, avx512), h.run(t, generic)
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("%v: result %d differs", h, i)
					}
				}
			}
		}
	}
}

// halvesResults are those of a convolution at bf16 by AVX-512's kernels, which keep activations in two bytes: y, dx and dw.
func halvesResults(t *testing.T, s ConvShape, binary bool, x, w, dy []float32, spoil func(*Conv)) [3][]float32 {
	c := NewConv(newBF16Workers(t, 3, "avx512"), s)
	if c.SetWeights(w, binary); spoil != nil {
		spoil(c)
	}
	kept := func(x []float32) Values {
		v := c.ws.Rounded(make([]float32, len(x)), len(x))
		v.Round(x)
		return v
	}
	y := kept(make([]float32, len(dy)))
	c.ForwardNorm(y, kept(x), nil, nil)
	dx, dw := make([]float32, len(x)), make([]float32, len(w))
	c.GradInput(Floats(dx), dy)
	c.GradWeights(dw, x, dy)
	return [3][]float32{y.Float32(make([]float32, len(dy))), dx, dw}
}

// TestHalvesAreFactors: at bf16 a convolution of activations in two bytes is float32's of rounded factors, bit for bit, its y rounded.
func TestHalvesAreFactors(t *testing.T) {
	if !available(avx512) || !roundsToHalves(avx512) {
		t.Skip("no activations in two bytes")
	}
	want := func(s ConvShape, binary bool, x, w, dy []float32) [3][]float32 {
		c := NewConv(newWorkers(t, 3, "avx512"), s)
		c.SetWeights(rounded(w), binary)
		y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
		c.Forward(y, rounded(x), nil)
		c.GradInput(Floats(dx), rounded(dy))
		c.GradWeights(dw, rounded(x), rounded(dy))
		return [3][]float32{rounded(y), dx, dw}
	}
	differing := func(s ConvShape, binary bool, spoil func(*Conv)) (different [3]bool) {
		x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
		inputsOf("normal", binary, x, w, dy)
		got := halvesResults(t, s, binary, x, w, dy, spoil)
		for i, right := range want(s, binary, x, w, dy) {
			different[i] = !slices.Equal(got[i], right)
		}
		return different
	}
	for _, s := range testShapes() {
		if s.N*s.MultAdds() > 1<<24 {
			continue
		}
		for _, binary := range []bool{false, true} {
			if d := differing(s, binary, nil); d != [3]bool{} {
				t.Errorf("%+v, binary weights %v: y, dx, dw differ: %v", s, binary, d)
			}
		}
	}
	weights := func(bits uint32) func(*Conv) { // one of which is off by so much
		return func(c *Conv) {
			w := make([]float32, c.Weights())
			inputsOf("normal", false, make([]float32, c.N*c.Inputs()), w, make([]float32, c.N*c.Outputs()))
			for i, v := range w {
				w[i] = toBF16(v)
			}
			w[0] = math.Float32frombits(math.Float32bits(w[0]) + bits)
			c.algo.(*halvesConv).fusingConv.setWeights(w, false)
		}
	}
	for _, d := range []struct {
		what  string
		spoil func(*Conv)
		seen  [3]bool
	}{
		{"nothing", func(*Conv) {}, [3]bool{}},
		{"nothing but packed again", weights(0), [3]bool{}},
		{"a weight is not rounded", weights(1 << 15), [3]bool{true, true, false}},
		{"activations are not rounded", func(c *Conv) { c.ws.SetPrecision(F32) }, [3]bool{false, true, true}},
	} {
		for _, s := range []ConvShape{plain, strided} {
			if seen := differing(s, false, d.spoil); seen != d.seen {
				t.Errorf("%+v, %s: y, dx, dw differ: %v, want %v", s, d.what, seen, d.seen)
			}
		}
	}
}

// TestRounding: the vectors round as the loop does, and halves hold what was rounded.
func TestRounding(t *testing.T) {
	x := make([]float32, 1000)
	fill(x, 1, 0.1, notFinite)
	for i := range x {
		switch i % 4 {
		case 1:
			x[i] *= 0x1p-126
		case 2: // in the middle of two
			x[i] = float32(int32(x[i]*256)) + 0.5
		}
	}
	for _, impl := range vectorised(t) {
		for _, n := range []int{1, 15, 16, 100, 1000} {
			got, want := make([]float32, n), make([]float32, n)
			roundAll(impl, got, x[:n])
			roundAllGeneric(want, x[:n])
			equalBits(t, "rounded", got, want)
			if impl < avx512 {
				continue
			}
			v, wide := Values{halves: make([]uint16, n)}, make([]float32, n)
			v.Round(x[:n])
			widenedGeneric(wide, v.halves)
			equalBits(t, "widened", v.Float32(got), wide)
			sum, wantSum := slices.Clone(v.halves), slices.Clone(v.halves)
			addHalves(sum, x[1000-n:])
			addHalvesGeneric(wantSum, x[1000-n:])
			widenedGeneric(got, sum)
			widenedGeneric(wide, wantSum)
			for i := range wide {
				if wide[i] != wide[i] { // of a NaN only that it is one
					got[i], wide[i] = got[i]-got[i], wide[i]-wide[i]
				}
			}
			equalBits(t, "sum of halves", got, wide)
		}
	}
}

// TestHalfGrids: pixels of bf16 numbers are added as the loop adds them, whatever lies between them, the smallest numbers and sums in the middle of two included; a grid that is wrong in any number is seen.
func TestHalfGrids(t *testing.T) {
	if !available(avx512) || !roundsToHalves(avx512) {
		t.Skip("no activations in two bytes")
	}
	values := func(seed uint64, n int) []uint16 {
		x := make([]float32, n)
		noise(seed, x)
		for i := range x {
			x[i] *= [...]float32{1, 0x1p-8, 0x1p-125}[i%3]
		}
		v := Values{halves: make([]uint16, n)}
		v.Round(x)
		return v.halves
	}
	for _, n := range []int{1, 7, 8, 16, 24, 40, 64} {
		right := Grid{Rows: 3, Columns: 4, ToRow: 9 * 2 * n, FromRow: 4 * (n + 5), ToStep: 2 * n, FromStep: n + 5, N: n}
		to, from := values(1, 3*right.ToRow), values(2, 3*right.FromRow)
		want := slices.Clone(to)
		addHalfGridGeneric(want, from, right)
		for name, spoil := range map[string]func(*Grid){
			"": func(*Grid) {}, "a row": func(g *Grid) { g.Rows-- }, "a column": func(g *Grid) { g.Columns-- }, "a value": func(g *Grid) { g.N-- },
			"where its rows go": func(g *Grid) { g.ToRow-- }, "where they come from": func(g *Grid) { g.FromRow-- }, "where its pixels go": func(g *Grid) { g.ToStep-- }, "where these come from": func(g *Grid) { g.FromStep-- },
		} {
			g, got := right, slices.Clone(to)
			spoil(&g)
			if addHalfGrid(got, from, g); slices.Equal(got, want) != (name == "") {
				t.Errorf("pixels of %d values, wrong: %q: the same sums %v", n, name, name != "")
			}
		}
	}
}

// halfArrays are what the kernels of halves read and write: 8 pixels of 40 channels.
type halfArrays struct {
	y, z, out, dz, dy   []uint16
	wide                []float32
	mean, scale, others []float32
	part                []float64
}

const halfRows, halfChannels = 8, 40

func newHalfArrays() *halfArrays {
	const n = halfRows * halfChannels
	floats := func(seed uint64) []float32 {
		x := make([]float32, n)
		noise(seed, x)
		return x
	}
	halves := func(seed uint64) []uint16 {
		x := make([]uint16, n)
		for i, f := range floats(seed) {
			x[i] = uint16(math.Float32bits(f) >> 16)
		}
		return x
	}
	return &halfArrays{y: halves(1), z: halves(2), out: make([]uint16, n), dz: halves(3), dy: make([]uint16, n), wide: floats(6), mean: floats(4), scale: floats(5), others: floats(7),
		part: make([]float64, 2*halfChannels)}
}

func firstHalf(x []uint16) *float32 { return Values{halves: x}.at(0) }

// seeDefects runs kernels as they are and with each of the defects in their arguments, and tells which defects change nothing.
func seeDefects[A any](t *testing.T, what string, kernels []func(*A), args func(kernel int, a *halfArrays) A, defects map[string]func(*A)) {
	t.Helper()
	for i, kernel := range kernels {
		run := func(spoil func(*A)) *halfArrays {
			a := newHalfArrays()
			b := args(i, a)
			spoil(&b)
			kernel(&b)
			return a
		}
		same := func(a, b *halfArrays) bool {
			return slices.Equal(a.out, b.out) && slices.Equal(a.dy, b.dy) && slices.Equal(a.z, b.z) && slices.Equal(a.part, b.part)
		}
		want := run(func(*A) {})
		if same(want, newHalfArrays()) || !same(want, run(func(*A) {})) {
			t.Errorf("%s %d does nothing, or not the same twice", what, i)
		}
		for name, spoil := range defects {
			if same(want, run(spoil)) {
				t.Errorf("%s %d: the defect %q is not seen", what, i, name)
			}
		}
	}
}

// TestHalfDefectsAreSeen: each kernel of halves, given something wrong, differs from what it computes otherwise, which TestHalvesAreRounded holds to the definition.
func TestHalfDefectsAreSeen(t *testing.T) {
	if !available(avx512) || !roundsToHalves(avx512) {
		t.Skip("no activations in two bytes")
	}
	const rows, c = halfRows, halfChannels
	seeDefects(t, "batch norm", []func(*normArgs){normHalfAVX512, normReLUHalfAVX512, normResidualHalfAVX512, normResidualReLUHalfAVX512}, func(_ int, a *halfArrays) normArgs {
		return normArgs{y: firstHalf(a.y), rows: rows, c: c, tail: tailMask(c), block: 2, z: firstHalf(a.out), residual: firstHalf(a.z), mean: &a.mean[0], scale: &a.scale[0], beta: &a.others[0]}
	}, map[string]func(*normArgs){
		"the last row":   func(a *normArgs) { a.rows-- },
		"the tail":       func(a *normArgs) { a.tail = 1 },
		"scale for mean": func(a *normArgs) { a.mean = a.scale },
		"a channel off":  func(a *normArgs) { a.c--; a.tail >>= 1 },
	})
	seeDefects(t, "batch norm's gradient", []func(*normBackArgs){normBackHalfAVX512, normBackMaskHalfAVX512, normBackAgainHalfAVX512, normBackResidualHalfAVX512, normBackResidualMaskHalfAVX512}, func(_ int, a *halfArrays) normBackArgs {
		return normBackArgs{y: firstHalf(a.y), rows: rows, c: c, tail: tailMask(c), block: 2, dy: firstHalf(a.dy), dres: firstHalf(a.out), dz: firstHalf(a.dz), z: firstHalf(a.z), mean: &a.mean[0], inv: &a.scale[0],
			coef0: &a.others[0], coef1: &a.others[c], coef2: &a.others[2*c], scale: &a.others[3*c], beta: &a.others[4*c]}
	}, map[string]func(*normBackArgs){
		"the last row":  func(a *normBackArgs) { a.rows-- },
		"the tail":      func(a *normBackArgs) { a.tail = 1 },
		"dz for y":      func(a *normBackArgs) { a.y = a.dz },
		"a coefficient": func(a *normBackArgs) { a.coef1 = a.coef2 },
	})
	seeDefects(t, "sums", []func(*sumsArgs){sumsHalfAVX512, backSumsHalfAVX512, backSumsMaskHalfAVX512, backSumsAgainHalfAVX512, backSumsJoinHalfAVX512, backSumsCutHalfAVX512}, func(kernel int, a *halfArrays) sumsArgs {
		args := sumsArgs{y: firstHalf(a.y), rows: rows, c: c, tail: tailMask(c), part: &a.part[0], squares: &a.part[c], dz: firstHalf(a.dz), z: firstHalf(a.z), mean: &a.mean[0], inv: &a.scale[0],
			scale: &a.others[0], beta: &a.others[c], shortcut: firstHalf(a.out)}
		switch kernel {
		case 0: // forward
			args.y, args.z = &a.wide[0], firstHalf(a.out)
		case 4: // joined
			args.dz = &a.wide[0]
		}
		return args
	}, map[string]func(*sumsArgs){
		"the last row": func(a *sumsArgs) { a.rows-- },
		"the tail":     func(a *sumsArgs) { a.tail = 1 },
		"dz for y":     func(a *sumsArgs) { a.y = a.dz },
	})
	// two rows of two windows of 32 channels
	seeDefects(t, "pooling", []func(*maxPoolArgs){maxPoolNormHalfAVX512, maxPoolNormReLUHalfAVX512, maxPoolBackNormHalfAVX512, maxPoolBackNormReLUHalfAVX512}, func(kernel int, a *halfArrays) maxPoolArgs {
		args := maxPoolArgs{x: firstHalf(a.y), row: 4 * 32 * 2, c: 32 * 2, windows: 2, y: firstHalf(a.out), dx: firstHalf(a.dy), mean: &a.others[0]}
		if kernel >= 2 { // backward
			args.y = firstHalf(a.dz)
		}
		return args
	}, map[string]func(*maxPoolArgs){
		"the last window": func(a *maxPoolArgs) { a.windows-- },
		"a row too near":  func(a *maxPoolArgs) { a.row -= 32 },
		"x for y":         func(a *maxPoolArgs) { a.x = a.mean },
	})
	seeDefects(t, "pooling window by window", []func(*normPoolArgs){normPoolBackHalfAVX512, normPoolSumsHalfAVX512}, func(_ int, a *halfArrays) normPoolArgs {
		return normPoolArgs{y: firstHalf(a.y), row: 4 * 32 * 2, c: 32 * 2, windows: 2, pairs: 1, dp: firstHalf(a.dz), dy: firstHalf(a.dy), mean: &a.mean[0], inv: &a.scale[0], scale: &a.others[0], beta: &a.others[32],
			coef0: &a.others[64], coef1: &a.others[96], coef2: &a.others[128], part: &a.part[0], squares: &a.part[32], later: &make([]float32, 2*2*16)[0]}
	}, map[string]func(*normPoolArgs){
		"the last window": func(a *normPoolArgs) { a.windows-- },
		"a row too near":  func(a *normPoolArgs) { a.row -= 32 },
		"dz for y":        func(a *normPoolArgs) { a.y = a.dp },
		"scale for mean":  func(a *normPoolArgs) { a.mean = a.scale },
	})
	if available(amx) {
		testHalfPairs(t)
	}
}

// testHalfPairs: pairs of bf16 numbers are those of the same numbers as float32, unless a position or a channel is wrong.
func testHalfPairs(t *testing.T) {
	const pixels, c = 24, 24
	x, zero := make([]float32, pixels*c), make([]float32, 32)
	noise(1, x)
	roundAllGeneric(x, x)
	h := Values{halves: make([]uint16, len(x))}
	h.Round(x)
	positions := make([]int, 32)
	for i := range positions {
		positions[i] = i * c * 4
		if i%5 == 0 || i >= pixels {
			positions[i] = -1
		}
	}
	run := func(pairs func(*pairArgs), src *float32, spoil func(*pairArgs)) []uint16 {
		to := make([]uint16, 4*512)
		a := pairArgs{src: src, zero: &zero[0], positions: &positions[0], blocks: 16, groups: 2, tail: tailMask(c), dst: &to[0], dstpiece: 2048, dstgroup: 1024}
		spoil(&a)
		pairs(&a)
		return to
	}
	want := run(pairsBoth, &x[0], func(*pairArgs) {})
	for name, spoil := range map[string]func(*pairArgs){"": func(*pairArgs) {}, "the last pairs": func(a *pairArgs) { a.blocks -= 5 }, "the tail": func(a *pairArgs) { a.tail = 1 },
		"another pixel": func(a *pairArgs) { a.positions = &slices.Concat(positions[1:], []int{-1})[0] }, "a group": func(a *pairArgs) { a.groups-- }} {
		if got := slices.Equal(want, run(pairsBothHalf, h.at(0), spoil)); got != (name == "") {
			t.Errorf("pairs of halves with defect %q are seen: %v", name, !got)
		}
	}
}

// TestLinearDefectsAreSeen: linear layers by tiles of which a table is wrong differ from the definition.
func TestLinearDefectsAreSeen(t *testing.T) {
	if !available(amx) {
		t.Skip("no tile multiplier")
	}
	const rows, in, out = 33, 100, 70
	x, w, dy := make([]float32, rows*in), make([]float32, in*out), make([]float32, rows*out)
	noise(1, x)
	noise(2, w)
	noise(3, dy)
	want := linearResults(t, "generic", rows, in, out, rows, x, w, dy, nil)
	for name, d := range map[string]struct {
		spoil func(l *amxLinear)
		wrong [3]bool // y, dx, dw
	}{
		"":                               {func(*amxLinear) {}, [3]bool{}},
		"two rows of weights exchanged":  {func(l *amxLinear) { l.positions[7], l.positions[8] = l.positions[8], l.positions[7] }, [3]bool{true, false, false}},
		"the first chunk for the second": {func(l *amxLinear) { l.offsets[1] = 0 }, [3]bool{true, true, true}},
		"columns over the ones before":   {func(l *amxLinear) { l.columns[1] = 0 }, [3]bool{true, true, false}},
		"gradients over the ones before": {func(l *amxLinear) { l.results[1] = 0 }, [3]bool{false, false, true}},
		"a row too few in a tile":        {func(l *amxLinear) { l.config = newTileConfig(15, 6) }, [3]bool{true, true, true}},
	} {
		got := linearResults(t, "amx", rows, in, out, rows, x, w, dy, func(l *Linear) { d.spoil(l.algo.(*amxLinear)) })
		for i, what := range []string{"y", "dx", "dw"} {
			if wrong := !slices.Equal(got[i], want[i]); wrong != d.wrong[i] {
				t.Errorf("defect %q: %s differs: %v", name, what, wrong)
			}
		}
	}
}

// zeros is what TestNothingIsTouchedBehindTheOperands sets before a fence.
func (l *amxLinear) zeros() *[]float32 { return &l.zero }
