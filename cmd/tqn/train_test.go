package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tqn runs one command line; arguments hold no spaces.
func tqn(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), strings.Fields(line), &out, &errs)
	return code, out.String(), errs.String()
}

const tinyRun = "train --net vgg9 --data textures --classes 3 --size 8 --width 0.0625 --depth 0.5 --epochs 2 --batch 8 --train-images 24 --test-images 9"

func TestTrainEvalCompare(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	code, out, errs := tqn(t, tinyRun+" --method bc --json --out "+a)
	var report trainReport
	if err := json.Unmarshal([]byte(out), &report); code != exitExpected || err != nil || report.Steps != 6 || report.PackedBytes == 0 || report.AlreadyThere {
		t.Fatalf("exit %d, %v, %+v, %s", code, err, report, errs)
	}
	if code, out, errs = tqn(t, tinyRun+" --method sr --out "+b); code != exitExpected || !strings.Contains(out, "1 bit for each binarised weight") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if code, out, _ = tqn(t, tinyRun+" --method sr --out "+b); code != exitExpected || !strings.Contains(out, "was finished already") {
		t.Errorf("again: exit %d: %s", code, out)
	}
	code, out, errs = tqn(t, "eval --weights packed --json "+a)
	var eval evalReport
	if err := json.Unmarshal([]byte(out), &eval); code != exitExpected || err != nil || eval.TestError != report.TestError || eval.Images != 9 {
		t.Errorf("eval: exit %d, %v, %+v against %+v: %s", code, err, eval, report, errs)
	}
	figures := filepath.Join(dir, "figures")
	code, out, errs = tqn(t, "compare "+a+" "+b+" --out "+figures)
	if code != exitExpected || !strings.Contains(out, "BC-ADAM") || !strings.Contains(out, "SR-ADAM") {
		t.Errorf("compare: exit %d: %s%s", code, out, errs)
	}
	for _, name := range []string{"convergence", "changes", "batch", "distance"} {
		if png, err := os.ReadFile(filepath.Join(figures, name+".png")); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
			t.Errorf("%s.png: %v", name, err)
		}
	}
}

// Bad input: exit 2, nothing on stdout, and the message names what is wrong.
func TestTrainErrors(t *testing.T) {
	dir := t.TempDir()
	for line, want := range map[string]string{
		"train --out " + dir:                                "--net",
		"train --net vgg9":                                  "--out",
		"train --net vgg10 --out " + dir:                    "vgg10",
		"train --net vgg9 --method sgd --out " + dir:        "sgd",
		"train --net vgg9 --data mnist --out " + dir:        "mnist",
		"train --net vgg9 --width -1 --out " + dir:          "width",
		"train --net vgg9 --batch 1 --out " + dir:           "batch",
		"train --net vgg9 --engine tpu --out " + dir:        "tpu",
		"eval " + filepath.Join(dir, "no-such-run"):         "no-such-run",
		"compare " + filepath.Join(dir, "no-such-run"):      "no-such-run",
		"bench --net vgg10":                                 "vgg10",
		"bench":                                             "--net",
		tinyRun + " --train-images 4 --out " + dir + "/few": "batch of 8",
	} {
		code, out, errs := tqn(t, line)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("tqn %s: exit %d, stdout %q, stderr %q; want %q", line, code, out, errs, want)
		}
	}
}

// docs/design.md promises these keys and no others.
func TestBenchJSONKeys(t *testing.T) {
	code, out, errs := tqn(t, "bench --net vgg9 --batch 4 --width 0.0625 --json")
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); code != exitExpected || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	want := []string{"batch", "gflops", "images_per_second", "kernel", "net", "peak_rss_bytes", "threads"}
	if got := slices.Sorted(maps.Keys(v)); !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

