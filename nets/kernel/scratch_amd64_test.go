//go:build !purego

package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// TestPassesReserveWhatTheyTake: each pass of the AVX kernels has made room for what it takes of scratch, where no other operation has made more. Planted: a line less than what those
// reserve that reserve exactly that.
func TestPassesReserveWhatTheyTake(t *testing.T) {
	type pass struct {
		run   func()
		exact bool
	}
	takes := func(run func()) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v", r)
			}
		}()
		run()
		return nil
	}
	for _, s := range testShapes() {
		if s.N*s.MultAdds() > 1<<24 {
			continue
		}
		dw, dy := make([]float32, s.Weights()), make([]float32, s.N*s.Outputs())
		kept := func(ws *Workers, n int) Values { return ws.Rounded(make([]float32, ws.RoundedSize(n)), n) }
		passes := map[string]func(ws *Workers) pass{
			"y": func(ws *Workers) pass {
				forw, _ := s.passes()
				p := newDirectPass(ws, forw, newPassTile(ws.impl, &forw))
				return pass{func() { p.run(kept(ws, len(dy)), kept(ws, s.N*s.Inputs()), s.N, nil) }, true}
			},
			"dw": func(ws *Workers) pass {
				g := newDirectGrad(ws, s, newGradWay(ws.impl, s))
				return pass{func() { g.run(dw, kept(ws, s.N*s.Inputs()), dy, s.N) }, !g.few}
			},
		}
		if winogradFits(s) {
			passes["y by Winograd's algorithm"] = func(ws *Workers) pass {
				p := newWinogradPass(ws, s, s.C, s.K)
				p.packed = make([]float32, winogradTile*p.apart)
				return pass{func() { p.run(kept(ws, len(dy)), kept(ws, s.N*s.Inputs()), s.N, nil, nil) }, false}
			}
			passes["dw by Winograd's algorithm"] = func(ws *Workers) pass {
				back := newWinogradPass(ws, s, s.K, s.C)
				ws.scratch[0], ws.shared = nil, nil
				g := newWinogradGrad(ws, s, back)
				g.dy = dy
				return pass{func() { g.run(dw, kept(ws, s.N*s.Inputs()), s.N) }, false}
			}
		}
		for _, name := range []string{"avx2", "avx512"} {
			if !slices.Contains(Implementations(), name) {
				continue
			}
			for _, precision := range []Precision{F32, BF16} {
				for what, build := range passes {
					ws := newWorkers(t, 1, name)
					ws.SetPrecision(precision)
					p := build(ws)
					if err := takes(p.run); err != nil {
						t.Errorf("%s, precision %v, %+v: %s: %v", name, precision, s, what, err)
					}
					if ws.scratch[0] = ws.scratch[0][:len(ws.scratch[0])-64]; p.exact && takes(p.run) == nil {
						t.Errorf("%s, precision %v, %+v: %s: a line is missing, and nobody notices", name, precision, s, what)
					}
				}
			}
		}
	}
}
