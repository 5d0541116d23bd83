package xla

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tqn/nets/network"
	"tqn/quantize"
)

// unitData are what a unit is computed from: x and the shortcut (N,H,W,C), dy, which is like the result, and for each channel gamma, beta and the running averages.
type unitData struct{ x, shortcut, dy, gamma, beta, mean, variance []float64 }

func (u unit) data() unitData {
	positive := func(v []float64) []float64 {
		for i := range v {
			v[i] = 1.25 + v[i]
		}
		return v
	}
	n := u.batch * u.h * u.w * u.c
	return unitData{valuesOf(u.elem, 1, n), valuesOf(u.elem, 2, n), valuesOf(u.elem, 3, u.rows()*u.c), valuesOf(f32, 4, u.c), valuesOf(f32, 5, u.c),
		valuesOf(f32, 6, u.c), positive(valuesOf(f32, 7, u.c))}
}

// state is what there is for each channel as it lies in the vectors of the state, between numbers of other layers, which are 7, and where it begins there.
func (d unitData) state() (parameters, running, offsets []float64) {
	c := float64(len(d.gamma))
	parameters = slices.Concat([]float64{7, 7, 7}, d.beta, d.gamma, []float64{7})
	running = slices.Concat([]float64{7}, d.mean, []float64{7}, d.variance)
	return parameters, running, []float64{offsetGamma: 3 + c, offsetBeta: 3, offsetMean: 1, offsetVariance: 2 + c}
}

// round rounds to the unit's type.
func (u unit) round(x float64) float64 {
	if u.elem == bf16 {
		return toBF16(x)
	}
	return x
}

// computed is what a unit computes. Forward these are z and, for each channel, the mean, 1/sqrt(variance+epsilon) and the new running averages; backward dx, the shortcut's
// gradient g, dgamma and dbeta.
type computed map[string][]float64

// direct computes a unit by its definition in float64, with z, g and dx rounded as they are kept.
func (u unit) direct(d unitData) computed {
	vector := func() []float64 { return make([]float64, u.c) }
	r := computed{"mean": vector(), "inverse": vector(), "new mean": vector(), "new variance": vector(), "dgamma": vector(), "dbeta": vector()}
	count := float64(len(d.x) / u.c)
	variance := vector()
	for i, x := range d.x {
		r["mean"][i%u.c] += x / count
	}
	for i, x := range d.x {
		variance[i%u.c] += (x - r["mean"][i%u.c]) * (x - r["mean"][i%u.c]) / count
	}
	for c, v := range variance {
		r["inverse"][c] = 1 / math.Sqrt(v+u.epsilon)
		r["new mean"][c] = (1-u.momentum)*d.mean[c] + u.momentum*r["mean"][c]
		r["new variance"][c] = (1-u.momentum)*d.variance[c] + u.momentum*u.unbiased*v
	}
	y := make([]float64, len(d.x)) // what the ReLU gets
	for i, x := range d.x {
		c := i % u.c
		y[i] = (x-r["mean"][c])*d.gamma[c]*r["inverse"][c] + d.beta[c]
		if u.sum {
			y[i] += d.shortcut[i]
		}
		y[i] = u.round(y[i])
	}
	g := make([]float64, len(y))
	r["z"] = make([]float64, len(d.dy))
	for i := range d.dy {
		place := i // of the largest of the window
		if u.pool {
			row := i / u.c
			first := (row/(u.w/2)*2*u.w+row%(u.w/2)*2)*u.c + i%u.c
			place = first
			for _, at := range []int{first + u.c, first + u.w*u.c, first + (u.w+1)*u.c} {
				if y[at] > y[place] {
					place = at
				}
			}
		}
		if y[place] > 0 {
			r["z"][i], g[place] = y[place], d.dy[i]
		}
	}
	for i, v := range g {
		r["dgamma"][i%u.c] += v * (d.x[i] - r["mean"][i%u.c]) * r["inverse"][i%u.c]
		r["dbeta"][i%u.c] += v
	}
	r["dx"] = make([]float64, len(y))
	for i, v := range g {
		c := i % u.c
		xhat := (d.x[i] - r["mean"][c]) * r["inverse"][c]
		r["dx"][i] = u.round(d.gamma[c] * r["inverse"][c] * (v - r["dbeta"][c]/count - xhat*r["dgamma"][c]/count))
	}
	if u.sum {
		r["g"] = g
	}
	return r
}