// The layer table of Table 2, golden.
func TestDryRunIsTable2(t *testing.T) {
	code, out, errs := tqn(t, "train --net vgg9 --data cifar10 --method bc --dry-run")
	if code != exitExpected {
		t.Fatal(errs)
	}
	var got []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 4 && (strings.HasPrefix(f[0], "conv_") || strings.HasPrefix(f[0], "linear_") || strings.HasPrefix(f[0], "pool_")) {
			got = append(got, strings.Join(f, " "))
		}
	}
	want := []string{
		"conv_1 3x3/1 32x32x3 32x32x64 1728 1769472 yes",
		"conv_2 3x3/1 32x32x64 32x32x64 36864 37748736 yes",
		"pool_1 2x2/2 32x32x64 16x16x64 0 0",
		"conv_3 3x3/1 16x16x64 16x16x128 73728 18874368 yes",
		"conv_4 3x3/1 16x16x128 16x16x128 147456 37748736 yes",
		"pool_2 2x2/2 16x16x128 8x8x128 0 0",
		"conv_5 3x3/1 8x8x128 8x8x256 294912 18874368 yes",
		"conv_6 3x3/1 8x8x256 8x8x256 589824 37748736 yes",
		"conv_7 3x3/1 8x8x256 8x8x256 589824 37748736 yes",
		"pool_3 2x2/2 8x8x256 4x4x256 0 0",
		"linear_1 4x4x256 1x1x256 1048576 1048576",
		"linear_2 1x1x256 1x1x10 2570 2560",
	}
	if !slices.Equal(got, want) {
		t.Errorf("table\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The dry run has the shape that the run has: the data set's, with the classes and the side that its name or the flags ask for.
func TestDryRunHasTheDataSetsShape(t *testing.T) {
	for line, want := range map[string]string{
		"--data textures-50x48":                 "48x48x3 50",
		"--data textures-7":                     "32x32x3 7",
		"--data textures --size 16 --classes 4": "16x16x3 4",
		"--data imagenet --size 64":             "64x64x3 1000",
		"--data fashion-mnist":                  "32x32x1 10",
		"--data cifar100":                       "32x32x3 100",
	} {
		code, out, errs := tqn(t, "train --net vgg9 --dry-run --json "+line)
		var v dryRunReport
		if err := json.Unmarshal([]byte(out), &v); code != exitExpected || err != nil {
			t.Fatalf("%s: exit %d, %v: %s", line, code, err, errs)
		}
		if got := fmt.Sprint(v.Model.Input, " ", v.Model.Classes); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for line, want := range map[string]string{"--data nowhere": "nowhere", "--data cifar10 --size 64": "size is 64", "--data cifar10 --classes 3": "classes is 3"} {
		if code, out, errs := tqn(t, "train --net vgg9 --dry-run "+line); code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s%s", line, code, out, errs)
		}
	}
}

// The plan names every fusion and buffer; the plain kernels have none of the former.
func TestDryRunShowsThePlan(t *testing.T) {
	t.Setenv("TQN_KERNEL", "generic")
	code, out, errs := tqn(t, "train --net resnet56 --depth 0.12 --data embedded --dry-run --plan")
	if code != exitExpected {
		t.Fatal(errs)
	}
	for _, want := range []string{"kernel generic", "the sum of block_1; relu_", "sums its output for bn_1", "grad, spare, held", "MiB"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, errs = tqn(t, "train --net vgg9 --data embedded --dry-run --plan --json")
	var v dryRunReport
	if err := json.Unmarshal([]byte(out), &v); code != exitExpected || err != nil || v.Plan == nil || v.Kernel != "generic" || len(v.Plan.Stages) < 10 {
		t.Errorf("exit %d, %v, %+v: %s", code, err, v.Plan, errs)
	}
	if code, _, errs := tqn(t, "train --net vgg9 --plan --out "+t.TempDir()); code != exitUsage || !strings.Contains(errs, "--dry-run") {
		t.Errorf("a plan without a dry run: exit %d, %s", code, errs)
	}
}

// The file that a run writes makes the same run again.
func TestTrainFromAFile(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if code, _, errs := tqn(t, tinyRun+" --method bc --init uniform --drops 1 --out "+a); code != exitExpected {
		t.Fatal(errs)
	}
	file := filepath.Join(a, "config.json")
	if code, _, errs := tqn(t, "train --config "+file+" --out "+b); code != exitExpected {
		t.Fatal(errs)
	}
	for _, name := range []string{"config.json", "result.json", "weights.safetensors"} {
		one, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		if two, err := os.ReadFile(filepath.Join(b, name)); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs (%v)", name, err)
		}
	}
	for line, want := range map[string]string{
		"train --config " + file + " --net vgg9 --out " + b: "--net",
		"train --config " + file + " --init he --out " + b:  "--init",
		"train --config " + dir + "/none --out " + b:        "none",
		tinyRun + " --drops 1,1 --out " + b:                 "drops",
		tinyRun + " --drops=-1 --out " + b:                  "drops",
	} {
		if code, out, errs := tqn(t, line); code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s%s", line, code, out, errs)
		}
	}
}
