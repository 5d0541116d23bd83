package xla

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tqn/nets/network"
)

// direct is a narrow convolution by its definition, in float64 from factors as the kernels round them: y, dx and dw.
func direct(c narrow, x, w, dy []float64) (y, dx, dw []float64) {
	y, dx, dw = make([]float64, c.pixels()*c.out), make([]float64, c.pixels()*c.in), make([]float64, c.out*9*c.in)
	round := toTF32
	if c.elem == bf16 {
		round = toBF16
	}
	for p := range c.pixels() {
		row, column := p/c.w%c.h, p%c.w
		for tap := range 9 {
			up, left := tap/3-1, tap%3-1
			if row+up < 0 || row+up >= c.h || column+left < 0 || column+left >= c.w {
				continue
			}
			q := p + up*c.w + left
			for o := range c.out {
				for i := range c.in {
					at := (o*9+tap)*c.in + i
					y[p*c.out+o] += round(x[q*c.in+i]) * round(w[at])
					dx[q*c.in+i] += round(dy[p*c.out+o]) * round(w[at])
					dw[at] += round(dy[p*c.out+o]) * round(x[q*c.in+i])
				}
			}
		}
	}
	return y, dx, dw
}

// wrongKernels runs the kernels of a layer, or only those of these names, after edit has changed their text, and says which of them does not compute what direct does.
func wrongKernels(c narrow, edit func(tileKernel) string, only ...string) (wrong []string) {
	x, w, dy := valuesOf(c.elem, 1, c.pixels()*c.in), valuesOf(c.elem, 2, c.out*9*c.in), valuesOf(c.elem, 3, c.pixels()*c.out)
	y, dx, dw := direct(c, x, w, dy)
	tolerance := 1e-12 // float64's sums
	if c.elem == bf16 {
		tolerance = 0x1p-8 // the result is rounded
	}
	shift := valuesOf(f32, 4, c.out)
	// try runs a kernel whose last arguments are results: each is to be the sum of so many parts.
	type result struct {
		want      []float64
		parts     int
		tolerance float64
	}
	try := func(k tileKernel, inputs [][]float64, results ...result) {
		if only != nil && !slices.Contains(only, k.name) {
			return
		}
		k.text = edit(k)
		var outs [][]float64
		for _, r := range results {
			outs = append(outs, make([]float64, r.parts*len(r.want)))
		}
		if err := compute(k, inputs, outs...); err != nil {
			wrong = append(wrong, err.Error())
			return
		}
		for i, r := range results {
			got := make([]float64, len(r.want))
			for j, v := range outs[i] {
				got[j%len(got)] += v
			}
			if d := farthest(got, r.want); !(d <= r.tolerance) {
				wrong = append(wrong, fmt.Sprintf("%s: result %d is off by %.2g", k.name, i, d))
				return
			}
		}
	}
	k, parts := c.weights()
	try(k, [][]float64{x, dy}, result{dw, parts, 1e-12})
	if c.in < 16 { // of the first layer only the gradient of the weights
		return wrong
	}
	try(c.forward(false), [][]float64{x, w}, result{y, 1, tolerance})
	try(c.backward(), [][]float64{dy, w}, result{dx, 1, tolerance})
	kept, sum, squares := make([]float64, len(y)), make([]float64, c.out), make([]float64, c.out)
	for i, v := range y {
		if kept[i] = v; c.elem == bf16 {
			kept[i] = toBF16(v)
		}
		shifted := kept[i] - shift[i%c.out]
		sum[i%c.out] += shifted
		squares[i%c.out] += shifted * shifted
	}
	k = c.forward(true)
	running, offsets := slices.Concat([]float64{7}, shift), []float64{offsetMean: 1, offsetVariance: 9}
	try(k, [][]float64{x, w, running, offsets}, result{kept, 1, 1e-12}, result{sum, k.grid[0], 1e-12}, result{squares, k.grid[0], 1e-12})
	return wrong
}

// narrowCases have every choice that the kernels make: block, channels in one product or apart, one part or several.
var narrowCases = []narrow{
	{2, 8, 8, 16, 16, bf16}, {3, 8, 8, 16, 32, bf16}, {1, 8, 16, 32, 16, bf16}, {2, 8, 8, 64, 16, bf16}, {2, 8, 8, 16, 64, bf16},
	{2, 8, 8, 16, 16, f32}, {1, 16, 8, 32, 16, f32}, {2, 8, 8, 8, 32, bf16}, {2, 8, 8, 4, 32, f32},
}

