package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func chainCommand(t *testing.T, file, flags string) (code int, stdout, stderr string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "chain.csv")
	if err := os.WriteFile(name, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"chain", name}, strings.Fields(flags)...), &out, &errs)
	return code, out.String(), strings.ReplaceAll(errs.String(), name, "FILE")
}

// The keys of docs/design.md and nothing else; a chain that every solver based on
// subtraction gets wrong. Its distance after n steps is (2/3)(1-3e alpha)^n from state 2,
// so M = log(8/3)/1.5e-17.
func TestChainJSON(t *testing.T) {
	code, out, _ := chainCommand(t, "0,1,0.5\n1,0,0.5\n0,2,1e-17\n1,2,1e-17\n2,0,1e-17\n2,1,1e-17\n", "--format rates --alpha 0.5 --json")
	const want = `{
  "states": 3,
  "stationary": [
    0.3333333333333333,
    0.3333333333333333,
    0.3333333333333333
  ],
  "gap": 1.5000000000000003e-17,
  "relaxation_time": 66666666666666660,
  "mixing_time": 65388616867448416,
  "mixing_time_scaled": 32694308433724208,
  "reversible": true,
  "kemeny": 66666666666666660,
  "irreducible": true,
  "aperiodic": true,
  "conductance": 1e-17,
  "conductance_exact": true,
  "absorption": null,
  "absorption_error_bound": null
}
`
	var got, expected map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitExpected {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	for key, w := range expected {
		g, ok := got[key]
		if !ok {
			t.Errorf("no %q in %s", key, out)
			continue
		}
		if f, number := w.(float64); number {
			if v, _ := g.(float64); v < f*(1-1e-9) || v > f*(1+1e-9) {
				t.Errorf("%s = %v, want %v", key, g, w)
			}
		} else if key != "stationary" && g != w {
			t.Errorf("%s = %v, want %v", key, g, w)
		}
	}
	var also struct {
		ErrorBound float64 `json:"error_bound"`
		GapError   float64 `json:"gap_error"`
		Notes      []string
		Classes    []struct {
			States     []int
			Closed     bool
			Period     int
			Law        []float64
			ErrorBound float64 `json:"error_bound"`
		}
	}
	if err := json.Unmarshal([]byte(out), &also); err != nil {
		t.Fatal(err)
	}
	if !(also.ErrorBound > 0 && also.ErrorBound < 1e-14) || !(also.GapError > 0 && also.GapError < 1e-28) {
		t.Errorf("error bounds %g and %g", also.ErrorBound, also.GapError)
	}
	if len(also.Classes) != 1 || len(also.Classes[0].Law) != 3 || also.Classes[0].Period != 1 || !also.Classes[0].Closed || len(also.Notes) != 1 {
		t.Errorf("classes %+v, notes %q", also.Classes, also.Notes)
	}
	if more := len(got) - len(expected); more != 4 { // the ones just looked at
		t.Errorf("%d keys beyond the expected ones, want 4: %s", more, out)
	}
	if !strings.Contains(out, "[\n    0.333333333333333") {
		t.Errorf("stationary law in %s", out)
	}
}

// What does not exist is null in JSON and said in the text.
func TestChainReducible(t *testing.T) {
	const two = "1,0,0\n0.5,0,0.5\n0,0,1\n"
	code, out, _ := chainCommand(t, two, "--json")
	if code != exitExpected || !strings.Contains(out, `"stationary": null`) || !strings.Contains(out, `"mixing_time": null`) {
		t.Errorf("exit %d: %s", code, out)
	}
	_, out, _ = chainCommand(t, two, "")
	for _, want := range []string{"several closed classes", "stationary law 1 of 2", "stationary law 2 of 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, out, _ = chainCommand(t, "0,1\n1,0\n", "")
	for _, want := range []string{"periodic: the chain never mixes", "aperiodic", "false"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestChainRefusesBadInput(t *testing.T) {
	for file, want := range map[string]string{
		"0.5,0.5\n0.3,0.6\n": "tqn: markov: FILE:2: row 1 sums to 0.9, not to 1\n",
		"0.5,a\n0.3,0.7\n":   "tqn: markov: FILE:1: row 0, column 1: \"a\" is not a number\n",
	} {
		if code, out, errs := chainCommand(t, file, ""); code != exitUsage || out != "" || errs != want {
			t.Errorf("exit %d, stdout %q, stderr %q, want %q", code, out, errs, want)
		}
	}
	if code, _, errs := chainCommand(t, "1\n", "--eps 2"); code != exitUsage || !strings.Contains(errs, "--eps 2") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := chainCommand(t, "1\n", "--format xml"); code != exitUsage || !strings.Contains(errs, `the format is "xml"`) {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// What help shows runs as shown, from the repository's root.
func TestChainExamplesRun(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	cmd := newChainCommand(&env{})
	lines := strings.Split(strings.TrimSpace(cmd.Example), "\n")
	if len(lines) < 2 {
		t.Fatalf("examples %q", lines)
	}
	for _, line := range lines {
		var out, errs bytes.Buffer
		if code := run(context.Background(), strings.Fields(line)[1:], &out, &errs); code != exitExpected || errs.Len() > 0 {
			t.Errorf("%s: exit %d, %s", line, code, errs.String())
		}
		for _, want := range []string{"sunny", "middle left"} {
			if strings.Contains(out.String(), want) {
				lines = lines[1:]
			}
		}
	}
	if len(lines) != 0 {
		t.Error("the names of the states are missing")
	}
}

// Labels are kept, transient states say where they end, and JSON has every class.
func TestChainLabelsAndAbsorption(t *testing.T) {
	const file = "from;to;rate\nstart;left;0.25\nstart;right;0.5\n"
	code, out, errs := chainCommand(t, file, "--format rates")
	if code != exitExpected {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{"start  1.33333333333  0.333333333333  0.666666666667", "left   1", "right  1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, _ = chainCommand(t, file, "--format rates --json")
	var got struct {
		Labels     []string
		Classes    []struct{ Law []float64 }
		Absorption []struct {
			State         int
			Time          float64
			Probabilities []float64
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitExpected {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if len(got.Classes) != 3 || got.Classes[0].Law != nil || len(got.Classes[1].Law) != 1 || len(got.Labels) != 3 {
		t.Errorf("%+v", got)
	}
	if len(got.Absorption) != 1 || got.Absorption[0].State != 0 || len(got.Absorption[0].Probabilities) != 2 {
		t.Errorf("%+v", got.Absorption)
	}
}

// A picture is written where it is asked for, in the format that its name has.
func TestChainPlot(t *testing.T) {
	name := filepath.Join(t.TempDir(), "law.svg")
	code, _, errs := chainCommand(t, "0.5,0.5\n0.25,0.75\n", "--plot "+name)
	data, err := os.ReadFile(name)
	if code != exitExpected || err != nil || !bytes.Contains(data, []byte("<svg")) || !bytes.Contains(data, []byte("stationary law")) {
		t.Errorf("exit %d, %v, %s", code, err, errs)
	}
	if code, _, errs := chainCommand(t, "1\n", "--plot x.gif"); code != exitUsage || !strings.Contains(errs, ".png") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestChainRefusesFlagsWithoutEffectAndDevices(t *testing.T) {
	for flags, want := range map[string]string{
		"--from-one":                     "--format rates",
		"--normalise --format generator": "--format matrix",
		"--eps 1e-301":                   "1e-300",
	} {
		if code, _, errs := chainCommand(t, "1\n", flags); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d: %s", flags, code, errs)
		}
	}
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"chain", os.DevNull}, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "device") {
		t.Errorf("a device: exit %d: %s", code, errs.String())
	}
	errs.Reset()
	if code := run(context.Background(), []string{"chain", t.TempDir()}, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "folder") {
		t.Errorf("a folder: exit %d: %s", code, errs.String())
	}
}

// A chain whose law spans more than iteration can hold, on a graph that fills up under elimination: there is no law with a certificate, so none is printed. What is
// known besides is told.
func TestChainWithoutACertifiedLaw(t *testing.T) {
	const n = 2000
	r := rand.New(rand.NewPCG(1, 2))
	weight := make([]float64, n) // decimal logarithms of what the states weigh: moves are reversible, by Metropolis's rule
	for i := range weight {
		weight[i] = 250 * r.Float64()
	}
	var file strings.Builder
	for x := range n {
		for _, y := range []int{(x + 1) % n, (x + 2 + r.IntN(n-4)) % n} {
			fmt.Fprintf(&file, "%d,%d,%g\n%d,%d,%g\n", x, y, math.Pow(10, min(0, weight[y]-weight[x])), y, x, math.Pow(10, min(0, weight[x]-weight[y])))
		}
	}
	for _, flags := range []string{"--format rates --alpha 0.01", "--format rates --alpha 0.01 --json"} {
		code, out, errs := chainCommand(t, file.String(), flags)
		if code != exitUsage || out != "" || !strings.Contains(errs, "no stationary law with a certificate: it has entries below 1e-270") ||
			!strings.Contains(errs, "known are: 2000 states, 1 class, closed ones 1, irreducible true, aperiodic true") {
			t.Errorf("%s: exit code %d, printed %.200q, said %q", flags, code, out, errs)
		}
	}
}
