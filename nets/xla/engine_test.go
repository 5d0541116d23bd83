package xla

import (
	"errors"
	"os"
	"sync"
	"testing"

	"tqn/nets"
	"tqn/pjrt"
	"tqn/quantize"
)

var client = sync.OnceValues(func() (*pjrt.Client, error) {
	path, err := pjrt.Find("")
	if err != nil {
		return nil, err
	}
	p, err := pjrt.Open(path)
	if err != nil {
		return nil, err
	}
	return p.NewClient(nil)
})

// need skips the test where no plug-in is installed, unless TQN_REQUIRE_PJRT is set.
func need(t testing.TB) *pjrt.Client {
	t.Helper()
	c, err := client()
	if errors.Is(err, pjrt.ErrNoPlugin) && os.Getenv("TQN_REQUIRE_PJRT") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFirst(t *testing.T) {
	c := need(t)
	m, err := nets.NewModel(nets.Spec{Net: "vgg9", Input: nets.Shape{H: 16, W: 16, C: 3}, Classes: 10, Width: 0.125})
	if err != nil {
		t.Fatal(err)
	}
	h := nets.Hyper{Batch: 8, Rule: quantize.SR, Noise: quantize.NewNoise(1), NormMomentum: 0.1, NormEpsilon: 1e-5, UnbiasedState: true}
	e, err := New(c, c.Devices[0], m, h, F32)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ref := nets.NewReference(m, h)
	nets.Initialise(ref, h.Rule, 1)
	nets.Initialise(e, h.Rule, 1)
	x := make([]float32, 8*m.Input.Len())
	d := quantize.NewNoise(5).At(1, 1)
	for i := range x {
		x[i] = float32(d.Normal(i))
	}
	labels := []int32{0, 1, 2, 3, 4, 5, 6, 7}
	for s := range 3 {
		a, err := e.Step(x, labels, 0.01, uint64(s+1))
		b, err2 := ref.Step(x, labels, 0.01, uint64(s+1))
		t.Log(a, err, b, err2)
	}
	a, err := e.Evaluate(x[:3*m.Input.Len()], labels[:3])
	b, err2 := ref.Evaluate(x[:3*m.Input.Len()], labels[:3])
	t.Log(a, err, b, err2)
}
