package reports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tqn/cluster"
	"tqn/evidence"
	"tqn/nets"
	"tqn/referee"
	"tqn/runfolder"
)

// table1 makes the report of one column, VGG-9, with test errors in percent by
// method and seed on 10,000 test images; methods left out are missing.
func table1(t *testing.T, preset string, errors map[string][]float64) *Table1 {
	t.Helper()
	seeds := 1
	for _, e := range errors {
		seeds = max(seeds, len(e))
	}
	plan, err := cluster.NewPlan(preset, cluster.Choice{Columns: []string{"vgg9"}, Seeds: seeds})
	if err != nil {
		t.Fatal(err)
	}
	states := cluster.Collect(t.TempDir(), plan)
	for i := range states {
		s := &states[i]
		runs := errors[s.Method]
		if int(s.Seed) > len(runs) {
			continue
		}
		window := 3.0
		r := &nets.Result{Config: plan.Cells[i].Config, TestImages: 10000, TrainImages: 50000, TestError: runs[s.Seed-1], Kernel: "generic", DataTitle: "CIFAR-10", DataChecksum: "sha256:0"}
		for epoch := 1; epoch <= 4; epoch++ {
			x := float64(epoch)
			r.Epochs = append(r.Epochs, nets.Epoch{Epoch: epoch, TrainError: 40 / x, TestError: runs[s.Seed-1] * 4 / x,
				Layers: []nets.Probe{{Layer: "conv_1", Weights: 100, Changed: 5 * x, Window: &window}, {Layer: "linear_1", Weights: 300, Changed: 9 * x}}})
		}
		s.State, s.Result, s.TestError, s.Why = cluster.Finished, r, &r.TestError, ""
	}
	table := NewTable1(plan, states, Manifest{Command: "tqn table1", Preset: preset})
	table.Sentences, table.Against = referee.Section6(plan, states)
	return table
}

func TestTable1Order(t *testing.T) {
	for _, c := range []struct {
		name   string
		errors map[string][]float64
		order  referee.Word
		why    string
	}{
		{"as published", map[string][]float64{"adam": {8}, "bc": {10.4}, "big-sr": {17}, "sr": {23}, "r": {28}}, referee.Holds, "all ten"},
		{"big and small batch swapped", map[string][]float64{"adam": {8}, "bc": {10.4}, "big-sr": {23}, "sr": {17}, "r": {28}},
			referee.Violated, "violated: Big SR-ADAM < SR-ADAM"},
		{"SR and R too close", map[string][]float64{"adam": {8}, "bc": {10.4}, "big-sr": {17}, "sr": {23}, "r": {23.5}},
			referee.Undecided, "undecided: SR-ADAM < R-ADAM"},
		{"one missing", map[string][]float64{"adam": {8}, "bc": {10.4}, "big-sr": {17}, "sr": {23}},
			referee.Undecided, "not run: ADAM < R-ADAM, BC-ADAM < R-ADAM, Big SR-ADAM < R-ADAM, SR-ADAM < R-ADAM"},
		{"three seeds", map[string][]float64{"adam": {8, 8.2, 7.8}, "bc": {10.4, 10.8, 10.2}, "big-sr": {17, 17, 18}, "sr": {23, 24, 22}, "r": {28, 27, 29}},
			referee.Holds, "all ten"},
	} {
		table := table1(t, "paper", c.errors)
		if w, why := table.order(&table.columns[0]); w != c.order || !strings.Contains(why, c.why) {
			t.Errorf("%s: %v (%s), want %v (%s)", c.name, w, why, c.order, c.why)
		}
	}
}

// With seeds the interval is the mean of the runs', each with its share of the error.
func TestTable1Intervals(t *testing.T) {
	one := table1(t, "paper", map[string][]float64{"adam": {8}})
	lower, upper := evidence.ClopperPearson(800, 10000, table1Error)
	if got := one.columns[0].methods["adam"].result; got.Lower != lower || got.Upper != upper || got.Estimate != 0.08 {
		t.Errorf("[%g, %g] around %g, want [%g, %g] around 0.08", got.Lower, got.Upper, got.Estimate, lower, upper)
	}
	three := table1(t, "paper", map[string][]float64{"adam": {7, 8, 9}}).columns[0].methods["adam"]
	if lo, hi := three.spread(); lo != 7 || hi != 9 || three.mean < 7.999 || three.mean > 8.001 || three.result.Samples != 10000 {
		t.Errorf("%+v, spread %g to %g", three, lo, hi)
	}
	if three.result.Lower >= lower { // each seed has a third of the error: wider
		t.Errorf("three runs' interval starts at %g, one run's at %g", three.result.Lower, lower)
	}
}

