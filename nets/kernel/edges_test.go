package kernel

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestRequiredKernels fails where CI expects an implementation (TQN_REQUIRE_KERNEL=avx2,avx512) that does not run.
func TestRequiredKernels(t *testing.T) {
	have := Implementations()
	t.Logf("implementations: %s", strings.Join(have, ", "))
	if have[0] != "generic" {
		t.Errorf("implementations are %v, want generic first", have)
	}
	if want := os.Getenv("TQN_REQUIRE_KERNEL"); want != "" {
		for _, name := range strings.Split(want, ",") {
			if !slices.Contains(have, name) {
				t.Errorf("TQN_REQUIRE_KERNEL asks for %q; this machine has %v", name, have)
			}
		}
	}
}

func TestNewWorkersErrors(t *testing.T) {
	t.Setenv("TQN_KERNEL", "sse9")
	if _, err := NewWorkers(1, ""); err == nil || !strings.Contains(err.Error(), `TQN_KERNEL: implementation "sse9"`) {
		t.Errorf("unknown TQN_KERNEL: %v", err)
	}
	t.Setenv("TQN_KERNEL", "generic")
	ws := newWorkers(t, 1, "")
	if ws.Implementation() != "generic" {
		t.Errorf("TQN_KERNEL=generic ran %s", ws.Implementation())
	}
	if _, err := NewWorkers(-1, ""); err == nil {
		t.Error("-1 threads accepted")
	}
}

// fenced is a slice at an offset of floats from a 64-byte boundary, with fence posts on both sides.
type fenced struct{ whole, x []float32 }

const fencePosts = 16 // 64 bytes

func newFenced(n, offset int) fenced {
	b := alignedBytes(4 * (n + 4*fencePosts))
	whole := take[float32](&b, n+3*fencePosts)
	for i := range whole {
		whole[i] = fencePost(i)
	}
	return fenced{whole, whole[fencePosts+offset:][:n:n]}
}

// fencePost is a NaN, so that a result shows reading one, too.
func fencePost(i int) float32 { return math.Float32frombits(0x7fc00000 | uint32(i)&0xffff) }

func (f fenced) check(t *testing.T, what string) {
	t.Helper()
	start := 0
	for &f.whole[start] != &f.x[0] {
		start++
	}
	for i, v := range f.whole {
		if (i < start || i >= start+len(f.x)) && math.Float32bits(v) != math.Float32bits(fencePost(i)) {
			t.Fatalf("%s: a value at %d of [0, %d) was overwritten with %v", what, i-start, len(f.x), v)
		}
	}
}

// TestConvEdges: any alignment, no access outside, inputs unchanged, fewer images than planned.
func TestConvEdges(t *testing.T) {
	for i, s := range testShapes() {
		var convs []*Conv // of every implementation
		for _, name := range Implementations() {
			convs = append(convs, NewConv(newWorkers(t, 2, name), s))
		}
		for n := 1; n <= s.N; n++ {
			if n > 2 && n < s.N && (testing.Short() || n != s.N/2) {
				continue
			}
			offset := (5*i + 3*n) % 16
			x, w, dy := newFenced(n*s.Inputs(), offset), newFenced(s.Weights(), (offset+1)%16), newFenced(n*s.Outputs(), (offset+2)%16)
			noise(1, x.x)
			noise(2, w.x)
			noise(3, dy.x)
			want := convReference(s, n, x.x, w.x, dy.x)
			inputs := [][]float32{slices.Clone(x.x), slices.Clone(w.x), slices.Clone(dy.x)}
			for j, name := range Implementations() {
				t.Run(fmt.Sprintf("%+v/%d images/%s", s, n, name), func(t *testing.T) {
					y, dx, dw := newFenced(n*s.Outputs(), (offset+3)%16), newFenced(n*s.Inputs(), (offset+4)%16), newFenced(s.Weights(), (offset+5)%16)
					convs[j].SetWeights(w.x, false)
					convs[j].Forward(y.x, x.x, nil)
					convs[j].GradInput(Floats(dx.x), dy.x)
					convs[j].GradWeights(dw.x, x.x, dy.x)
					want.check(t, name, n, y.x, dx.x, dw.x)
					for k, g := range []fenced{x, w, dy, y, dx, dw} {
						g.check(t, []string{"x", "w", "dy", "y", "dx", "dw"}[k])
					}
					for k, g := range []fenced{x, w, dy} {
						if !slices.Equal(g.x, inputs[k]) {
							t.Errorf("input %d was changed", k)
						}
					}
				})
			}
		}
	}
}

