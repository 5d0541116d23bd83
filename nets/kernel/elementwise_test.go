package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"tqn/quantize"
)

// vectorised are the implementations that elementwise operations have besides
// generic, on this machine.
func vectorised(t testing.TB) []implementation {
	list := every()[1:]
	if len(list) == 0 {
		t.Skip("this build or machine has the generic implementation only")
	}
	return list
}

// every is generic and vectorised.
func every() []implementation {
	list := []implementation{generic}
	for _, i := range []implementation{avx2, avx512} {
		if available(i) {
			list = append(list, i)
		}
	}
	return list
}

// pool is a pool of workers of any implementation.
func pool(t testing.TB, threads int, impl implementation) *Workers {
	ws := newWorkers(t, threads, "generic")
	ws.impl = impl
	return ws
}

// special are the values at the borders of float32.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -2, 3,
	0x1p-126, -0x1p-126, 0x1p-126 - 0x1p-149, 0x1p-149, -0x1p-149, 0x1p-130, -0x1p-128, 0x1p-125, 0x1.fffffep-127, 0x1.fffffep-126,
	0x1p-63, -0x1p-63, 0x1.000002p-63, 0x1p-64, 1e-20, -1e-19, 1e19, -1e19, math.MaxFloat32, -math.MaxFloat32}

var notFinite = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}

const guardWord = 0x7f4a5b6c // a number that no kernel makes

// walled returns n values at an offset from a vector's boundary with guard words around them.
func walled(n, offset int) (x []float32, check func(t *testing.T, what string)) {
	whole := take32(n+offset+64, offset)
	for i := range whole {
		whole[i] = math.Float32frombits(guardWord)
	}
	x = whole[32 : 32+n : 32+n]
	return x, func(t *testing.T, what string) {
		t.Helper()
		for i, v := range whole {
			if (i < 32 || i >= 32+n) && math.Float32bits(v) != guardWord {
				t.Fatalf("%s: guard word %d of %d values overwritten", what, i-32, n)
			}
		}
	}
}

// take32 returns n values whose 33rd stands offset values after a 64-byte boundary.
func take32(n, offset int) []float32 {
	b := alignedBytes((n + offset + 16) * 4)
	return take[float32](&b, n+offset)[offset:]
}

// fill makes x a function of seed: normal numbers, the share odd of them special or also.
func fill(x []float32, seed uint64, odd float64, also []float32) {
	d := quantize.NewNoise(seed).At(1, 2)
	list := slices.Concat(special, also)
	for i := 0; i < len(x); i += 4 {
		words := d.Noise.Block(d.Stream, d.Step, uint32(i/4))
		for j, word := range words[:min(4, len(x)-i)] {
			if float64(word>>16) < odd*0x1p16 {
				x[i+j] = list[int(word&0xffff)*len(list)>>16]
			} else {
				x[i+j] = normals[word&0xfff]
			}
		}
	}
}

var normals = func() (x [0x1000]float32) {
	for i := range x {
		x[i] = float32(quantize.NormalQuantile((float64(i) + 0.5) / float64(len(x))))
	}
	return x
}()

// equalBits fails unless got and want are the same bits; a NaN equals any other.
func equalBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, v := range got {
		if math.Float32bits(v) != math.Float32bits(want[i]) && !(v != v && want[i] != want[i]) {
			t.Fatalf("%s[%d of %d] = %v (%#08x), generic %v (%#08x)", what, i, len(got), v, math.Float32bits(v), want[i], math.Float32bits(want[i]))
		}
	}
}

var sizes = func() []int {
	var s []int
	for n := range 100 {
		s = append(s, n)
	}
	return append(s, 127, 128, 129, 1000, 4096, 5003)
}()

