package network

import (
	"slices"
	"strings"
	"testing"

	"tqn/nets/kernel"
	"tqn/quantize"
)

// The plan of every model in every implementation: each buffer is written once, before it is read; what is not written is
// computed by its only reader; every layer of the model is performed by exactly one stage; and the engine allocates what the plan says.
func TestPlansAreConsistent(t *testing.T) {
	for _, implementation := range kernel.Implementations() {
		ws, err := kernel.NewWorkers(1, implementation)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		for name, m := range small(t) {
			p, err := PlanCPU(m, 3, ws, 1e-5)
			if err != nil {
				t.Fatal(err)
			}
			if bad := inconsistencies(p, m); len(bad) > 0 {
				t.Errorf("%s %s: %s", implementation, name, strings.Join(bad, "; "))
			}
			// The plain kernels fuse nothing; those that split their inputs into tiles gain by it.
			if fused := slices.ContainsFunc(p.Stages, func(s Stage) bool { return s.BackwardOf != "" }); implementation == "generic" && fused || implementation == "amx" && !fused {
				t.Errorf("%s %s: a convolution finishes the backward pass of its batch norm: %v", implementation, name, fused)
			}
		}
	}
}

// Planted defects: plans that read what is not there or do a layer twice.
func TestPlanCheckSeesDefects(t *testing.T) {
	ws, err := kernel.NewWorkers(1, "")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	m := small(t)["vgg9"]
	for name, change := range map[string]func(*Plan){
		"an unwritten buffer is read": func(p *Plan) { p.Stages[0].Out = Nothing },
		"two write one buffer":        func(p *Plan) { p.Stages[len(p.Stages)-1].Out = p.Stages[0].Out },
		"a stage is missing":          func(p *Plan) { p.Stages = p.Stages[:len(p.Stages)-1] },
		"a layer is performed twice":  func(p *Plan) { p.Stages = append(p.Stages, p.Stages[0]) },
		"a freed buffer is read":      func(p *Plan) { p.Buffers[p.Stages[0].Out].Unused = true },
	} {
		p, err := PlanCPU(m, 3, ws, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		change(p)
		if len(inconsistencies(p, m)) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
}

func inconsistencies(p *Plan, m Model) (bad []string) {
	written := map[int]bool{TheBatch: true}
	performed := map[string]int{}
	for _, s := range p.Stages {
		for _, b := range []int{s.In, s.Residual} {
			if b != Nothing && (!written[b] || b >= 0 && p.Buffers[b].Unused) {
				bad = append(bad, s.Layer+" reads "+BufferName(b)+", which nobody has written")
			}
		}
		if s.Out != Nothing && (written[s.Out] || p.Buffers[s.Out].Unused) {
			bad = append(bad, s.Layer+" writes "+BufferName(s.Out)+" again")
		}
		written[s.Out] = true
		names := []string{s.Layer, s.ReLU, s.Sum, s.Pool}
		if s.Kind == Join || s.Kind == Swap {
			names = nil // nothing in the forward pass
		}
		for _, name := range names {
			if name != "" {
				performed[name]++
			}
		}
		if (s.Kind == BatchNorm && s.Out == Nothing) != (s.NormalisedBy != "") {
			bad = append(bad, s.Layer+" writes nothing and nobody computes it")
		}
	}
	m.Each(func(l Layer) {
		if performed[l.Name] != 1 {
			bad = append(bad, l.Name+" is not performed once")
		}
	})
	return bad
}

// avx2 and avx512 leave the same bits after some steps, as docs/design.md says; the generic kernels leave others, so that the comparison sees
// a difference.
func TestVectorKernelsRoundAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("several seconds: TestThreadsDoNotMatter has the same workers")
	}
	has := kernel.Implementations()
	if !slices.Contains(has, "avx512") {
		t.Skip("no avx512 here")
	}
	models := small(t)
	models["vgg9 of 16x16"] = mustModel(t, Spec{Net: "vgg9", Input: Shape{16, 16, 3}, Classes: 10, Width: 0.5, Depth: 0.5})
	for name, m := range models {
		for _, rule := range rules {
			states := map[string]string{}
			for _, implementation := range []string{"generic", "avx2", "avx512"} {
				c := newCPU(t, m, hyper(6, rule), 2, implementation)
				Initialise(c, rule, 1)
				for step := uint64(1); step <= 2; step++ {
					x, labels := randomBatch(m, 6, step)
					if _, err := c.Step(x, labels, 0.01, step); err != nil {
						t.Fatal(err)
					}
				}
				states[implementation] = stateHash(c)
			}
			if states["avx2"] != states["avx512"] {
				t.Errorf("%s %v: avx2 and avx512 leave different bits", name, rule)
			}
			if states["generic"] == states["avx2"] && rule == quantize.Float {
				t.Errorf("%s: generic leaves avx2's bits: the comparison is empty", name)
			}
		}
	}
}
