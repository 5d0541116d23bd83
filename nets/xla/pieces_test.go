package xla

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tqn/nets/network"
	"tqn/quantize"
)

// smallNet has weights of fewer values than a program takes at most, of as many, and of more.
func smallNet(t *testing.T) network.Model {
	return model(t, network.Spec{Net: "vgg9", Input: network.Shape{H: 16, W: 16, C: 3}, Classes: 10, Width: 0.25, Depth: 0.5})
}

// wrongTaken runs the kernel that takes weights out of the state, after edit has changed its text, and says what is wrong with its results.
func wrongTaken(l layout, e elem, signs bool, edit func(tileKernel) string) (wrong []string) {
	b, f := valuesOf(f32, 1, l.size[stateB]), valuesOf(f32, 2, l.size[stateF])
	for i := range 40 {
		b[i*l.size[stateB]/40] = []float64{0, math.Copysign(0, -1)}[i%2]
	}
	o := Options{Precision: map[elem]Precision{f32: TF32, bf16: BF16}[e]}
	tensors := o.taken(l)
	k := takeKernel(l, tensors, e, signs)
	k.text = edit(k)
	var got, want [][]float64
	for _, i := range tensors {
		from := map[int][]float64{stateB: b, stateF: f}[l.vector[i]]
		weights := slices.Clone(from[l.offset[i] : l.offset[i]+l.params[i].Len()])
		for j, w := range weights {
			switch {
			case signs && l.vector[i] == stateB && w >= 0:
				weights[j] = 1
			case signs && l.vector[i] == stateB:
				weights[j] = -1
			case e == bf16:
				weights[j] = toBF16(w)
			}
		}
		got, want = append(got, make([]float64, len(weights))), append(want, weights)
	}
	if err := compute(k, [][]float64{b, f}, got...); err != nil {
		return []string{err.Error()}
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			wrong = append(wrong, l.params[tensors[i]].Name)
		}
	}
	return wrong
}

// TestTakeKernel: the kernel copies every weight to its tensor once, in the type of the factors, under the rule BC those of convolutions as signs. A wrong instruction is seen.
func TestTakeKernel(t *testing.T) {
	l := newLayout(smallNet(t))
	for _, signs := range []bool{false, true} {
		for _, e := range []elem{f32, bf16} {
			if wrong := wrongTaken(l, e, signs, unchanged); wrong != nil {
				t.Errorf("%s, signs %v: %v", e, signs, wrong)
			}
		}
	}
	for from, to := range map[string]string{"arith.subi": "arith.addi", "oge,": "ogt,", "arith.subf": "arith.addf", "arith.cmpi ult, %1,": "arith.cmpi ult, %1001,"} {
		if wrong := wrongTaken(l, f32, true, func(k tileKernel) string {
			text := strings.ReplaceAll(k.text, from, to)
			if text == k.text {
				t.Fatalf("no %q in the kernel", from)
			}
			return text
		}); wrong == nil {
			t.Errorf("%s for %s is not seen", to, from)
		}
	}
}

// TestTaken: which weights the kernel takes. The first layer's, whose channels are filled up, are XLA's.
func TestTaken(t *testing.T) {
	l := newLayout(smallNet(t))
	for precision, first := range map[Precision]string{F32: "conv_1.weight", TF32: "conv_2.weight", BF16: "conv_2.weight"} {
		tensors := Options{Precision: precision}.taken(l)
		if got, last := l.params[tensors[0]].Name, l.params[tensors[len(tensors)-1]]; got != first || last.Role != network.LinearWeight {
			t.Errorf("%s: from %s to %s, want from %s to a linear layer's", precision, got, last.Name, first)
		}
	}
}