// adamCase is one call's arguments.
func adamCase(seed uint64, rule quantize.Rule, box bool) (adamArgs, quantize.Rule) {
	d := quantize.NewNoise(seed).At(9, 9)
	a := adamArgs{b1: 0.9, a1: float32(1 - 0.9), b2: 0.999, a2: float32(1 - 0.999), scale: float32(0.3 * d.Uniform(0)), c2: float32(1 + 9*d.Uniform(1)),
		eps: 1e-8, lo: float32(math.Inf(-1)), hi: float32(math.Inf(1)), block: uint32(1<<32 - 3), stream: d.Bits(8), step: 5<<32 | 77, k0: d.Bits(9), k1: d.Bits(10)}
	if box {
		a.lo, a.hi = -1, 1
	}
	if d.Bits(11)&1 == 1 {
		a.decay = 5e-4
	}
	return a, rule
}

func TestAdamIsGeneric(t *testing.T) {
	rules := []struct {
		rule quantize.Rule
		box  bool
	}{{quantize.Float, false}, {quantize.BC, true}, {quantize.R, true}, {quantize.SR, true}, {stepOnly, false}}
	for _, impl := range vectorised(t) {
		for _, r := range rules {
			t.Run(fmt.Sprintf("%s/%v", impl, r.rule), func(t *testing.T) {
				for i, n := range sizes {
					for _, odd := range []float64{0, 0.3} {
						offset := i % 16
						var got, want [4][]float32
						var checks [4]func(*testing.T, string)
						for k := range got {
							got[k], checks[k] = walled(n, (offset+5*k)%16)
							fill(got[k], uint64(100*i+k), odd, nil)
							if k == 3 { // the second moment is not negative
								for j, v := range got[k] {
									got[k][j] = float32(math.Abs(float64(v)))
								}
							}
							if k == 0 && (r.rule == quantize.R || r.rule == quantize.SR) {
								for j, v := range got[k] {
									got[k][j] = float32(math.Copysign(1, float64(v)))
								}
							}
							want[k] = slices.Clone(got[k])
						}
						a, rule := adamCase(uint64(i), r.rule, r.box)
						b := a
						before := controlWord()
						adamUpdate(impl, got[0], got[1], got[2], got[3], &a, rule)
						if after := controlWord(); after != before {
							t.Fatalf("MXCSR is %#x after the call, %#x before", after, before)
						}
						adamGeneric(want[0], want[1], want[2], want[3], &b, rule)
						for k, what := range []string{"w", "g", "m", "v"} {
							equalBits(t, what, got[k], want[k])
							checks[k](t, what)
						}
					}
				}
			})
		}
	}
}

// Steps that end exactly on a border: the tie of R at 0, the certain move of SR at 2, the corners of the box.
func TestAdamAtTheBorders(t *testing.T) {
	var steps []float32
	for _, s := range []float32{0, 1, 2} {
		steps = append(steps, s, -s, math.Nextafter32(s, -3), -math.Nextafter32(s, -3), math.Nextafter32(s, 3), -math.Nextafter32(s, 3))
	}
	for _, impl := range vectorised(t) {
		for _, rule := range []quantize.Rule{quantize.Float, quantize.R, quantize.SR, stepOnly} {
			// beta1 = beta2 = 1 and a gradient of 0 make the step m.
			a := adamArgs{b1: 1, b2: 1, scale: 1, c2: 1, lo: -1, hi: 1}
			b := a
			n := 64
			w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			for i := range w {
				w[i], m[i], v[i] = float32(1-2*(i/32)), steps[i%len(steps)], 1
			}
			w2, g2, m2, v2 := slices.Clone(w), slices.Clone(g), slices.Clone(m), slices.Clone(v)
			adamUpdate(impl, w, g, m, v, &a, rule)
			adamGeneric(w2, g2, m2, v2, &b, rule)
			equalBits(t, "w", w, w2)
			equalBits(t, "g", g, g2)
		}
	}
}