// TestThreads: the same bits for any number of workers.
func TestThreads(t *testing.T) {
	for _, name := range Implementations() {
		for _, s := range []ConvShape{{N: 13, H: 8, W: 8, C: 48, K: 40, Side: 3, Stride: 1}, {N: 7, H: 9, W: 10, C: 3, K: 16, Side: 3, Stride: 2}, {N: 7, H: 16, W: 16, C: 8, K: 8, Side: 3, Stride: 1}} {
			var first [][]float32
			for _, threads := range []int{1, 2, 3, 7} {
				ws := newWorkers(t, threads, name)
				c, l := NewConv(ws, s), NewLinear(ws, s.N, s.Inputs(), 40)
				x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
				lw, ldy := make([]float32, s.Inputs()*40), make([]float32, s.N*40)
				for i, v := range [][]float32{x, w, dy, lw, ldy} {
					noise(uint64(i), v)
				}
				y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
				ly, ldx, ldw := make([]float32, len(ldy)), make([]float32, len(x)), make([]float32, len(lw))
				c.SetWeights(w, false)
				c.Forward(y, x, nil)
				c.GradInput(Floats(dx), dy)
				c.GradWeights(dw, x, dy)
				l.Forward(ly, Floats(x), lw, nil)
				l.GradInput(Floats(ldx), ldy, lw)
				l.GradWeights(ldw, nil, Floats(x), ldy)
				results := [][]float32{y, dx, dw, ly, ldx, ldw}
				if first == nil {
					first = results
				}
				for i, r := range results {
					if !slices.Equal(r, first[i]) {
						t.Errorf("%s %+v: result %d differs between 1 and %d threads", name, s, i, threads)
					}
				}
			}
		}
	}
}

// TestNothingAllocated: a layer allocates when it is built and never again.
func TestNothingAllocated(t *testing.T) {
	s := ConvShape{N: 3, H: 8, W: 8, C: 16, K: 32, Side: 3, Stride: 1}
	for _, name := range Implementations() {
		ws := newWorkers(t, 2, name)
		c, l := NewConv(ws, s), NewLinear(ws, s.N, s.Inputs(), 10)
		x, w, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
		lw, ly := make([]float32, s.Inputs()*10), make([]float32, s.N*10)
		sums := NewSums(s.N, s.H*s.W, s.K)
		step := func() {
			c.SetWeights(w, false)
			c.Forward(dy, x, sums)
			c.GradInput(Floats(x), dy)
			c.GradWeights(w, x, dy)
			l.Forward(ly, Floats(x), lw, nil)
			l.GradInput(Floats(x), ly, lw)
			l.GradWeights(lw, nil, Floats(x), ly)
		}
		step()
		if n := testing.AllocsPerRun(10, step); n != 0 {
			t.Errorf("%s: a step allocates %v times", name, n)
		}
	}
}