// raggedCases have pixels that no whole number of turns takes.
var raggedCases = []narrow{{33, 8, 8, 64, 16, bf16}, {257, 8, 8, 4, 16, f32}}

// TestNarrowKernels: the kernels for convolutions of few channels compute the convolution and its two gradients, write each result once and touch nothing
// outside their arguments.
func TestNarrowKernels(t *testing.T) {
	for _, c := range narrowCases {
		for _, wrong := range wrongKernels(c, unchanged) {
			t.Errorf("%+v: %s", c, wrong)
		}
	}
	for _, c := range raggedCases {
		for _, wrong := range wrongKernels(c, unchanged, "narrow_weights") {
			t.Errorf("%+v: %s", c, wrong)
		}
	}
}

// TestNarrowKernelsDefects: the check of [TestNarrowKernels] sees a wrong instruction in each of the kernels.
func TestNarrowKernelsDefects(t *testing.T) {
	first := func(from, to string) func(tileKernel) string {
		return func(k tileKernel) string {
			if !strings.Contains(k.text, from) {
				t.Fatalf("no %q in the kernel", from)
			}
			return strings.Replace(k.text, from, to, 1)
		}
	}
	for name, c := range map[string]struct {
		edit  func(tileKernel) string
		cases []narrow
	}{
		"rows and columns exchanged": {first("arith.divui", "arith.remui"), narrowCases},
		"a sum left out":             {first("arith.addi", "arith.muli"), narrowCases},
		"one column more":            {first("arith.constant dense<8> :", "arith.constant dense<9> :"), narrowCases[:1]},
		"a product twice":            {duplicateProduct, narrowCases},
		"factors not rounded":        {first("arith.constant dense<4096> :", "arith.constant dense<0> :"), append(narrowCases[5:7:7], narrowCases[8])},
	} {
		for _, layer := range c.cases {
			kernels := 4
			if layer.in < 16 {
				kernels = 1
			}
			if wrong := wrongKernels(layer, c.edit); len(wrong) != kernels {
				t.Errorf("%s, %+v: seen in %d of %d kernels: %v", name, layer, len(wrong), kernels, wrong)
			}
		}
	}
}

// TestNarrowRaggedDefects: where pixels are no whole number of turns, the check of [TestNarrowKernels] sees pixels beyond the last, in x and in dy.
func TestNarrowRaggedDefects(t *testing.T) {
	for from, to := range map[string]string{"dense<2112>": "dense<2176>", "arith.constant dense<9> :": "arith.constant dense<5> :"} {
		if wrong := wrongKernels(raggedCases[0], func(k tileKernel) string {
			if !strings.Contains(k.text, from) {
				t.Fatalf("no %q in the kernel", from)
			}
			return strings.ReplaceAll(k.text, from, to)
		}, "narrow_weights"); len(wrong) != 1 {
			t.Errorf("%s for %s: seen in %v", to, from, wrong)
		}
	}
}

// duplicateProduct adds a kernel's first product once more to the sum that has it already.
func duplicateProduct(k tileKernel) string {
	lines := strings.Split(k.text, "\n")
	for n, line := range lines {
		if strings.Contains(line, "tt.dot") {
			ids := names.FindAllString(line, -1)
			lines[n] = line + "\n" + strings.Replace(strings.Replace(line, ids[0]+" =", ids[0]+"x =", 1), ids[3]+", input", ids[0]+", input", 1)
			return strings.Join(lines[:n+1], "\n") + "\n" + strings.ReplaceAll(strings.Join(lines[n+1:], "\n"), ids[0]+",", ids[0]+"x,")
		}
	}
	return k.text
}

