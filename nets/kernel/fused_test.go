package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestFusedIsUnfused: ForwardNorm and Backward give the bits of the separate calls: with and without a residual behind the convolution; with the input itself kept or
// not, and then with a residual before the convolution and a shortcut around it, whose gradient is apart from the input's or becomes it where it lies. With activations that are rounded
// the separate calls keep them as float32, by definition, and the others in two bytes.
func TestFusedIsUnfused(t *testing.T) {
	for _, name := range append(Implementations(), "bf16", "bf16 rounded") {
		for _, s := range []ConvShape{
			{N: 5, H: 8, W: 8, C: 16, K: 32, Side: 3, Stride: 1},
			{N: 3, H: 16, W: 16, C: 32, K: 32, Side: 3, Stride: 1},
			{N: 3, H: 9, W: 12, C: 16, K: 16, Side: 3, Stride: 2},
			{N: 2, H: 7, W: 5, C: 3, K: 5, Side: 3, Stride: 1},
			{N: 5, H: 8, W: 6, C: 8, K: 8, Side: 3, Stride: 1},
			{N: 3, H: 6, W: 10, C: 1, K: 8, Side: 3, Stride: 1},
			{N: 9, H: 8, W: 8, C: 128, K: 256, Side: 3, Stride: 1},
		} {
			for _, which := range [][3]bool{{false, false, false}, {true, false, false}, {false, true, false}, {false, false, true}, {true, true, true}} {
				residual, binary, keepsInput := which[0], which[1], which[2]
				t.Run(fmt.Sprintf("%s/%+v/residual=%v/binary=%v/kept=%v", name, s, residual, binary, keepsInput), func(t *testing.T) {
					var ws *Workers
					rounds := name == "bf16 rounded"
					if rounds || name == "bf16" {
						ws = newBF16Workers(t, 3, "")
					} else {
						ws = newWorkers(t, 3, name)
					}
					if rounds && !ws.keepsHalves() {
						t.Skip("no activations in two bytes")
					}
					c := NewConv(ws, s)
					if !c.FusesForward() {
						t.Skip(name + " does not fuse")
					}
					ph, pw := s.Out()
					before, after := NewBatchNorm(ws, s.N, s.H*s.W, s.C, 1e-5), NewBatchNorm(ws, s.N, ph*pw, s.K, 1e-5)
					values := func(seed uint64, n int) []float32 {
						x := make([]float32, n)
						noise(seed, x)
						if rounds {
							roundAllGeneric(x, x)
						}
						return x
					}
					x, w, dz := values(1, s.N*s.Inputs()), values(2, s.Weights()), values(3, s.N*s.Outputs())
					gammaC, betaC, gammaK, betaK := values(4, s.C), values(5, s.C), values(6, s.K), values(7, s.K)
					var r, rC, shortcut []float32
					if keepsInput {
						rC, shortcut = values(9, s.N*s.Inputs()), values(10, s.N*s.Inputs())
					}
					if residual {
						r = values(8, s.N*s.Outputs())
					}
					if binary {
						for i := range w {
							w[i] = float32(math.Copysign(1, float64(w[i])))
						}
					}
					c.SetWeights(w, binary)
					type results struct{ a, y, z, dx, dw, dres, dgamma, dbeta, dgammaC, dbetaC, dxC []float32 }
					run := func(fused, inPlace bool) results {
						g := results{y: make([]float32, len(dz)), z: make([]float32, len(dz)), dx: make([]float32, len(x)), dw: make([]float32, len(w)),
							dgamma: make([]float32, s.K), dbeta: make([]float32, s.K),
							dgammaC: make([]float32, s.C), dbetaC: make([]float32, s.C), dxC: make([]float32, len(x))}
						kept := func(x []float32) Values { // in memory
							if rounds && fused && x != nil {
								v := ws.Rounded(make([]float32, len(x)), len(x))
								v.Round(x)
								return v
							}
							return Values{floats: x, rounded: rounds && x != nil}
						}
						wide := func(v Values) []float32 { return v.Float32(make([]float32, v.Len())) }
						a, y, z, x, r, rC := kept(make([]float32, len(x))), kept(g.y), kept(g.z), kept(x), kept(r), kept(rC)
						dx, dxC, grad, shortcut := kept(g.dx), kept(g.dxC), kept(slices.Clone(dz)), kept(slices.Clone(shortcut))
						var dres Values
						for i := range before.back { // nothing left from another run
							before.back[i] = math.NaN()
						}
						if residual {
							dres = grad
						}
						before.reader = false
						switch {
						case fused && keepsInput:
							before.LeaveToReader()
							before.Forward(a, x, nil, gammaC, betaC, rC, true)
							c.ForwardNorm(y, x, before, after.Sums())
							g.a = wide(a)
						case fused:
							before.Forward(Values{}, x, nil, gammaC, betaC, Values{}, true)
							c.ForwardNorm(y, x, before, after.Sums())
							g.a = make([]float32, x.Len())
							before.Materialise(g.a, x)
						default:
							before.Forward(a, x, nil, gammaC, betaC, rC, true)
							c.ForwardNorm(y, a, nil, after.Sums())
							g.a = a.Float32(nil)
						}
						after.Forward(z, y, after.Sums(), gammaK, betaK, r, true)
						g.y, g.z = wide(y), wide(z)
						if fused && c.FusesBackward() {
							after.BackwardSums(dres, g.dgamma, g.dbeta, grad)
							in, input := Input{Norm: before, Before: before}, x
							if keepsInput {
								in, input = Input{Before: before, Shortcut: shortcut}, a
								if inPlace {
									dx = shortcut
								}
							}
							c.Backward(dx, g.dw, input, in, after)
						} else {
							dy := make([]float32, len(dz))
							after.Backward(Floats(dy), dres, g.dgamma, g.dbeta, grad)
							c.GradWeights(g.dw, g.a, dy)
							c.GradInput(dx, dy)
							if keepsInput {
								ws.Add(dx, shortcut)
							}
						}
						g.dres = wide(grad)
						var dresC Values
						if keepsInput {
							dresC = dx // where the ReLU lets the gradient through, in both: what Backward has already made of it
						}
						before.Backward(dxC, dresC, g.dgammaC, g.dbetaC, dx)
						if g.dx, g.dxC = wide(dx), wide(dxC); rounds && !fused { // a gradient that a convolution rounds
							roundAllGeneric(g.dxC, g.dxC)
						}
						return g
					}
					want := run(false, false)
					compare := func(got results) {
						t.Helper()
						for _, p := range []struct {
							what      string
							got, want []float32
						}{{"x normalised", got.a, want.a}, {"y", got.y, want.y}, {"z", got.z, want.z}, {"dx", got.dx, want.dx}, {"dw", got.dw, want.dw}, {"dresidual", got.dres, want.dres},
							{"dgamma", got.dgamma, want.dgamma}, {"dbeta", got.dbeta, want.dbeta},
							{"dgamma before", got.dgammaC, want.dgammaC}, {"dbeta before", got.dbetaC, want.dbetaC}, {"dx before", got.dxC, want.dxC}} {
							if !slices.Equal(p.got, p.want) {
								t.Errorf("%s differs", p.what)
							}
						}
					}
					compare(run(true, false))
					if keepsInput {
						compare(run(true, true))
					}
				})
			}
		}
	}
}