// run runs the unit's kernels one after the other, as the program does, after edit has changed their text. With a shortcut dy is the sum of so many addends.
func (u unit) run(d unitData, addends int, edit func(tileKernel) string) (computed, error) {
	r := computed{}
	run := func(k tileKernel, inputs [][]float64, results ...[]float64) error {
		k.text = edit(k)
		return compute(k, inputs, results...)
	}
	vector := func(n int) []float64 { return make([]float64, n*u.c) }
	parameters, running, offsets := d.state()
	k := u.statistics()
	sums, squares := vector(k.grid[0]), vector(k.grid[0])
	if err := run(k, [][]float64{d.x, running, offsets}, sums, squares); err != nil {
		return nil, err
	}
	r["z"], r["mean"], r["inverse"], r["new mean"], r["new variance"] = make([]float64, len(d.dy)), vector(1), vector(1), vector(1), vector(1)
	inputs := [][]float64{d.x, sums, squares, running, parameters, offsets}
	if u.sum {
		inputs = append(inputs, d.shortcut)
	}
	if err := run(u.forward(k.grid[0]), inputs, r["z"], r["mean"], r["inverse"], r["new mean"], r["new variance"]); err != nil {
		return nil, err
	}
	g, parts := d.dy, u.split().parts
	sums, products := vector(parts), vector(parts)
	if u.sum {
		g = make([]float64, len(d.dy))
		r["g"] = g
		if err := run(u.gradientSumsOfSum(addends), append(inAddends(d.dy, addends), d.x, r["mean"], r["z"]), g, sums, products); err != nil {
			return nil, err
		}
	} else if err := run(u.gradientSums(), [][]float64{g, d.x, r["mean"], r["inverse"], parameters, offsets}, sums, products); err != nil {
		return nil, err
	}
	r["dx"], r["dgamma"], r["dbeta"] = make([]float64, len(d.x)), vector(1), vector(1)
	return r, run(u.backward(), [][]float64{g, d.x, r["mean"], r["inverse"], parameters, offsets, sums, products}, r["dx"], r["dgamma"], r["dbeta"])
}

// inAddends is dy as the sum of one addend or of two.
func inAddends(dy []float64, addends int) [][]float64 {
	if addends == 1 {
		return [][]float64{dy}
	}
	first, second := make([]float64, len(dy)), make([]float64, len(dy))
	for i, v := range dy {
		first[i], second[i] = v/4, v-v/4
	}
	return [][]float64{first, second}
}

// wrong lists in which results a unit's kernels differ from the definition, or the error that ended them.
func (u unit) wrong(addends int, edit func(tileKernel) string) (names []string) {
	d := u.data()
	got, err := u.run(d, addends, edit)
	if err != nil {
		return []string{err.Error()}
	}
	want := u.direct(d)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		tolerance := 1e-11
		if u.elem == bf16 && (name == "z" || name == "dx") {
			tolerance = 0x1p-8 // where a value lies between two numbers of the type
		}
		if d := farthest(got[name], want[name]); !(d <= tolerance) {
			names = append(names, fmt.Sprintf("%s by %.2g", name, d))
		}
	}
	return names
}

var some = averages{epsilon: 1e-3, momentum: 0.25, unbiased: 1.125}

// unitCases have one turn and several, one group of channels and two, and each of the three kinds of unit.
var unitCases = []unit{
	{batch: 2, h: 8, w: 8, c: 16, elem: bf16}, {batch: 3, h: 8, w: 8, c: 16, elem: f32}, {batch: 2, h: 4, w: 8, c: 128, elem: f32},
	{batch: 2, h: 8, w: 8, c: 32, elem: bf16, sum: true}, {batch: 3, h: 8, w: 8, c: 16, elem: f32, sum: true},
	{batch: 2, h: 8, w: 8, c: 16, elem: bf16, pool: true}, {batch: 3, h: 16, w: 8, c: 128, elem: f32, pool: true},
	// Rows that no whole number of blocks makes, in one turn and in several.
	{batch: 3, h: 5, w: 6, c: 16, elem: f32}, {batch: 3, h: 5, w: 6, c: 16, elem: bf16, sum: true}, {batch: 5, h: 15, w: 15, c: 128, elem: f32, sum: true},
	{batch: 3, h: 6, w: 6, c: 16, elem: f32, pool: true}, {batch: 5, h: 10, w: 22, c: 128, elem: f32, pool: true},
}

// TestNormKernels: the kernels for batch norm compute it and what follows it, forward and backward, write each result once and touch nothing outside their
// arguments.
func TestNormKernels(t *testing.T) {
	for _, u := range unitCases {
		u.averages = some
		for _, addends := range []int{1, 2} {
			if wrong := u.wrong(addends, unchanged); wrong != nil {
				t.Errorf("%+v: %s", u, wrong)
			}
		}
	}
}

