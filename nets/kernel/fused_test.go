package kernel

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestFusedIsUnfused: ForwardNorm and Backward give the bits of the separate calls: with and without residuals behind the convolution and before it; with the input itself kept or
// not, and then with a shortcut around the convolution, whose gradient is apart from the input's or becomes it where it lies. With activations that are rounded
// the separate calls keep them as float32, by definition, and the others in two bytes.
func TestFusedIsUnfused(t *testing.T) {
	names := Implementations()
	for _, name := range names {
		names = append(names, name+" at bf16", name+" at bf16, rounded")
	}
	for _, name := range names {
		for _, s := range []ConvShape{
			{N: 5, H: 8, W: 8, C: 16, K: 32, Side: 3, Stride: 1},
			{N: 3, H: 16, W: 16, C: 32, K: 32, Side: 3, Stride: 1},
			{N: 3, H: 9, W: 12, C: 16, K: 16, Side: 3, Stride: 2},
			{N: 2, H: 7, W: 5, C: 3, K: 5, Side: 3, Stride: 1},
			{N: 5, H: 8, W: 6, C: 8, K: 8, Side: 3, Stride: 1},
			{N: 5, H: 4, W: 16, C: 8, K: 8, Side: 3, Stride: 1},
			{N: 3, H: 6, W: 10, C: 1, K: 8, Side: 3, Stride: 1},
			{N: 9, H: 8, W: 8, C: 128, K: 256, Side: 3, Stride: 1},
			{N: 5, H: 3, W: 4, C: 40, K: 64, Side: 3, Stride: 2}, // few pixels
		} {
			for _, which := range [][3]bool{{false, false, false}, {true, false, false}, {false, true, false}, {false, false, true}, {true, true, true}} {
				residual, binary, keepsInput := which[0], which[1], which[2]
				t.Run(fmt.Sprintf("%s/%+v/residual=%v/binary=%v/kept=%v", name, s, residual, binary, keepsInput), func(t *testing.T) {
					implementation, how, bf16 := strings.Cut(name, " at bf16")
					rounds := how != ""
					ws := newWorkers(t, 3, implementation)
					if bf16 {
						ws.SetPrecision(BF16)
					}
					if rounds && !ws.keepsHalves() {
						t.Skip("no activations in two bytes")
					}
					c := NewConv(ws, s)
					if !c.FusesForward() {
						t.Skip(name + " does not fuse")
					}
					k := newFusedCase(c, rounds, residual, binary, keepsInput)
					want := k.run(false, false)
					if wrong := k.run(true, false).differs(want); wrong != nil {
						t.Errorf("%q differ", wrong)
					}
					if !keepsInput {
						return
					}
					if wrong := k.run(true, true).differs(want); wrong != nil {
						t.Errorf("in place: %q differ", wrong)
					}
					// As in front of a subsampling by 2 that doubles the channels.
					rows, columns := (s.H+1)/2, (s.W+1)/2
					k.grid = Grid{Rows: rows, Columns: columns, ToRow: 2 * s.W * s.C, FromRow: columns * 2 * s.C, ToStep: 2 * s.C, FromStep: 2 * s.C, N: s.C}
					k.shortcut = k.shortcut[:s.N*rows*k.grid.FromRow]
					subsampled := k.run(false, false)
					if wrong := k.run(true, false).differs(subsampled); wrong != nil {
						t.Errorf("subsampled: %q differ", wrong)
					}
					if subsampled.differs(want) == nil {
						t.Error("subsampled: no difference from a whole shortcut")
					}
				})
			}
		}
	}
}

// fusedCase is a convolution between two batch norms, with what they read.
type fusedCase struct {
	*Conv
	rounds, residual, keepsInput bool
	before, after                *BatchNorm
	x, w, dz                     []float32
	gammaC, betaC, gammaK, betaK []float32
	r, rC, shortcut              []float32 // residuals behind and before the convolution, and the gradient of a shortcut around it
	grid                         Grid      // unless zero, where that is added
}

func newFusedCase(c *Conv, rounds, residual, binary, keepsInput bool) *fusedCase {
	values := func(seed uint64, n int) []float32 {
		x := make([]float32, n)
		noise(seed, x)
		if rounds {
			roundAllGeneric(x, x)
		}
		return x
	}
	s, ws := c.ConvShape, c.ws
	ph, pw := s.Out()
	k := &fusedCase{Conv: c, rounds: rounds, residual: residual, keepsInput: keepsInput,
		before: NewBatchNorm(ws, s.N, s.H*s.W, s.C, 1e-5), after: NewBatchNorm(ws, s.N, ph*pw, s.K, 1e-5),
		x: values(1, s.N*s.Inputs()), w: values(2, s.Weights()), dz: values(3, s.N*s.Outputs()),
		gammaC: values(4, s.C), betaC: values(5, s.C), gammaK: values(6, s.K), betaK: values(7, s.K)}
	if keepsInput {
		k.shortcut = values(10, s.N*s.Inputs())
	}
	if residual {
		k.r = values(8, s.N*s.Outputs())
	}
	if keepsInput && residual {
		k.rC = values(9, s.N*s.Inputs())
	}
	if binary {
		for i := range k.w {
			k.w[i] = float32(math.Copysign(1, float64(k.w[i])))
		}
	}
	c.SetWeights(k.w, binary)
	return k
}