// The reference's operations that flush are the processor's, on each side of 2^-126.
func TestFlushingIsTheProcessors(t *testing.T) {
	for _, impl := range vectorised(t) {
		n := 1 << 12
		if testing.Short() {
			n = 1 << 10
		}
		// m' = b1*m with products around 2^-126: m of random significand near 2^-63, b1 too.
		for trial := range n {
			d := quantize.NewNoise(uint64(trial)).At(3, 3)
			near := func(i int, scale float64) float32 {
				return float32((1 + 0x1p-22*float64(d.Bits(i)%8-3)) * scale)
			}
			w, g, m, v := make([]float32, 32), make([]float32, 32), make([]float32, 32), make([]float32, 32)
			for i := range m {
				m[i], v[i], w[i] = near(3*i, 0x1p-63), near(3*i+1, 0x1p-63), near(3*i+2, 0x1p-126)
			}
			a := adamArgs{b1: near(97, 0x1p-63), b2: near(98, 0x1p-63), c2: 1, scale: near(99, 0x1p-20), eps: 1e-8, lo: -1, hi: 1}
			b := a
			w2, g2, m2, v2 := slices.Clone(w), slices.Clone(g), slices.Clone(m), slices.Clone(v)
			adamUpdate(impl, w, g, m, v, &a, quantize.BC)
			adamGeneric(w2, g2, m2, v2, &b, quantize.BC)
			equalBits(t, "m", m, m2)
			equalBits(t, "v", v, v2)
			equalBits(t, "w", w, w2)
		}
	}
}

// A weight without gradient ends with moments that are zero.
func TestMomentsReachZero(t *testing.T) {
	for _, impl := range every() {
		ws := pool(t, 1, impl)
		w, g, m, v := make([]float32, 40), make([]float32, 40), make([]float32, 40), make([]float32, 40)
		for i := range w {
			w[i], m[i], v[i] = 1, 0x1p-120, 0x1p-126
		}
		for step := uint64(1); step <= 60; step++ {
			ws.AdamRule(w, g, m, v, Adam{Alpha: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, T: step}, quantize.SR, quantize.Binary(), quantize.NewNoise(1).At(1, step))
		}
		for i := range m {
			if m[i] != 0 || v[i] != 0 {
				t.Fatalf("%v: moments %g and %g of weight %d after 60 steps without gradient, want 0", impl, m[i], v[i], i)
			}
		}
	}
}

