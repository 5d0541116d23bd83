package pjrt

import (
	"maps"
	"math"
	"strings"
	"testing"
)

// TestMemoryOptions: a CUDA plug-in is told what it may take, whatever the user said; others are told nothing, and refuse a user's wish.
func TestMemoryOptions(t *testing.T) {
	cuda, cpu := &Plugin{Path: "/site/jax_plugins/xla_cuda13/xla_cuda_plugin.so"}, &Plugin{Path: "/cuda/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"}
	for _, c := range []struct {
		memory Memory
		want   map[string]any
	}{
		{Memory{}, map[string]any{"preallocate": false, "memory_fraction": float32(0.75)}},
		{Memory{Fraction: 0.25}, map[string]any{"preallocate": false, "memory_fraction": float32(0.25)}},
		{Memory{Fraction: 1, Preallocate: true}, map[string]any{"preallocate": true, "memory_fraction": float32(1)}},
		{Memory{Preallocate: true}, map[string]any{"preallocate": true, "memory_fraction": float32(0.75)}},
		{Memory{Clients: 3}, map[string]any{"preallocate": false, "memory_fraction": float32(0.25)}},
	} {
		if got, err := c.memory.Options(cuda); err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%+v for CUDA: %v, %v; want %v", c.memory, got, err, c.want)
		}
		got, err := c.memory.Options(cpu)
		if got != nil || (err == nil) != (c.memory.Fraction == 0 && !c.memory.Preallocate) {
			t.Errorf("%+v for a CPU: %v, %v", c.memory, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "only CUDA plug-ins") {
			t.Error(err)
		}
	}
	for _, bad := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
		if got, err := (Memory{Fraction: bad}).Options(cuda); err == nil {
			t.Errorf("a fraction of %v gave %v", bad, got)
		}
	}
}