// TestDenormals: tiny values give results within the flush's reach, and Go's own arithmetic keeps its denormals.
func TestDenormals(t *testing.T) {
	s := ConvShape{N: 1, H: 5, W: 5, C: 16, K: 32, Side: 3, Stride: 1}
	for _, name := range Implementations() {
		ws := newWorkers(t, 1, name)
		c := NewConv(ws, s)
		x, w, dy := make([]float32, s.Inputs()), make([]float32, s.Weights()), make([]float32, s.Outputs())
		for i, v := range [][]float32{x, w, dy} {
			noise(uint64(i), v)
		}
		for i := range x {
			x[i] *= 0x1p-130 // mostly denormal
		}
		y, dw := make([]float32, s.Outputs()), make([]float32, s.Weights())
		c.SetWeights(w, false)
		c.Forward(y, x, nil)
		c.GradWeights(dw, x, dy)
		tiny := math.Float32frombits(0x00800000)
		if half := tiny * float32(math.Abs(float64(x[0]/x[0]))) / 2; half == 0 || half*2 != tiny {
			t.Errorf("%s: denormals are flushed in Go code after the kernels: %v", name, half)
		}
		want := convReference(s, 1, x, w, dy)
		for i, v := range y {
			// Each factor below 2^-126 may count as zero: an error of 2^-126 |w| a term.
			if tol := 0x1p-126 * 4 * 9 * 16.0; !(math.Abs(float64(v)-want.y[i]) <= tol) {
				t.Fatalf("%s: y[%d] = %g, want %g +- %g", name, i, v, want.y[i], tol)
			}
		}
	}
}

// TestPreemption: signals (profiling, preemption, garbage collection) while tiles are loaded change nothing.
func TestPreemption(t *testing.T) {
	if err := pprof.StartCPUProfile(&bytes.Buffer{}); err == nil {
		defer pprof.StopCPUProfile()
	}
	stop := make(chan struct{})
	var noiseMakers sync.WaitGroup
	noiseMakers.Add(1)
	go func() {
		defer noiseMakers.Done()
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	defer noiseMakers.Wait()
	defer close(stop)
	s := ConvShape{N: 6, H: 16, W: 16, C: 32, K: 32, Side: 3, Stride: 1}
	for _, name := range Implementations()[1:] {
		var first []float32
		var lock sync.Mutex
		var users sync.WaitGroup
		for range 4 {
			users.Add(1)
			go func() {
				defer users.Done()
				ws, err := NewWorkers(2, name)
				if err != nil {
					t.Error(err)
					return
				}
				defer ws.Close()
				c := NewConv(ws, s)
				x, w, y, dw := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs()), make([]float32, s.Weights())
				noise(1, x)
				noise(2, w)
				c.SetWeights(w, false)
				for range 20 {
					c.Forward(y, x, nil)
					c.GradWeights(dw, x, y)
					lock.Lock()
					if first == nil {
						first = slices.Clone(dw)
					}
					if !slices.Equal(dw, first) {
						t.Errorf("%s: a result changed under signals", name)
					}
					lock.Unlock()
				}
			}()
		}
		users.Wait()
	}
}

// errorOf returns the root mean square and the largest error of got, in units of 2^-24 of the root mean square of want.
func errorOf(got []float32, want []float64) (rms, largest float64) {
	var square, size float64
	for i, v := range got {
		e := math.Abs(float64(v) - want[i])
		square += e * e
		size += want[i] * want[i]
		largest = max(largest, e)
	}
	unit := 0x1p-24 * math.Sqrt(size/float64(len(want)))
	return math.Sqrt(square/float64(len(want))) / unit, largest / unit
}

// inputsOf fills x, w, dy with data of a kind: normal, relu (half zeros, as after an activation), heavy (a few values a thousand times the rest).
func inputsOf(kind string, binary bool, x, w, dy []float32) {
	noise(1, x)
	noise(2, w)
	noise(3, dy)
	for i := range x {
		switch kind {
		case "relu":
			x[i] = max(x[i], 0)
		case "heavy":
			x[i] = x[i] * x[i] * x[i] * x[i] * x[i]
		}
	}
	if kind == "heavy" {
		for i := range dy {
			dy[i] = dy[i] * dy[i] * dy[i] * dy[i] * dy[i]
		}
	}
	if binary {
		for i := range w {
			w[i] = float32(math.Copysign(1, float64(w[i])))
		}
	}
}