// AdamRule is quantize.Update of the step that a plain transcription of Adam makes.
func TestAdamRuleIsQuantizes(t *testing.T) {
	unbounded := quantize.Grid{Delta: 1, Lo: math.Inf(-1), Hi: math.Inf(1)}
	tenths, err := quantize.NewGrid(0.25, -1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, impl := range every() {
		ws := pool(t, 2, impl)
		for _, c := range []struct {
			rule quantize.Rule
			grid quantize.Grid
		}{{quantize.Float, unbounded}, {quantize.BC, quantize.Binary()}, {quantize.BCStochastic, quantize.Binary()}, {quantize.R, quantize.Binary()},
			{quantize.SR, quantize.Binary()}, {quantize.SR, tenths}, {quantize.Float, tenths}} {
			n := 3*chunk + 77
			w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			fill(w, 1, 0, nil)
			fill(g, 2, 0, nil)
			fill(m, 3, 0, nil)
			fill(v, 4, 0, nil)
			for i := range w {
				v[i] = float32(math.Abs(float64(v[i])))
				m[i] *= float32(3 * float64(i) / float64(n)) // steps from tiny to more than 2
				if c.rule == quantize.SR || c.rule == quantize.R {
					w[i] = float32(c.grid.Nearest(float64(w[i])))
				}
			}
			a := Adam{Alpha: 0.7, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 1e-4, T: 3}
			want, step := slices.Clone(w), make([]float32, n)
			b1, a1, b2, a2 := float32(0.9), float32(1-a.Beta1), float32(0.999), float32(1-a.Beta2)
			scale, c2 := float32(a.Alpha/(1-math.Pow(0.9, 3))), float32(1/(1-math.Pow(0.999, 3)))
			for i := range step {
				grad := g[i] + float32(float32(a.Decay)*w[i])
				mi := float32(b1*m[i]) + float32(a1*grad)
				vi := float32(b2*v[i]) + float32(a2*float32(grad*grad))
				step[i] = float32(scale*mi) / (float32(math.Sqrt(float64(float32(vi*c2)))) + float32(a.Epsilon))
			}
			d := quantize.NewNoise(11).At(5, 3)
			quantize.Update(c.rule, c.grid, want, step, d)
			before := slices.Clone(w)
			ws.AdamRule(w, g, m, v, a, c.rule, c.grid, d)
			equalBits(t, fmt.Sprintf("%v %v %+v: w", impl, c.rule, c.grid), w, want)
			if c.rule == quantize.SR {
				moved := 0
				for i := range w {
					if w[i] != before[i] {
						moved++
					}
				}
				if moved < n/20 || moved > n*19/20 {
					t.Fatalf("%v: %d of %d weights moved: the case shows nothing", impl, moved, n)
				}
			}
		}
	}
}

func TestFiniteAndAdd(t *testing.T) {
	for _, impl := range vectorised(t) {
		for i, n := range sizes {
			x, checkX := walled(n, i%16)
			y, checkY := walled(n, (i+7)%16)
			fill(x, uint64(n), 0.3, nil)
			fill(y, uint64(n)+1, 0.3, notFinite)
			if !allFinite(impl, x) {
				t.Fatalf("%v: %d finite values are called not finite", impl, n)
			}
			for at := range min(n, 200) {
				for _, bad := range notFinite {
					old := x[at]
					x[at] = bad
					if allFinite(impl, x) {
						t.Fatalf("%v: %v at %d of %d is called finite", impl, bad, at, n)
					}
					x[at] = old
				}
			}
			want, from := slices.Clone(x), slices.Clone(y)
			addGeneric(want, from)
			add(impl, x, y)
			equalBits(t, "sum", x, want)
			equalBits(t, "from", y, from)
			checkX(t, "to")
			checkY(t, "from")
		}
	}
}

func TestPoolingIsGeneric(t *testing.T) {
	for _, impl := range vectorised(t) {
		for i, s := range []struct{ h, w, c, side, stride, pad int }{
			{2, 2, 16, 2, 2, 0}, {4, 6, 8, 2, 2, 0}, {6, 4, 48, 2, 2, 0}, {8, 8, 64, 2, 2, 0}, {2, 2, 5, 2, 2, 0}, {5, 4, 16, 2, 2, 0}, {4, 5, 16, 2, 2, 0},
			{9, 9, 16, 3, 2, 1}, {12, 7, 48, 3, 2, 1}, {6, 7, 32, 5, 2, 2}, {4, 4, 24, 2, 2, 0}, {4, 4, 80, 2, 2, 0}, {6, 6, 16, 2, 1, 0},
		} {
			for _, odd := range []float64{0, 0.6} {
				ws := pool(t, 2, impl)
				m := NewMaxPool(ws, s.h, s.w, s.c, s.side, s.stride, s.pad)
				n := 3
				x, _ := walled(n*m.Inputs(), i%16)
				y, checkY := walled(n*m.Outputs(), (i+3)%16)
				dx, checkDX := walled(n*m.Inputs(), (i+6)%16)
				dy, _ := walled(n*m.Outputs(), (i+9)%16)
				fill(x, uint64(i), odd, notFinite)
				fill(dy, uint64(i)+1, odd, notFinite)
				for k := range x { // ties
					if k%3 == 0 {
						x[k] = float32(int(2 * x[k] * 0))
					}
				}
				wantY, wantDX, oldX, oldDY := make([]float32, len(y)), make([]float32, len(x)), slices.Clone(x), slices.Clone(dy)
				for img := range n {
					m.forwardGeneric(wantY[img*m.Outputs():][:m.Outputs()], x[img*m.Inputs():][:m.Inputs()])
					m.backwardGeneric(wantDX[img*m.Inputs():][:m.Inputs()], dy[img*m.Outputs():][:m.Outputs()], x[img*m.Inputs():][:m.Inputs()])
				}
				m.Forward(y, x)
				m.Backward(dx, dy, x)
				what := fmt.Sprintf("%v %+v: ", impl, s)
				equalBits(t, what+"y", y, wantY)
				equalBits(t, what+"dx", dx, wantDX)
				equalBits(t, what+"x", x, oldX)
				equalBits(t, what+"dy", dy, oldDY)
				checkY(t, what+"y")
				checkDX(t, what+"dx")
			}
		}
		for _, c := range []int{1, 5, 8, 16, 24, 64, 100} {
			for _, rows := range []int{1, 3, 64} {
				ws, plain := pool(t, 1, impl), pool(t, 1, generic)
				x, _ := walled(2*rows*c, c%16)
				y, checkY := walled(2*c, rows%16)
				fill(x, uint64(c), 0.1, notFinite)
				want, wantX := make([]float32, len(y)), make([]float32, len(x))
				ws.GlobalAvgPool(y, Floats(x), rows, c)
				plain.GlobalAvgPool(want, Floats(x), rows, c)
				equalBits(t, "mean", y, want)
				checkY(t, "mean")
				dx, checkX := walled(len(x), (c+1)%16)
				ws.GlobalAvgPoolBackward(Floats(dx), y, rows, c)
				plain.GlobalAvgPoolBackward(Floats(wantX), y, rows, c)
				equalBits(t, "dx", dx, wantX)
				checkX(t, "dx")
			}
		}
	}
}

// normCase is one batch norm with everything it reads.
type normCase struct {
	b                         *BatchNorm
	y, z, residual, dz, dy    []float32
	dres, gamma, beta, dg, db []float32
	checks                    []func(*testing.T, string)
}

func newNormCase(t testing.TB, ws *Workers, images, rows, c int, seed uint64, odd float64, also []float32) *normCase {
	n := &normCase{b: NewBatchNorm(ws, images, rows, c, 1e-5)}
	for i, to := range []*[]float32{&n.y, &n.z, &n.residual, &n.dz, &n.dy, &n.dres} {
		var check func(*testing.T, string)
		*to, check = walled(images*rows*c, (int(seed)+3*i)%16)
		n.checks = append(n.checks, check)
		fill(*to, seed+uint64(i), odd, also)
	}
	for i, to := range []*[]float32{&n.gamma, &n.beta, &n.dg, &n.db} {
		*to = make([]float32, c)
		fill(*to, seed+100+uint64(i), odd, nil)
	}
	return n
}

func TestBatchNormIsGeneric(t *testing.T) {
	channels := []int{1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 48, 56, 63, 64, 65, 80, 96, 99, 112, 128, 144}
	for _, impl := range vectorised(t) {
		for i, c := range channels {
			if testing.Short() && i%4 != 3 { // 8, 17, 33, 63, 96, 144
				continue
			}
			for _, rows := range []int{1, 2, 63, 64, 65, 130} {
				for variant := range 8 {
					residual, relu, inPlace := variant&1 == 1, variant&2 == 2, variant&4 == 4
					odd, also := 0.0, []float32(nil)
					if i%3 == 1 {
						odd = 0.2
					}
					if i%3 == 2 {
						odd, also = 0.01, notFinite
					}
					seed := uint64(1000*c + rows)
					got, want := newNormCase(t, pool(t, 2, impl), 2, rows, c, seed, odd, also), newNormCase(t, pool(t, 1, generic), 2, rows, c, seed, odd, also)
					before := controlWord()
					for _, n := range []*normCase{got, want} {
						res, dres := n.residual, n.dres
						if !residual {
							res, dres = nil, nil
						}
						n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(res), relu)
						if inPlace { // as in training: dy over y, dresidual over dz
							if residual {
								dres = n.dz
							}
							n.b.Backward(Floats(n.y), Floats(dres), n.dg, n.db, Floats(n.dz))
						} else {
							n.b.Backward(Floats(n.dy), Floats(dres), n.dg, n.db, Floats(n.dz))
						}
					}
					if after := controlWord(); after != before {
						t.Fatalf("MXCSR is %#x after the calls, %#x before", after, before)
					}
					what := fmt.Sprintf("%v c=%d rows=%d residual=%v relu=%v in place=%v: ", impl, c, rows, residual, relu, inPlace)
					for k := range got.b.Mean {
						if g, w := got.b.Mean[k], want.b.Mean[k]; g != w && g == g {
							t.Fatalf("%smean %v, generic %v", what, g, w)
						}
						if g, w := got.b.Var[k], want.b.Var[k]; g != w && g == g {
							t.Fatalf("%svariance %v, generic %v", what, g, w)
						}
					}
					for k, name := range []string{"y", "z", "residual", "dz", "dy", "dres", "dgamma", "dbeta"} {
						pick := func(n *normCase) []float32 {
							return [][]float32{n.y, n.z, n.residual, n.dz, n.dy, n.dres, n.dg, n.db}[k]
						}
						equalBits(t, what+name, pick(got), pick(want))
					}
					for k, check := range got.checks {
						check(t, what+fmt.Sprint("array ", k))
					}
				}
			}
		}
	}
}