// TestNormPartsOfAnyNumber: a convolution may have made the sums in any number of parts.
func TestNormPartsOfAnyNumber(t *testing.T) {
	u := unit{batch: 2, h: 8, w: 8, c: 16, elem: f32, averages: some}
	d := u.data()
	want := u.direct(d)
	parameters, running, offsets := d.state()
	for _, parts := range []int{1, 3, 96, 512, 768} {
		sums, squares := make([]float64, parts*u.c), make([]float64, parts*u.c)
		for i, x := range d.x {
			shifted, at := x-d.mean[i%u.c], i/u.c*7%parts*u.c+i%u.c
			sums[at] += shifted
			squares[at] += shifted * shifted
		}
		z, vector := make([]float64, len(d.x)), func() []float64 { return make([]float64, u.c) }
		err := compute(u.forward(parts), [][]float64{d.x, sums, squares, running, parameters, offsets}, z, vector(), vector(), vector(), vector())
		if far := farthest(z, want["z"]); err != nil || !(far <= 1e-11) {
			t.Errorf("%d parts: %v, off by %.2g", parts, err, far)
		}
	}
}

// notFinite runs a unit with one NaN in x and says for how many values of its channel z is one, and for how many of other channels.
func (u unit) notFinite(t *testing.T, edit func(tileKernel) string) (own, others int) {
	t.Helper()
	d := u.data()
	d.x[3] = math.NaN()
	got, err := u.run(d, 1, edit)
	if err != nil {
		t.Fatal(err)
	}
	for i, z := range got["z"] {
		switch {
		case math.IsNaN(z) && i%u.c == 3:
			own++
		case math.IsNaN(z):
			others++
		}
	}
	return own, others
}

// TestNormNotFinite: a NaN in an activation is one in all of the channel's results, so that it reaches the loss, and the step ends with an error. A kernel whose maxima drop it is seen.
func TestNormNotFinite(t *testing.T) {
	for _, u := range unitCases {
		u.averages = some
		if own, others := u.notFinite(t, unchanged); own != u.rows() || others > 0 {
			t.Errorf("%+v: %d of %d results of the channel are NaN, and %d of other channels", u, own, u.rows(), others)
		}
		if own, _ := u.notFinite(t, func(k tileKernel) string { return strings.ReplaceAll(k.text, "arith.maximumf", "arith.maxnumf") }); own != 0 {
			t.Errorf("%+v: maxima that drop a NaN leave %d", u, own)
		}
	}
}

// TestNormKernelsDefects: the check of [TestNormKernels] sees a wrong instruction in each of the kernels.
func TestNormKernelsDefects(t *testing.T) {
	kinds := map[string]unit{"": unitCases[1], "_sum": unitCases[4], "_pool": unitCases[6]}
	for _, c := range []struct{ kernel, from, to string }{
		{"norm_sums", "arith.mulf", "arith.addf"}, {"norm_sums", "arith.subf", "arith.addf"},
		{"norm_forward", "arith.maximumf", "arith.addf"}, {"norm_forward", "math.sqrt", "math.none"}, {"norm_forward", "arith.divf", "arith.mulf"},
		{"norm_forward_sum", "arith.subf", "arith.addf"}, {"norm_forward_pool", "arith.divui", "arith.remui"},
		{"norm_gradient_sums", "ogt,", "oeq,"}, {"norm_gradient_sums_pool", "arith.addf", "arith.subf"}, {"norm_gradient_sums", "arith.mulf", "arith.addf"}, {"norm_gradient_sums_sum", "ogt,", "oeq,"},
		{"norm_gradient_sums_sum", "arith.addf", "arith.subf"}, {"norm_backward", "arith.subf", "arith.addf"}, {"norm_backward_sum", "arith.mulf", "arith.addf"},
		{"norm_backward_pool", "oeq,", "ogt,"}, {"norm_backward_pool", "arith.maximumf", "arith.addf"},
	} {
		u, found := kinds[""], false
		for suffix, kind := range kinds {
			if suffix != "" && strings.HasSuffix(c.kernel, suffix) {
				u = kind
			}
		}
		u.averages = some
		wrong := u.wrong(2, func(k tileKernel) string {
			if k.name != c.kernel || !strings.Contains(k.text, c.from) {
				return k.text
			}
			found = true
			return strings.ReplaceAll(k.text, c.from, c.to)
		})
		if !found || wrong == nil {
			t.Errorf("%s with %s for %s: found %v, seen %v", c.kernel, c.to, c.from, found, wrong)
		}
	}
}