// TestErrorAgainstFloat64 prints the error table and holds what rounds differently, amx's split and Winograd's algorithm, to
// four times the error, root mean square and (but for heavy tails) largest, of a direct float32 algorithm, one chain of multiply-adds in the order of memory for each
// result. (The generic dx adds nine shorter chains and is more exact than that.)
func TestErrorAgainstFloat64(t *testing.T) {
	if raceDetector {
		t.Skip("numbers of the same calls that TestConv makes")
	}
	for _, s := range []ConvShape{
		{N: 1, H: 16, W: 16, C: 64, K: 64, Side: 3, Stride: 1},
		{N: 2, H: 8, W: 8, C: 256, K: 16, Side: 3, Stride: 1},
		{N: 2, H: 32, W: 32, C: 16, K: 16, Side: 3, Stride: 1},
		{N: 2, H: 32, W: 32, C: 8, K: 8, Side: 3, Stride: 1},
		{N: 16, H: 8, W: 8, C: 64, K: 64, Side: 3, Stride: 1},
	} {
		for _, kind := range []string{"normal", "relu", "heavy"} {
			for _, binary := range []bool{false, true} {
				e := newErrorCase(s, kind, binary)
				generic, direct := e.of(t, "generic", nil), e.chains()
				for _, name := range Implementations() {
					got := e.of(t, name, nil)
					for i, op := range []string{"y", "dx", "dw"} {
						g, d, loop := got[i], direct[i], generic[i]
						t.Logf("%dx%dx%d->%d %-6s binary=%-5v %-2s %-7s rms %6.2f max %7.2f (ratio to one chain %.2f, %.2f; to generic %.2f, %.2f)",
							s.H, s.W, s.C, s.K, kind, binary, op, name, g[0], g[1], g[0]/d[0], g[1]/d[1], g[0]/loop[0], g[1]/loop[1])
						largest := 4.0
						if kind == "heavy" && name != "amx" && name != "generic" {
							largest = 8 // an outlier's rounding error reaches all results of its tile, not its own products only
						}
						if g[0] > 4*d[0] || g[1] > largest*d[1] {
							t.Errorf("%s %+v %s %s: error %v is above four times direct float32's %v", name, s, kind, op, g, d)
						}
					}
				}
			}
		}
		if testing.Short() {
			break
		}
	}
}

// errorCase is a convolution with its results in float64.
type errorCase struct {
	s        ConvShape
	binary   bool
	x, w, dy []float32
	want     reference64
}

func newErrorCase(s ConvShape, kind string, binary bool) *errorCase {
	e := &errorCase{s: s, binary: binary, x: make([]float32, s.N*s.Inputs()), w: make([]float32, s.Weights()), dy: make([]float32, s.N*s.Outputs())}
	inputsOf(kind, binary, e.x, e.w, e.dy)
	e.want = convReference(s, s.N, e.x, e.w, e.dy)
	return e
}

// of returns the errors of y, dx and dw, after spoiling the convolution.
func (e *errorCase) of(t *testing.T, name string, spoil func(*Conv)) (errors [3][2]float64) {
	ws := newWorkers(t, 2, name)
	c := NewConv(ws, e.s)
	y, dx, dw := make([]float32, len(e.dy)), make([]float32, len(e.x)), make([]float32, len(e.w))
	c.SetWeights(e.w, e.binary)
	if spoil != nil {
		spoil(c)
	}
	c.Forward(y, e.x, nil)
	c.GradInput(Floats(dx), e.dy)
	c.GradWeights(dw, e.x, e.dy)
	errors[0][0], errors[0][1] = errorOf(y, e.want.y)
	errors[1][0], errors[1][1] = errorOf(dx, e.want.dx)
	errors[2][0], errors[2][1] = errorOf(dw, e.want.dw)
	return errors
}