// The moments are those of float64 to the error that blocks of 64 float32 terms have.
func TestSumsAreAccurate(t *testing.T) {
	for _, impl := range every() {
		const images, rows, c = 3, 1000, 33
		y := make([]float32, images*rows*c)
		fill(y, 5, 0, nil)
		for i := range y {
			y[i] += 30 // cancellation in the variance
		}
		s := NewSums(images, rows, c)
		s.start(images, rows, c)
		for img := range images {
			addImage(impl, s, img, y[img*rows*c:][:rows*c])
		}
		for k := range c {
			var sum, square float64
			for i := k; i < len(y); i += c {
				sum += float64(y[i])
				square += float64(y[i]) * float64(y[i])
			}
			n := float64(images * rows)
			mean, variance := s.moments(k)
			if e := math.Abs(mean - sum/n); e > sumBlock*0x1p-24*sum/n {
				t.Errorf("%v: mean of channel %d is off by %g", impl, k, e)
			}
			if e := math.Abs(variance - (square/n - sum/n*sum/n)); e > 2*(sumBlock+1)*0x1p-24*square/n {
				t.Errorf("%v: variance of channel %d is off by %g", impl, k, e)
			}
		}
	}
}

// Elementwise operations allocate nothing.
func TestElementwiseAllocatesNothing(t *testing.T) {
	for _, impl := range every() {
		ws := pool(t, 2, impl)
		n := newNormCase(t, ws, 4, 16, 16, 1, 0, nil)
		m := NewMaxPool(ws, 4, 4, 16, 2, 2, 0)
		y := make([]float32, 4*m.Outputs())
		step := uint64(0)
		if got := testing.AllocsPerRun(10, func() {
			step++
			n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(n.residual), true)
			n.b.Backward(Floats(n.dy), Floats(n.dres), n.dg, n.db, Floats(n.dz))
			m.Forward(y, n.z)
			m.Backward(n.dy, y, n.z)
			ws.GlobalAvgPool(y[:64], Floats(n.z), 16, 16)
			ws.GlobalAvgPoolBackward(Floats(n.z), y[:64], 16, 16)
			ws.AdamRule(n.z, n.dz, n.residual, n.dres, Adam{Alpha: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, T: step}, quantize.R, quantize.Binary(), quantize.NewNoise(1).At(1, step))
			ws.Add(Floats(n.z), Floats(n.dz))
			ws.Finite(n.z)
		}); got != 0 {
			t.Errorf("%v: %v allocations", impl, got)
		}
	}
}

