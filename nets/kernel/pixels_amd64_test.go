//go:build !purego

package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestPixels: copied and added pixels are the definition's, values between and behind them and denormals included; a pixel or eight values left out are seen.
func TestPixels(t *testing.T) {
	if !available(avx2) {
		t.Skip("no avx2")
	}
	sets := func(to, from []float32, toStep, fromStep, n int, add bool) {
		for q := range (len(to) + toStep - 1) / toStep {
			for i := range n {
				v := from[q*fromStep+i]
				if add {
					v += to[q*toStep+i]
				}
				to[q*toStep+i] = v
			}
		}
	}
	for _, s := range []struct{ n, toStep, fromStep, pixels int }{{8, 8, 16, 5}, {8, 16, 8, 1}, {16, 32, 32, 7}, {24, 24, 25, 3}, {72, 80, 72, 4}, {5, 8, 6, 3}, {8, 8, 8, 0}} {
		for _, add := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v/add=%v", s, add), func(t *testing.T) {
				from, to := make([]float32, s.pixels*s.fromStep+s.n), make([]float32, max(0, (s.pixels-1)*s.toStep+s.n))
				noise(1, from)
				noise(2, to)
				for i := range from {
					from[i] *= []float32{1, 0x1p-140, 0x1p-126}[i%3]
				}
				want, got, spoilt := slices.Clone(to), slices.Clone(to), slices.Clone(to)
				sets(want, from, s.toStep, s.fromStep, s.n, add)
				if add {
					AddPixels(got, from, s.toStep, s.fromStep, s.n)
				} else {
					CopyPixels(got, from, s.toStep, s.fromStep, s.n)
				}
				same := func(a, b []float32) bool {
					return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
				}
				if !same(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				if s.n > 8 {
					vectorPixels(spoilt, from, s.toStep, s.fromStep, s.n-8, add)
					if same(spoilt, want) {
						t.Error("eight values are left out and nobody notices")
					}
				}
				if s.pixels > 1 && s.n%8 == 0 {
					copy(spoilt, to)
					vectorPixels(spoilt[:(s.pixels-2)*s.toStep+s.n], from, s.toStep, s.fromStep, s.n, add)
					if same(spoilt, want) {
						t.Error("a pixel is left out and nobody notices")
					}
				}
			})
		}
	}
}