func TestTable1Report(t *testing.T) {
	table := table1(t, "paper", map[string][]float64{"adam": {8}, "bc": {10.4, 10.6}, "big-sr": {24}, "sr": {20}})
	table.Manifest.OfReport = true
	dir := t.TempDir()
	for i, s := range table.States { // who trained them: two programs for one cell, not told for another
		manifest := map[string]string{"vgg9.adam.1": `{"commits":["abc"]}`, "vgg9.bc.1": `{"commits":["abc","def"]}`, "vgg9.sr.1": `{"kernel":"generic"}`}[s.ID]
		if manifest == "" {
			continue
		}
		if err := runfolder.WriteFile(filepath.Join(table.Plan.Cells[i].Dir(dir), "manifest.json"), []byte(manifest)); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Write(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		"VGG-9 on CIFAR-10",
		"8.00, 1 missing; paper 7.97",
		"10.50 (10.40 to 10.60, 2 seeds); paper 10.36",
		"missing; paper 23.99",
		"BC-ADAM < SR-ADAM): holds (10.50 against 20.00 %)", "Big SR-ADAM < SR-ADAM): violated (24.00 against 20.00 %)", "SR-ADAM < R-ADAM): not run",
		"| worse than the paper", "| agrees ", "5 runs are missing (vgg9.adam.2, vgg9.big-sr.2, vgg9.sr.2, vgg9.r.1, vgg9.r.2)",
		"## Missing runs", "vgg9.r.1", "not begun",
		"![Figure 6, VGG-9 on CIFAR-10](vgg9-figure6.png)", "vgg9-figure4.png", "vgg9-figure5.png", "vgg9-figure7.png",
		"- plan: " + table.Plan.Hash, "kernel of the runs: generic", "sha256:0", "- commit of the program that wrote this page: ",
		"- commit of vgg9.adam.1: abc\n", "- commit of vgg9.bc.1: abc, then def\n", "- commit of vgg9.bc.2, vgg9.big-sr.1 and vgg9.sr.1: not told by their folders",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for _, name := range []string{"vgg9-figure4.png", "vgg9-figure5.png", "vgg9-figure6.png", "vgg9-figure7.png"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	scaled := table1(t, "quick", map[string][]float64{"adam": {8}}).Markdown()
	for _, want := range []string{"(here: Fashion-MNIST, 10,000 images)", "data embedded for cifar10", "width x 0.25", "not comparable with the paper's"} {
		if !strings.Contains(scaled, want) {
			t.Errorf("the scaled report lacks %q", want)
		}
	}
	if !strings.Contains(scaled, "no error is comparable with its errors") {
		t.Error("a scaled column's number is compared with the paper's")
	}
	smoke := table1(t, "smoke", map[string][]float64{"adam": {8}, "bc": {80}, "big-sr": {17}, "sr": {23}, "r": {28}}).Markdown()
	for _, verdict := range []string{"violated", "| holds", "undecided", "agree", "Level,", "not yet better"} {
		if strings.Contains(smoke, verdict) {
			t.Errorf("smoke says %q of runs that are too small to judge", verdict)
		}
	}
	small, dir := table1(t, "smoke", map[string][]float64{"bc": {80}, "sr": {23}}), t.TempDir()
	if err := small.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "flips.png")); err == nil {
		t.Error("smoke draws a picture that judges Theorem 5")
	}
	if got := small.columns[0].images(); got != "320 images of Fashion-MNIST" {
		t.Errorf("smoke is trained on %s", got)
	}
	tf32 := table1(t, "paper", map[string][]float64{"adam": {8}})
	tf32.States[0].Result.Kernel = "pjrt cuda, NVIDIA H200, tf32 (xla_cuda_plugin.so)"
	if text := tf32.Markdown(); !strings.Contains(text, "products in tf32") || strings.Contains(text, "it is run as in Section 6") {
		t.Error("the precision of products is not said to differ from the paper's")
	}
}

// A report of runs on two cards says which run is of which; one of runs on a single card does not speak of it.
func TestTable1NamesTheCards(t *testing.T) {
	table := table1(t, "paper", map[string][]float64{"adam": {8}, "bc": {10}, "big-sr": {17}})
	if text := table.Markdown(); strings.Contains(text, "not all made by the same kernel") || !strings.Contains(text, "- kernel of the runs: generic\n") {
		t.Error("runs of one kernel are said to be of several")
	}
	for i := range table.States {
		if r := table.States[i].Result; r != nil {
			r.Kernel = "pjrt cuda, NVIDIA H200, tf32 (version 1)"
			if table.States[i].Method == "big-sr" {
				r.Kernel = "pjrt cuda, NVIDIA H100 80GB HBM3, tf32 (version 1)"
			}
		}
	}
	text := table.Markdown()
	for _, want := range []string{
		"vgg9.adam.1 and vgg9.bc.1 on pjrt cuda, NVIDIA H200, tf32; vgg9.big-sr.1 on pjrt cuda, NVIDIA H100 80GB HBM3, tf32. ",
		"- kernel of vgg9.adam.1 and vgg9.bc.1: pjrt cuda, NVIDIA H200, tf32 (version 1)\n",
		"- kernel of vgg9.big-sr.1: pjrt cuda, NVIDIA H100 80GB HBM3, tf32 (version 1)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// The runs that are plotted: means over seeds; shares of convolutions only; gaps where no probe was made.
func TestTable1MeanOfSeeds(t *testing.T) {
	e := table1(t, "paper", map[string][]float64{"sr": {20, 24}}).columns[0].methods["sr"]
	for _, r := range e.runs {
		r.Epochs[0].Layers[0].Window = nil
	}
	e.runs[1].Epochs[3].Layers[0].Changed = 30 // 20 in the other run
	mean := e.meanRun().Epochs
	if len(mean) != 4 || mean[3].TestError != 22 || mean[0].TestError != 88 {
		t.Errorf("%+v", mean)
	}
	if v, ok := mean[3].OverConv(changedOf); !ok || v != 25 {
		t.Errorf("changed %g: want the mean of 20 and 30, without linear layers", v)
	}
	if _, ok := mean[0].OverConv(nets.Probe.InWindow); ok {
		t.Error("an epoch without the probe has a window")
	}
	if v, ok := mean[1].OverConv(nets.Probe.InWindow); !ok || v != 3 {
		t.Errorf("window %g", v)
	}
	if r := e.runs[0].Epochs[3]; r.TestError != 20 || r.Layers[0].Changed != 20 || *r.Layers[0].Window != 3 {
		t.Errorf("the mean has changed a run: %+v", r)
	}
}