// Results do not depend on the number of workers.
func TestElementwiseThreads(t *testing.T) {
	for _, impl := range every() {
		var want []float32
		for _, threads := range []int{1, 2, 3, 7} {
			ws := pool(t, threads, impl)
			n := newNormCase(t, ws, 9, 65, 24, 1, 0, nil)
			n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(n.residual), true)
			n.b.Backward(Floats(n.dy), Floats(n.dres), n.dg, n.db, Floats(n.dz))
			w := make([]float32, 5*chunk)
			g, m, v := make([]float32, len(w)), make([]float32, len(w)), make([]float32, len(w))
			fill(g, 3, 0, nil)
			for i := range w {
				w[i] = 1
			}
			ws.AdamRule(w, g, m, v, Adam{Alpha: 0.5, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, T: 1}, quantize.SR, quantize.Binary(), quantize.NewNoise(1).At(1, 1))
			got := slices.Concat(n.z, n.dy, n.dres, n.dg, n.db, w, m, v)
			if want == nil {
				want = got
			}
			equalBits(t, fmt.Sprintf("%v, %d threads: everything", impl, threads), got, want)
		}
	}
}

// FuzzAdam compares one vector of weights, moments and constants of any bits.
func FuzzAdam(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), uint8(0))
	f.Add([]byte{0, 0, 128, 0, 1, 0, 0, 0, 0, 0, 128, 63, 0, 0, 128, 191}, uint8(1))
	f.Add([]byte{255, 255, 127, 127, 0, 0, 0, 128}, uint8(2))
	f.Add([]byte{0, 0, 0, 32, 1, 0, 0, 32, 2, 0, 0, 160}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		if len(data) < 4 {
			return
		}
		value := func(i int) float32 {
			i = 4 * i % (len(data) &^ 3)
			x := math.Float32frombits(binary.LittleEndian.Uint32(data[i:]))
			if x-x != 0 {
				return 1
			}
			return x
		}
		rule := []quantize.Rule{quantize.Float, quantize.R, quantize.SR, stepOnly}[kind%4]
		for _, impl := range vectorised(t) {
			w, g, m, v := make([]float32, 35), make([]float32, 35), make([]float32, 35), make([]float32, 35)
			for i := range w {
				w[i], g[i], m[i], v[i] = value(i), value(2*i+1), value(3*i+2), float32(math.Abs(float64(value(5*i+3))))
				if rule == quantize.R || rule == quantize.SR {
					w[i] = float32(math.Copysign(1, float64(w[i])))
				}
			}
			a := adamArgs{b1: value(7), a1: value(8), b2: value(9), a2: value(10), scale: value(11), c2: value(12), eps: value(13), decay: value(14), lo: -1, hi: 1,
				block: math.Float32bits(value(15)), stream: math.Float32bits(value(16)), step: uint64(len(data)) << 31, k0: math.Float32bits(value(17)), k1: 3}
			b := a
			w2, g2, m2, v2 := slices.Clone(w), slices.Clone(g), slices.Clone(m), slices.Clone(v)
			adamUpdate(impl, w, g, m, v, &a, rule)
			adamGeneric(w2, g2, m2, v2, &b, rule)
			equalBits(t, "m", m, m2)
			equalBits(t, "v", v, v2)
			equalBits(t, "w", w, w2)
			equalBits(t, "g", g, g2)
		}
	})
}