// chains returns the errors of y, dx and dw by the definition, each result one chain of multiply-adds in float32 (FMA: the
// product is not rounded).
func (e *errorCase) chains() (errors [3][2]float64) {
	s := e.s
	y, dx, dw := make([]float32, len(e.dy)), make([]float32, len(e.x)), make([]float32, len(e.w))
	fma := func(sum *float32, a, b float32) { *sum = float32(float64(a)*float64(b) + float64(*sum)) }
	eachTap(s, s.N, func(in, out, tap int) {
		for c := range s.C {
			for k := range s.K {
				fma(&y[out+k], e.x[in+c], e.w[tap+c*s.K+k])
				fma(&dx[in+c], e.dy[out+k], e.w[tap+c*s.K+k])
				fma(&dw[tap+c*s.K+k], e.x[in+c], e.dy[out+k])
			}
		}
	})
	errors[0][0], errors[0][1] = errorOf(y, e.want.y)
	errors[1][0], errors[1][1] = errorOf(dx, e.want.dx)
	errors[2][0], errors[2][1] = errorOf(dw, e.want.dw)
	return errors
}

// FuzzConv compares every implementation with float64 at arbitrary shapes.
func FuzzConv(f *testing.F) {
	f.Add(uint64(1), uint8(2), uint8(5), uint8(6), uint8(16), uint8(16), uint8(1), uint8(0), false)
	f.Add(uint64(2), uint8(1), uint8(9), uint8(3), uint8(31), uint8(33), uint8(1), uint8(1), true)
	f.Add(uint64(3), uint8(4), uint8(1), uint8(17), uint8(1), uint8(5), uint8(2), uint8(2), false)
	f.Add(uint64(5), uint8(3), uint8(9), uint8(10), uint8(15), uint8(31), uint8(1), uint8(0), false)
	f.Add(uint64(6), uint8(4), uint8(7), uint8(7), uint8(47), uint8(15), uint8(1), uint8(0), false)
	f.Add(uint64(4), uint8(5), uint8(8), uint8(8), uint8(48), uint8(15), uint8(0), uint8(0), true)
	f.Fuzz(func(t *testing.T, seed uint64, n, h, w, ch, k, side, stride uint8, binary bool) {
		s := ConvShape{N: int(n)%5 + 1, H: int(h)%20 + 1, W: int(w)%20 + 1, C: int(ch)%50 + 1, K: int(k)%50 + 1, Side: 2*(int(side)%4) + 1, Stride: int(stride)%3 + 1}
		x, wt, dy := make([]float32, s.N*s.Inputs()), make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
		noise(seed, x)
		noise(seed+1, wt)
		noise(seed+2, dy)
		if binary {
			for i := range wt {
				wt[i] = float32(math.Copysign(1, float64(wt[i])))
			}
		}
		want := convReference(s, s.N, x, wt, dy)
		for _, name := range Implementations() {
			ws := newWorkers(t, 2, name)
			c := NewConv(ws, s)
			y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(wt))
			c.SetWeights(wt, binary)
			c.Forward(y, x, nil)
			c.GradInput(Floats(dx), dy)
			c.GradWeights(dw, x, dy)
			want.check(t, name, s.N, y, dx, dw)
		}
	})
}

// TestAssemblyIsGenerated: the generator gives the committed bytes.
func TestAssemblyIsGenerated(t *testing.T) {
	gocmd, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to run the generator")
	}
	out := t.TempDir()
	cmd := exec.Command(gocmd, "run", ".", "-out", out)
	cmd.Dir = "_asm"
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("generator: %v\n%s", err, msg)
	}
	files, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the generator wrote nothing: %v", err)
	}
	for _, f := range files {
		got, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Base(f))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what nets/kernel/_asm generates: run go generate ./nets/kernel", filepath.Base(f))
		}
	}
}
