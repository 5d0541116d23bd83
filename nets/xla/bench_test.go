package xla

import (
	"fmt"
	"testing"

	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/quantize"
)

// BenchmarkBlock is a training step with augmentation, SR and Adam, on the device's data set.
func BenchmarkBlock(b *testing.B) {
	for _, width := range []float64{0.25} {
		for _, precision := range []Precision{F32} {
			b.Run(fmt.Sprintf("net=vgg9/width=%g/batch=128/precision=%s", width, precision), func(b *testing.B) {
				c := need(b)
				set, err := dataset.Open("embedded", dataset.Options{})
				if err != nil {
					b.Fatal(err)
				}
				m := model(b, network.Spec{Net: "vgg9", Input: network.Shape{H: 32, W: 32, C: 1}, Classes: 10, Width: width})
				h := hyper(128, quantize.SR)
				e, err := New(c, c.Devices[:1], m, h, precision)
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				network.Initialise(e, h.Rule, 1)
				if err := e.LoadSet(set, 1, set.Augment); err != nil {
					b.Fatal(err)
				}
				if err := e.Block(0, 0, 1, 0.01, 1, new(network.Loss)); err != nil { // compiles
					b.Fatal(err)
				}
				step := uint64(1)
				for b.Loop() {
					step++
					if err := e.Block(0, 0, 1, 0.01, step, new(network.Loss)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(h.Batch)*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