type fusedResults struct{ a, y, z, dx, dw, dres, dgamma, dbeta, dgammaC, dbetaC, dxC []float32 }

// differs lists the results that are not the same.
func (got fusedResults) differs(want fusedResults) (names []string) {
	for _, p := range []struct {
		what      string
		got, want []float32
	}{{"x normalised", got.a, want.a}, {"y", got.y, want.y}, {"z", got.z, want.z}, {"dx", got.dx, want.dx}, {"dw", got.dw, want.dw}, {"dresidual", got.dres, want.dres},
		{"dgamma", got.dgamma, want.dgamma}, {"dbeta", got.dbeta, want.dbeta},
		{"dgamma before", got.dgammaC, want.dgammaC}, {"dbeta before", got.dbetaC, want.dbetaC}, {"dx before", got.dxC, want.dxC}} {
		if !slices.Equal(p.got, p.want) {
			names = append(names, p.what)
		}
	}
	return names
}

// run goes forward and backward, by ForwardNorm and Backward or by the separate calls.
func (k *fusedCase) run(fused, inPlace bool) fusedResults {
	g := fusedResults{y: make([]float32, len(k.dz)), z: make([]float32, len(k.dz)), dx: make([]float32, len(k.x)), dw: make([]float32, len(k.w)),
		dgamma: make([]float32, k.K), dbeta: make([]float32, k.K),
		dgammaC: make([]float32, k.C), dbetaC: make([]float32, k.C), dxC: make([]float32, len(k.x))}
	kept := func(x []float32) Values { // in memory
		if k.rounds && fused && x != nil {
			v := k.ws.Rounded(make([]float32, len(x)), len(x))
			v.Round(x)
			return v
		}
		return Values{floats: x, rounded: k.rounds && x != nil}
	}
	wide := func(v Values) []float32 { return v.Float32(make([]float32, v.Len())) }
	a, y, z, x, r, rC := kept(make([]float32, len(k.x))), kept(g.y), kept(g.z), kept(k.x), kept(k.r), kept(k.rC)
	dx, dxC, grad, shortcut := kept(g.dx), kept(g.dxC), kept(slices.Clone(k.dz)), kept(slices.Clone(k.shortcut))
	var dres Values
	for i := range k.before.back { // nothing left from another run
		k.before.back[i] = math.NaN()
	}
	if k.residual {
		dres = grad
	}
	k.before.reader = false
	switch {
	case fused && k.keepsInput:
		k.before.LeaveToReader()
		k.before.Forward(a, x, nil, k.gammaC, k.betaC, rC, true)
		k.ForwardNorm(y, x, k.before, k.after.Sums())
		g.a = wide(a)
	case fused:
		k.before.Forward(Values{}, x, nil, k.gammaC, k.betaC, Values{}, true)
		k.ForwardNorm(y, x, k.before, k.after.Sums())
		g.a = make([]float32, x.Len())
		k.before.Materialise(g.a, x)
	default:
		k.before.Forward(a, x, nil, k.gammaC, k.betaC, rC, true)
		k.ForwardNorm(y, a, nil, k.after.Sums())
		g.a = a.Float32(nil)
	}
	k.after.Forward(z, y, k.after.Sums(), k.gammaK, k.betaK, r, true)
	g.y, g.z = wide(y), wide(z)
	if fused && k.FusesBackward() {
		k.after.BackwardSums(dres, g.dgamma, g.dbeta, grad)
		in, input := Input{Norm: k.before, Before: k.before}, x
		if k.keepsInput {
			in, input = Input{Before: k.before, Shortcut: shortcut, Grid: k.grid}, a
			if inPlace {
				dx = shortcut
			}
		}
		k.Backward(dx, g.dw, input, in, k.after)
	} else {
		dy := make([]float32, len(k.dz))
		k.after.Backward(Floats(dy), dres, g.dgamma, g.dbeta, grad)
		k.GradWeights(g.dw, g.a, dy)
		k.GradInput(dx, dy)
		switch each, eachS := k.Inputs(), shortcut.Len()/k.N; {
		case k.grid != (Grid{}):
			for img := range k.N {
				k.ws.AddGrid(dx.Of(img*each, (img+1)*each), shortcut.Of(img*eachS, (img+1)*eachS), k.grid)
			}
		case k.keepsInput:
			k.ws.Add(dx, shortcut)
		}
	}
	g.dres = wide(grad)
	var dresC Values
	if k.rC != nil {
		dresC = dx // where the ReLU lets the gradient through, in both: what Backward has already made of it
	}
	k.before.Backward(dxC, dresC, g.dgammaC, g.dbetaC, dx)
	if g.dx, g.dxC = wide(dx), wide(dxC); k.rounds && !fused { // a gradient that a convolution k.rounds
		roundAllGeneric(g.dxC, g.dxC)
	}
	return g
}