// TestNormRaggedDefects: where rows are no whole number of blocks, the check of [TestNormKernels] sees in each kernel a row too many and one too few, and what lies beyond the last in the sums.
func TestNormRaggedDefects(t *testing.T) {
	selects := regexp.MustCompile(`arith\.select (%\w+), (%\w+), %\w+`)
	for _, u := range []unit{{batch: 3, h: 5, w: 6, c: 16, elem: f32}, {batch: 3, h: 5, w: 6, c: 16, elem: f32, sum: true}} {
		u.averages = some
		for _, kernel := range []string{"norm_sums", u.named("norm_forward"), u.named("norm_gradient_sums"), u.named("norm_backward")} {
			for what, edit := range map[string]func(text string) string{
				"a row more":  func(text string) string { return strings.ReplaceAll(text, "dense<90>", "dense<91>") },
				"a row fewer": func(text string) string { return strings.ReplaceAll(text, "dense<90>", "dense<89>") },
				"no choice":   func(text string) string { return selects.ReplaceAllString(text, "arith.select $1, $2, $2") },
			} {
				if what == "no choice" && kernel != "norm_sums" {
					continue
				}
				changed := false
				wrong := u.wrong(1, func(k tileKernel) string {
					if k.name != kernel {
						return k.text
					}
					changed = edit(k.text) != k.text
					return edit(k.text)
				})
				if !changed || wrong == nil {
					t.Errorf("%s, %s: changed %v, seen %v", kernel, what, changed, wrong)
				}
			}
		}
	}
}

// TestNormUnits: which layers the kernels take, alone or with a pooling, and which they leave to XLA.
func TestNormUnits(t *testing.T) {
	norm := func(side, channels int) network.Layer {
		return network.Layer{Kind: network.BatchNorm, Out: network.Shape{H: side, W: side, C: channels}}
	}
	relu, pool := network.Layer{Kind: network.ReLU}, network.Layer{Kind: network.MaxPool, Kernel: 2, Stride: 2}
	overlapping := network.Layer{Kind: network.MaxPool, Kernel: 3, Stride: 2}
	for _, c := range []struct {
		norm   network.Layer
		next   []network.Layer
		batch  int
		layers int // 0: not taken
	}{
		{norm(32, 16), []network.Layer{relu}, 128, 2}, {norm(8, 64), []network.Layer{relu, norm(8, 64)}, 128, 2}, {norm(32, 64), []network.Layer{relu, pool}, 128, 3},
		{norm(8, 512), []network.Layer{relu, pool}, 128, 3}, {norm(32, 192), []network.Layer{relu}, 128, 2}, {norm(32, 16), nil, 128, 0}, {norm(32, 16), []network.Layer{pool}, 128, 0},
		{norm(32, 64), []network.Layer{relu, overlapping}, 128, 0}, {norm(32, 8), []network.Layer{relu}, 128, 0}, {norm(32, 48), []network.Layer{relu}, 128, 0},
		{norm(1, 256), []network.Layer{relu}, 128, 0}, {norm(7, 16), []network.Layer{relu}, 3, 0},
		{norm(32, 16), []network.Layer{relu}, 96, 2}, {norm(32, 16), []network.Layer{relu}, 100, 2}, {norm(8, 64), []network.Layer{relu}, 97, 2}, {norm(32, 64), []network.Layer{relu, pool}, 500, 3}, {norm(8, 1<<14), []network.Layer{relu}, 8, 2},
		{norm(8, 64), []network.Layer{relu}, 4, 0},                                                               // too few parts
		{norm(32, 64), []network.Layer{relu}, 1 << 15, 2}, {norm(32, 64), []network.Layer{relu}, 1<<15 + 128, 0}, // 2^31 values, and more
	} {
		u, ok := normUnit(c.norm, c.next, false, c.batch, bf16)
		if ok != (c.layers > 0) || ok && u.layers() != c.layers {
			t.Errorf("%v, %d images: %v, %+v; want %d layers", c.norm.Out, c.batch, ok, u, c.layers)
		}
	}
}

