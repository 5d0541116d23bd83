//go:build amd64 && !purego

package kernel

import (
	"slices"
	"testing"
)

// TestGroupedIsAlone: images that share their weights have the same bits as each by itself, in whole groups and in the last one, and a group whose images read each other's pixels is found.
func TestGroupedIsAlone(t *testing.T) {
	if !slices.Contains(Implementations(), "amx") {
		t.Skip("no tile multiplier")
	}
	ws, err := NewWorkers(2, "amx")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	ws.SetPrecision(BF16)
	const images = 6
	s := ConvShape{N: images, H: 8, W: 4, C: 512, K: 256, Side: 3, Stride: 1}
	p := newAMXConv(ws, s).forw
	if p.group != mostGrouped {
		t.Fatalf("groups of %d images: want %d", p.group, mostGrouped)
	}
	w, x := make([]float32, s.Weights()), make([]float32, images*s.Inputs())
	noise(1, w)
	noise(2, x)
	p.pack(w, false, false)
	y, one := make([]float32, images*s.Outputs()), make([]float32, images*s.Outputs())
	p.run(Floats(y), Floats(x), images, nil)
	for i := range images {
		p.run(Floats(one[i*s.Outputs():][:s.Outputs()]), Floats(x[i*s.Inputs():][:s.Inputs()]), 1, nil)
	}
	if !slices.Equal(y, one) {
		t.Error("other bits in groups")
	}
	for i := len(p.tiles) / p.group; i < len(p.tiles); i += 2 {
		p.tiles[i] -= p.planes * p.planeBytes
	}
	if p.run(Floats(y), Floats(x), images, nil); slices.Equal(y, one) {
		t.Error("images that read the pixels of the one before: not found")
	}
}
