package toy

import (
	"encoding/json"
	"testing"
)

func TestRunExplore(t *testing.T) {
	r := must(Run(Default))
	for _, f := range r.Figure2 {
		t.Logf("%s %g TV=%.4f chi=%.1f/%d p=%.3f ref=%.2g cells=%d H=%.3f G=%.3f", f.Rule, f.Alpha, f.TV, f.ChiSquare, f.Freedom, f.PValue, f.Refinement, f.Cells, f.Entropy, f.GlobalMass)
	}
	for _, c := range r.Contrast {
		t.Logf("%+v", c)
	}
	for _, c := range r.Batch {
		t.Logf("%d %.3f %.4f %.4f", c.Batch, c.Entropy, c.GlobalMass, c.Excess)
	}
	t.Logf("%+v", r.Sensitivity)
	t.Logf("%+v", r.Mixing)
	t.Logf("%+v", r.Figure1)
	_, err := json.Marshal(r)
	t.Log(err)
}
