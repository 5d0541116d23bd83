package convex

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// Problems whose parameters no function has are the caller's mistake.
func TestProgrammerErrorsPanic(t *testing.T) {
	nan, at := math.NaN(), []float64{0}
	for want, tries := range map[string][]func(){
		"NewCone": {
			func() { NewCone(1, 3, 1, 1) }, func() { NewCone(2, -1, 1, 1) }, func() { NewCone(2, 2, 1, 1) }, func() { NewCone(2, 3, 0, 1) }, func() { NewCone(2, 3, 1, nan) },
		},
		"NewLinear":    {func() { NewLinear(0, 1, 0, 1, 0) }},
		"NewQuadratic": {func() { NewQuadratic(-1, 1, []float64{0}, at, 0) }, func() { NewQuadratic(-1, 1, []float64{nan}, at, 0) }},
		"NewHalfCubic": {func() { NewHalfCubic(-1, 1, 0, 1, at, 0) }, func() { NewHalfCubic(-1, 1, 1, -1, at, 0) }},
		"NewKinked": {
			func() { NewKinked(-1, 1, -1, 1, 0, at, 0) }, func() { NewKinked(-1, 1, 2, 1, 0, at, 0) }, func() { NewKinked(-1, 1, 0, 0, 0, at, 0) }, func() { NewKinked(-1, 1, 0, 1, -1, at, 0) },
		},
		"NewHuber": {
			func() { NewHuber(-1, 1, 0, 1, 0, at, 0) }, func() { NewHuber(-1, 1, 1, 0, 0, at, 0) }, func() { NewHuber(-1, 1, 1, 1, -1, at, 0) },
		},
		"one centre per coordinate": {
			func() { NewQuadratic(-1, 1, nil, nil, 0) }, func() { NewQuadratic(-1, 1, []float64{1, 1}, at, 0) }, func() { NewQuadratic(1, 1, []float64{1}, at, 0) }, func() { NewQuadratic(-1, 1, []float64{1}, at, -1) },
		},
		"MirrorRun: the problem has gradient noise": {func() {
			MirrorRun(instance(t, NewQuadratic(-1, 1, []float64{1}, at, 0.5), 1, Strong(1), 3))
		}},
		"made without track": {func() {
			l, _ := NewLaw(instance(t, NewQuadratic(-1, 1, []float64{1}, at, 0), 1, Strong(1), 3), false)
			l.AverageGap()
		}},
	} {
		for i, f := range tries {
			func() {
				defer func() {
					if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
						t.Errorf("%s, %d: %v, want a panic that says so", want, i, r)
					}
				}()
				f()
			}()
		}
	}
}

// What has no exact law, no instance or no staircase is an error that says why.
func TestSizesAreChecked(t *testing.T) {
	line := NewQuadratic(-1, 1, []float64{1}, []float64{0}, 0)
	four := NewQuadratic(-1, 1, []float64{1, 1, 1, 1}, make([]float64, 4), 0)
	plane := NewQuadratic(-1, 1, []float64{1, 1}, make([]float64, 2), 0)
	off := instance(t, line, 1, Strong(1), 3)
	off.Start = []float64{0.3}
	law := func(in Instance, track bool) error { _, err := NewLaw(in, track); return err }
	average := func(in Instance) error { _, err := AverageLaw(in); return err }
	steps := func(p Problem, s Schedule, T int) error { _, err := NewInstance(p, 1, nil, s, T); return err }
	stairs := func(T int, k, side, slack, own float64) error {
		_, err := NewStaircase(T, k, side, slack, own)
		return err
	}
	for i, c := range []struct {
		err  error
		want string
	}{
		{law(instance(t, four, 1, Strong(1), 3), false), "want d <= 3"},
		{law(instance(t, plane, 0x1p-12, Strong(1), 3), false), "8193 points per coordinate"},
		{law(off, false), "coordinate 0 is 0.3, not a grid point"},
		{law(instance(t, NewHuber(-1, 1, 1, 1, 0, []float64{0}, 0), 1, Root(1), 3), true), "constant Hessian"},
		{average(instance(t, plane, 1, Strong(1), 3)), "needs d = 1"},
		{average(instance(t, line, 0.5, Strong(1), 80_001)), "T = 80001"},
		{steps(line, Root(0), 3), "c > 0"},
		{steps(line, Strong(1), 0), "T = 0"},
		{stairs(7, 1.15, 0.2, 0.02, 0), "T >= 8"},
		{stairs(128, 1.15, 0, 0.02, 0), "width 0"},
		{stairs(128, 1.15, 0.5, 0.02, 0), "width 0.5"},
		{stairs(128, 1.15, 0.2, 0.02, 0.5), "u = 0.5"},
		{stairs(128, 1.15, 0.2, 0.02, -0.1), "u = -0.1"},
		{stairs(8, 1.15, 0.2, 0.02, 0), "convex: staircase"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%d: %v, want an error with %q", i, c.err, c.want)
		}
	}
}