// TestNarrowLayers: which layers the kernels take.
func TestNarrowLayers(t *testing.T) {
	layer := func(side, in, out int) network.Layer {
		return network.Layer{Kind: network.Conv, Kernel: 3, Stride: 1, Pad: 1, In: network.Shape{H: side, W: side, C: in}, Out: network.Shape{H: side, W: side, C: out}}
	}
	strided, large := layer(32, 16, 16), layer(32, 16, 16)
	strided.Stride, large.Kernel = 2, 5
	for _, c := range []struct {
		layer network.Layer
		batch int
		elem  elem
		want  bool
	}{
		{layer(32, 16, 16), 128, bf16, true}, {layer(16, 32, 32), 128, bf16, true}, {layer(8, 64, 64), 128, bf16, true}, {layer(16, 64, 64), 128, bf16, true},
		{layer(16, 32, 32), 128, f32, true}, {layer(8, 64, 64), 128, f32, false}, {layer(32, 64, 64), 128, bf16, false}, {layer(32, 3, 16), 128, bf16, false},
		{layer(32, 8, 8), 128, bf16, false}, {layer(16, 48, 48), 128, bf16, false}, {strided, 128, bf16, false}, {large, 128, bf16, false}, {layer(7, 16, 16), 3, bf16, false},
		{layer(32, 16, 16), 1 << 17, bf16, true}, {layer(32, 16, 16), 1<<17 + 1, bf16, false}, {layer(32, 16, 32), 1 << 17, f32, false}, // 2^31 values, and more
	} {
		if _, got := narrowConv(c.layer, c.batch, c.elem); got != c.want {
			t.Errorf("%+v, %d images, %s: %v, want %v", c.layer, c.batch, c.elem, got, c.want)
		}
	}
}

// TestNarrowOnAGPU: what a GPU makes of the kernels is the convolution and its gradients, too.
func TestNarrowOnAGPU(t *testing.T) {
	client := needKernels(t)
	for _, c := range append(narrowCases, narrow{8, 32, 32, 16, 16, bf16}, narrow{8, 16, 16, 32, 32, bf16}, narrow{8, 8, 8, 64, 64, bf16}, narrow{8, 16, 16, 64, 64, bf16},
		narrow{8, 32, 32, 32, 32, bf16}, narrow{8, 32, 32, 8, 64, bf16}, narrow{8, 32, 32, 16, 16, f32}, narrow{8, 16, 16, 32, 32, f32}, narrow{8, 32, 32, 32, 32, f32}, narrow{8, 32, 32, 4, 64, f32}, narrow{100, 16, 16, 32, 32, f32}, narrow{97, 8, 8, 64, 64, bf16}) {
		x, w, dy := valuesOf(c.elem, 1, c.pixels()*c.in), valuesOf(c.elem, 2, c.out*9*c.in), valuesOf(c.elem, 3, c.pixels()*c.out)
		y, dx, dw := direct(c, x, w, dy)
		shift, sum, squares := valuesOf(f32, 4, c.out), make([]float64, c.out), make([]float64, c.out)
		for i, v := range y {
			sum[i%c.out] += v - shift[i%c.out]
			squares[i%c.out] += (v - shift[i%c.out]) * (v - shift[i%c.out])
		}
		inputs := [][]int{{c.batch, c.h, c.w, c.in}, {c.out, 3, 3, c.in}, {c.batch, c.h, c.w, c.out}, {c.out}}
		results := runProgram(t, client, [][]float64{x, w, dy, shift}, inputs, func(p *program, a []value) []value {
			x, w, dy := p.convert(a[0], c.elem), p.convert(a[1], c.elem), p.convert(a[2], c.elem)
			images := func(dims []int) argument { return argument{elem: c.elem, dims: dims} }
			k, n := c.weights()
			parts := argument{elem: f32, dims: append([]int{n}, inputs[1]...)}
			dw := p.run(k, []argument{parts}, x, dy)[0]
			if c.in < 16 {
				return []value{p.reduce("add", dw, 0, 0)}
			}
			out := p.run(c.forward(false), []argument{images(inputs[2])}, x, w)[0]
			back := p.run(c.backward(), []argument{images(inputs[0])}, dy, w)[0]
			k = c.forward(true)
			parts = argument{elem: f32, dims: []int{k.grid[0], c.out}}
			with := p.run(k, []argument{images(inputs[2]), parts, parts}, x, w, a[3], p.integers(0, 0, 0, 0)) // the running averages are the mean alone
			total := func(v value) value { return p.reduce("add", v, 0, 0) }
			return []value{p.convert(out, f32), p.convert(back, f32), total(dw), p.convert(with[0], f32), total(with[1]), total(with[2])}
		})
		wanted := [][]float64{y, dx, dw, y, sum, squares}
		if c.in < 16 {
			wanted = wanted[2:3]
		}
		for i, want := range wanted {
			tolerance := 1e-5 // float32's sums
			if c.elem == bf16 && i != 2 && c.in >= 16 {
				tolerance = 0x1p-8
			}
			if d := farthest(results[i], want); !(d <= tolerance) {
				t.Errorf("%+v: result %d is off by %.2g", c, i, d)
			}
		}
	}
}