// TestFiniteKernel: whichever value of whichever gradient is not finite, the flag of its program, and no other one, says so. A wrong instruction is seen.
func TestFiniteKernel(t *testing.T) {
	const narrow = 2 // bfloat16
	lengths := []int{2*pieceSize + 1, 5, pieceSize, 1, pieceSize + 7}
	c := cut(lengths)
	// wrong says where a NaN in one place, or none if the place is negative, is not seen as it is to be.
	wrong := func(tensor, place int, edit func(tileKernel) string) error {
		var gradients [][]float64
		for i, n := range lengths {
			gradients = append(gradients, valuesOf(bf16, uint32(i), n))
		}
		if place >= 0 {
			gradients[tensor][place] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[place%3]
		}
		flags := make([]float64, c.programs)
		k := finiteKernel(c, narrow)
		k.text = edit(k)
		if err := compute(k, gradients, flags); err != nil {
			return err
		}
		for program, flag := range flags {
			if bad := place >= 0 && program == c.first[tensor]+place/pieceSize; math.IsNaN(flag) != bad || !bad && flag != 0 {
				return fmt.Errorf("value %d of gradient %d: program %d says %v", place, tensor, program, flag)
			}
		}
		return nil
	}
	for tensor, n := range lengths {
		for _, place := range []int{-1, 0, 4, pieceSize - 1, pieceSize, n - 1} {
			if place < n {
				if err := wrong(tensor, place, unchanged); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for from, to := range map[string]string{"arith.mulf": "arith.addf", "arith.subi": "arith.addi", "arith.constant 4096 :": "arith.constant 4095 :", "arith.constant 1 :": "arith.constant 2 :"} {
		seen := false
		for tensor, n := range lengths {
			seen = seen || wrong(tensor, n-1, func(k tileKernel) string { return strings.ReplaceAll(k.text, from, to) }) != nil
		}
		if !seen {
			t.Errorf("%s for %s is not seen", to, from)
		}
	}
}

// TestFirstNotFinite: of the gradients that are not finite a step names the first, through the binarised weights and then the other parameters, whatever type a gradient has in memory.
func TestFirstNotFinite(t *testing.T) {
	client, m := need(t), smallNet(t)
	l, h := newLayout(m), hyper(16, quantize.SR)
	var trained []network.Param
	var shapes [][]int
	for _, vector := range []int{stateB, stateF} {
		for i, p := range l.params {
			if l.vector[i] == vector {
				trained, shapes = append(trained, p), append(shapes, dims(p))
			}
		}
	}
	const none = 1<<31 - 1
	text := function("test", float32Arguments(shapes), func(p *program, a []value) []value {
		n := &net{program: p, hyper: h, Options: Options{Kernels: true}, gradients: map[string]value{}, computed: map[string]value{}}
		for i, param := range trained {
			n.gradients[param.Name] = a[i]
			if i%3 == 1 && param.Role == network.ConvWeight {
				n.computed[param.Name] = n.convert(a[i], bf16)
			}
		}
		return []value{n.convert(n.firstNotFinite(l, none), f32)}
	})
	text, calls := definition{h, Options{}, l}.program(text, intact)
	if calls != 1 {
		t.Fatalf("%d kernels", calls)
	}
	run := compiled(t, client, text)
	// named is the tensor that is named if these have a value that is not finite.
	named := func(bad ...int) string {
		var data [][]float64
		for i, p := range trained {
			g := make([]float64, p.Len())
			if slices.Contains(bad, i) {
				g[len(g)-1] = math.Inf(-1)
			}
			data = append(data, g)
		}
		first := run(data, shapes)[0][0]
		if first == float64(float32(none)) {
			return ""
		}
		return l.describe(statusGrad+int32(first), 1).(*network.NonFiniteError).Tensor
	}
	if got := named(); got != "" {
		t.Errorf("finite gradients: %s", got)
	}
	for i := range trained {
		if got := named(i); got != trained[i].Name {
			t.Errorf("%s: %s is named", trained[i].Name, got)
		}
	}
	if got := named(len(trained)-1, 2, 5); got != trained[2].Name {
		t.Errorf("of several %s is named, want %s", got, trained[2].Name)
	}
}

// TestPiecesOnAGPU: what a GPU makes of the two kernels takes the weights and sees values that are not finite, too.
func TestPiecesOnAGPU(t *testing.T) {
	client, m := needKernels(t), smallNet(t)
	l := newLayout(m)
	b, f := valuesOf(f32, 1, l.size[stateB]), valuesOf(f32, 2, l.size[stateF])
	b[5], b[6] = 0, math.Copysign(0, -1)
	for _, signs := range []bool{false, true} {
		tensors := Options{Precision: BF16}.taken(l)
		results := runProgram(t, client, [][]float64{b, f}, [][]int{{len(b)}, {len(f)}}, func(p *program, a []value) []value {
			n := &net{program: p, hyper: network.Hyper{Rule: quantize.SR}, Options: Options{Precision: BF16, Kernels: true}, weights: map[string]value{}}
			if signs {
				n.hyper.Rule = quantize.BC
			}
			n.take(l, a[0], a[1])
			var out []value
			for _, i := range tensors {
				out = append(out, p.convert(n.weights[l.params[i].Name], f32))
			}
			return out
		})
		for at, i := range tensors {
			from := map[int][]float64{stateB: b, stateF: f}[l.vector[i]]
			for j, got := range results[at] {
				want := toBF16(from[l.offset[i]+j])
				if signs && l.vector[i] == stateB {
					want = 1
					if from[l.offset[i]+j] < 0 {
						want = -1
					}
				}
				if got != want {
					t.Fatalf("signs %v: value %d of %s is %v, want %v", signs, j, l.params[i].Name, got, want)
				}
			}
		}
	}
	lengths := []int{2*pieceSize + 1, 6, pieceSize}
	c := cut(lengths)
	run := compiled(t, client, function("test", float32Arguments([][]int{{lengths[0]}, {lengths[1]}, {lengths[2]}}), func(p *program, a []value) []value {
		return p.run(finiteKernel(c, 1), []argument{{elem: f32, dims: []int{c.programs, 1}}}, p.convert(a[0], bf16), a[1], a[2])
	}))
	for tensor, n := range lengths {
		for _, place := range []int{-1, 0, 5, pieceSize, n - 1} {
			if place >= n {
				continue
			}
			data := [][]float64{valuesOf(f32, 1, lengths[0]), valuesOf(f32, 2, lengths[1]), valuesOf(f32, 3, lengths[2])}
			if place >= 0 {
				data[tensor][place] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[place%3]
			}
			for program, flag := range run(data, [][]int{{lengths[0]}, {lengths[1]}, {lengths[2]}})[0] {
				if bad := place >= 0 && program == c.first[tensor]+place/pieceSize; math.IsNaN(flag) != bad || !bad && flag != 0 {
					t.Errorf("value %d of gradient %d: program %d says %v", place, tensor, program, flag)
				}
			}
		}
	}
}