// TestNormOnAGPU: what a GPU makes of the kernels is batch norm and its gradients, too.
func TestNormOnAGPU(t *testing.T) {
	client := needKernels(t)
	for _, u := range append(unitCases, unit{batch: 32, h: 32, w: 32, c: 16, elem: bf16}, unit{batch: 32, h: 32, w: 32, c: 64, elem: bf16, pool: true}, unit{batch: 128, h: 8, w: 8, c: 64, elem: bf16, sum: true},
		unit{batch: 64, h: 32, w: 32, c: 64, elem: f32}, unit{batch: 64, h: 16, w: 16, c: 128, elem: f32, pool: true}, unit{batch: 128, h: 16, w: 16, c: 32, elem: f32, sum: true}) {
		u.averages = some
		d := u.data()
		images, result := []int{u.batch, u.h, u.w, u.c}, []int{u.batch, u.h, u.w, u.c}
		if u.pool {
			result[1], result[2] = u.h/2, u.w/2
		}
		parameters, running, offsets := d.state()
		data, dims := [][]float64{d.x, d.shortcut, d.dy, parameters, running}, [][]int{images, images, result, {len(parameters)}, {len(running)}}
		results := []string{"z", "new mean", "new variance", "dx", "dgamma", "dbeta", "g"}
		out := runProgram(t, client, data, dims, func(p *program, a []value) []value {
			precision := F32
			if u.elem == bf16 {
				precision = BF16
			}
			n := &net{program: p, Options: Options{Precision: precision}, train: true, averages: map[string]value{}, gradients: map[string]value{},
				parameters: a[3], running: a[4], offsets: map[string]int{}}
			for i, tensor := range normTensors {
				n.offsets["n"+tensor] = int(offsets[i])
			}
			short := n.kept(a[1])
			z, back := n.unit(network.Layer{Name: "n"}, u, n.kept(a[0]), &short)
			dx, g := back(n.kept(a[2]))
			return []value{p.convert(z, f32), n.averages["n.mean"], n.averages["n.variance"], p.convert(dx, f32), n.gradients["n.gamma"], n.gradients["n.beta"], p.convert(g, f32)}
		})
		want := u.direct(d)
		for i, name := range results {
			if want[name] == nil {
				continue
			}
			size, tolerance, far := 0.0, 2e-5, 0
			for _, v := range want[name] {
				size = max(size, math.Abs(v))
			}
			if u.elem == bf16 {
				tolerance = 0x1p-7
			}
			for j, v := range out[i] {
				if !(math.Abs(v-want[name][j]) <= tolerance*size) {
					far++
				}
			}
			// In float32 and in float64 another pixel of a window can be the largest, or a value near 0 lie on its other side.
			if far*1000 > len(out[i]) || far > 0 && len(out[i]) == u.c {
				t.Errorf("%+v: %d of %d values of %s are off by more than %.2g of the largest", u, far, len(out[i]), name, tolerance)
			}
		}
	}
}

// TestNormStepOnAGPU: on a GPU a step with kernels of our own for batch norm changes the state as one without them does.
func TestNormStepOnAGPU(t *testing.T) {
	client := needKernels(t)
	for _, name := range []string{"vgg9", "resnet56"} {
		m := model(t, network.Spec{Net: name, Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10, Depth: 0.25})
		h := hyper(64, quantize.Float)
		var tensors [2]map[string][]float32 // without and with the kernels
		for i := range tensors {
			e, err := New(client, client.Devices[:1], m, h, F32)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if !e.options.Kernels {
				t.Fatalf("%s has no kernels of our own", name)
			}
			e.options.Kernels = i == 1
			tensors[i] = stepFromRandom(t, e)
		}
		most := 0.0
		for tensor, without := range tensors[0] {
			d := distance(tensors[1][tensor], without)
			if most = max(most, d); !(d < 1e-2) { // where one pixel of a window is the largest for both but one, the gradients differ by some 1e-3
				t.Errorf("%s: %s differs by %.2g of its norm", name, tensor, d)
			}
		}
		t.Logf("%s: gradients and averages differ by %.2g of their norm at most", name, most)
	}
}

// TestNormHyper: the kernels of a step have epsilon, the momentum and the correction of the variance from the step's hyperparameters, and the correction only if they ask for it.
func TestNormHyper(t *testing.T) {
	m := model(t, network.Spec{Net: "vgg9", Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10, Width: 0.25, Depth: 0.5})
	h := hyper(64, quantize.SR)
	h.NormEpsilon, h.NormMomentum = 3e-4, 0.375
	for _, unbiased := range []bool{false, true} {
		h.UnbiasedState = unbiased
		text := stepProgram(m, h, Options{Kernels: true})
		const pixels = 64 * 32 * 32.0 // of the first batch norm
		for number, want := range map[float64]bool{3e-4: true, 0.375: true, 0.625: true, 1 / pixels: true, pixels / (pixels - 1) * 0.375: unbiased, 0.1: false, 1e-5: false} {
			if got := strings.Contains(text, fmt.Sprintf("arith.constant dense<%.17e>", number)); got != want {
				t.Errorf("unbiased %v: that a kernel has the constant %v is %v, want %v", unbiased, number, got, want)
			}
		}
	}
}