// FuzzBatchNorm compares a batch of any bits and channels.
func FuzzBatchNorm(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), uint8(17), uint8(3))
	f.Add([]byte{0, 0, 128, 0, 1, 0, 0, 0, 0, 0, 128, 63, 0, 0, 128, 191}, uint8(16), uint8(7))
	f.Add([]byte{255, 255, 127, 127, 0, 0, 192, 127, 0, 0, 128, 255}, uint8(40), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, channels, variant uint8) {
		if len(data) < 4 {
			return
		}
		c := int(channels%80) + 1
		for _, impl := range vectorised(t) {
			var all [2]*normCase
			for j, ws := range []*Workers{{impl: impl, threads: 1}, {impl: generic, threads: 1}} {
				n := newNormCase(t, ws, 1, 5, c, 1, 0, nil)
				for i := range n.y {
					at := 4 * i % (len(data) &^ 3)
					n.y[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
					n.dz[len(n.dz)-1-i] = n.y[i]
				}
				res, dres := n.residual, n.dres
				if variant&1 == 0 {
					res, dres = nil, nil
				}
				n.b.Forward(Floats(n.z), Floats(n.y), nil, n.gamma, n.beta, Floats(res), variant&2 == 0)
				n.b.Backward(Floats(n.dy), Floats(dres), n.dg, n.db, Floats(n.dz))
				all[j] = n
			}
			equalBits(t, "z", all[0].z, all[1].z)
			equalBits(t, "dy", all[0].dy, all[1].dy)
			equalBits(t, "dres", all[0].dres, all[1].dres)
			equalBits(t, "dgamma", all[0].dg, all[1].dg)
		}
	})
}
