package xla

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tqn/nets/dataset"
	"tqn/nets/network"
	"tqn/pjrt"
	"tqn/quantize"
)

// h100 describes an NVIDIA H100 (SXM) to XLA's compiler: what the device reports about itself.
const h100 = `gpu_device_info {
  name: "NVIDIA H100 80GB HBM3" device_vendor: "NVIDIA Corporation" cuda_compute_capability { major: 9 feature_extension: ACCELERATED_FEATURES }
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98 threads_per_warp: 32 threads_per_block_limit: 1024 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448 shared_memory_per_core: 233472
  registers_per_core_limit: 65536 registers_per_block_limit: 65536 block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 device_memory_size: 84942979072
  driver_version: "13.0.0" runtime_version: "13.0.0" compile_time_toolkit_version: "13.0.0" dnn_version: "9.20.0"
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 20 }
device_description_str: "NVIDIA H100 80GB HBM3"`

// gpu is an H100 to compile for, without having one. It needs XLA's CUDA plug-in (pjrt/testdata/with_plugin.sh cuda).
func gpu(t testing.TB) *pjrt.Target {
	t.Helper()
	path := os.Getenv("TQN_PJRT_CUDA_PLUGIN")
	if path == "" {
		t.Skip("TQN_PJRT_CUDA_PLUGIN names no CUDA plug-in")
	}
	plugin, err := pjrt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	target, err := plugin.NewTarget(map[string]any{"target_config": h100, "topology": "1x1x1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Destroy)
	return target
}

func compileFor(t testing.TB, target *pjrt.Target, program string) []byte {
	t.Helper()
	code, err := target.Compile(program)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// images is a data set of the size of CIFAR's images, for programs that read one.
func images(t testing.TB) *dataset.Set {
	t.Helper()
	set, err := dataset.Open("textures", dataset.Options{Size: 32, Classes: 10, TrainImages: 200, TestImages: 200})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestLaunches compiles a training step of the block program for an H100 and holds what it starts there: every convolution, forward and both
// gradients, is a call of cuDNN's or a kernel of our own, of the precision's own type and with the channels last; no tensor is transposed; there is no while loop, for
// which the host would wait; all of the step is one CUDA graph; and there are no more launches and bytes than the table says, which is a
// little above what is reached (docs/performance.md, made by this test with -v and without -short). Timings are another matter: without a GPU
// the compiler cannot choose among cuDNN's algorithms.
func TestLaunches(t *testing.T) {
	target, set := gpu(t), images(t)
	compileFor(t, target, kernelProbe())
	for _, c := range []struct {
		net       string
		depth     float64
		precision Precision
		batch     int
		launches  int
		megabytes int64
		short     bool
	}{
		{"vgg9", 1, BF16, 128, 84, 930, true},
		{"vgg9", 1, TF32, 128, 84, 1700, false},
		{"vgg9", 1, F32, 128, 84, 1700, false},
		{"resnet56", 1. / 9, TF32, 100, 79, 515, true},
		{"resnet56", 1, BF16, 128, 462, 2690, false},
		{"resnet56", 1, TF32, 128, 444, 4650, false},
		{"vgg-bc", 1, BF16, 128, 87, 2170, false},
		{"vgg-bc", 1, TF32, 128, 87, 3650, false},
		{"wrn56-2", 1, BF16, 128, 463, 5050, false},
		{"wrn56-2", 1, TF32, 128, 445, 9400, false},
	} {
		if testing.Short() && !c.short {
			continue
		}
		t.Run(fmt.Sprintf("%s/%.2g/%s/%d", c.net, c.depth, c.precision, c.batch), func(t *testing.T) {
			m := model(t, network.Spec{Net: c.net, Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10, Depth: c.depth})
			dump := t.TempDir()
			target.Overrides["xla_dump_to"], target.Overrides["xla_dump_hlo_as_text"] = dump, true
			defer delete(target.Overrides, "xla_dump_to")
			defer delete(target.Overrides, "xla_dump_hlo_as_text")
			options := Options{Precision: c.precision, Kernels: true}
			text := blockProgram(m, hyper(c.batch, quantize.SR), options, set, set.Augment)
			step := compileFor(t, target, text)
			narrows, _ := options.ownLayers(m.Layers, c.batch)
			cuDNN := 3*(convolutions(m.Layers)-narrows) - 1
			if _, ok := options.first(m.Layers[0], c.batch); ok {
				cuDNN--
			}
			if err := callsLibrary(step, cuDNN, strings.Count(text, ownKernel)); err != nil {
				t.Error(err)
			}
			for _, precision := range []Precision{BF16, F32} {
				if err := convolvesIn(step, precision); (err == nil) != (precision == c.precision || precision == F32 && c.precision == TF32) {
					t.Errorf("convolutions in %s: %v", precision, err)
				}
			}
			l := countLaunches(step)
			t.Logf("%s", l)
			if n, bytes := l.total(); n > c.launches || bytes > c.megabytes*1e6 || l.n[transposing] > 0 {
				t.Errorf("%s; want at most %d launches, %d MB, no transposition", l, c.launches, c.megabytes)
			}
			if alone, graphs := graphs(t, dump); alone != 0 || graphs != 1 {
				t.Errorf("a step is %d CUDA graphs and %d operations outside of them, want one graph", graphs, alone)
			}
		})
	}
}

// TestLaunchesDefects: the checks of [TestLaunches] see a step whose convolutions the graphs leave out, and the loop of an evaluation.
func TestLaunchesDefects(t *testing.T) {
	target, set := gpu(t), images(t)
	m := model(t, network.Spec{Net: "resnet18", Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10, Width: 0.25, Depth: 0.5})
	dump := t.TempDir()
	target.Overrides["xla_gpu_enable_command_buffer"], target.Overrides["xla_dump_to"], target.Overrides["xla_dump_hlo_as_text"] = "FUSION", dump, true
	step := compileFor(t, target, stepProgram(m, hyper(128, quantize.SR), Options{}))
	if err := callsLibrary(step, 3*convolutions(m.Layers)-1, 0); err != nil {
		t.Error(err)
	}
	if alone, _ := graphs(t, dump); alone == 0 {
		t.Error("convolutions outside of CUDA graphs are not seen")
	}
	if callsLibrary(step, 3*convolutions(m.Layers)-2, 1) == nil {
		t.Error("a kernel of our own that the step lacks is not missed")
	}
	delete(target.Overrides, "xla_dump_to")
	delete(target.Overrides, "xla_dump_hlo_as_text")
	evaluation := compileFor(t, target, evaluateSetProgram(m, hyper(128, quantize.SR), Options{}, set))
	if callsLibrary(evaluation, 3*convolutions(m.Layers)-1, 0) == nil {
		t.Error("an evaluation passes for a training step: the check sees nothing")
	}
	if !bytes.Contains(evaluation, whileLoop) {
		t.Error("the loop of an evaluation is not seen")
	}
	if !bytes.Contains(evaluation, []byte("known_trip_count")) {
		t.Error("the compiler does not know the number of an evaluation's turns, so that the host has to wait for each")
	}
}

// convolvesIn checks that factors and results of all convolutions are of the precision's type, with the channels last.
func convolvesIn(code []byte, precision Precision) error {
	m := parseModule(code)
	want := int64(11) // xla.PrimitiveType F32
	if precision == BF16 {
		want = 16
	}
	entry := m.computations[m.entry]
	shapes := map[int64]hloShape{}
	for _, i := range entry.instructions {
		shapes[i.id] = i.shape
	}
	for _, i := range entry.instructions {
		if m.kind(i) != convolving {
			continue
		}
		data := []hloShape{shapes[i.operands[0]], shapes[i.operands[1]]}
		if i.target != ownKernel { // those return gradients of weights in float32
			data = append(data, i.shape.tuple[0])
		}
		for _, s := range data {
			if s.elem != want || !slices.Equal(s.layout, []int64{3, 2, 1, 0}) {
				return fmt.Errorf("%s: element type %d in layout %v", i.name, s.elem, s.layout)
			}
		}
	}
	return nil
}

// BenchmarkFill compiles steps for an H100 and reports how much of the card a kernel has at least one block of threads for, on the mean over all kernels but cuDNN's, of
// whose grids the compiler writes nothing. It measures no time.
func BenchmarkFill(b *testing.B) {
	target, set := gpu(b), images(b)
	for _, c := range []struct {
		net          string
		width, depth float64
		precision    Precision
		batch        int
	}{
		{"resnet56", 0.5, 1. / 9, TF32, 8}, {"wrn56-2", 0.5, 1. / 9, BF16, 8}, {"vgg-bc", 0.125, 1, TF32, 16}, {"vgg9", 0.25, 1, TF32, 16}, {"vgg9", 1, 1, TF32, 128}, {"resnet56", 1, 1, BF16, 128},
	} {
		b.Run(fmt.Sprintf("net=%s/width=%v/depth=%.2g/precision=%s/batch=%d", c.net, c.width, c.depth, c.precision, c.batch), func(b *testing.B) {
			m := model(b, network.Spec{Net: c.net, Input: network.Shape{H: 32, W: 32, C: 3}, Classes: 10, Width: c.width, Depth: c.depth})
			target.Overrides["xla_dump_to"], target.Overrides["xla_dump_hlo_as_text"] = b.TempDir(), true
			defer delete(target.Overrides, "xla_dump_to")
			defer delete(target.Overrides, "xla_dump_hlo_as_text")
			step := compileFor(b, target, blockProgram(m, hyper(c.batch, quantize.SR), Options{Precision: c.precision, Kernels: true}, set, set.Augment))
			sum, kernels := 0.0, 0
			for _, grid := range regexp.MustCompile(`grid: \[(\d+), (\d+), (\d+)\]`).FindAllStringSubmatch(operations(b, target.Overrides["xla_dump_to"].(string)), -1) {
				blocks := 1
				for _, side := range grid[1:] {
					n, _ := strconv.Atoi(side)
					blocks *= n
				}
				sum, kernels = sum+min(1, float64(blocks)/132), kernels+1
			}
			for b.Loop() { // the metrics are those of what was compiled
			}
			launches, bytes := countLaunches(step).total()
			b.ReportMetric(sum/float64(kernels), "multiprocessors/all")
			b.ReportMetric(float64(launches), "launches")
			b.ReportMetric(float64(bytes)/1e6, "MB")
		})
	}
}

// operations is the list of operations that the compiler wrote into a folder.
func operations(t testing.TB, dump string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dump, "*.thunk_sequence_after_thunk_passes.txt"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the compiler wrote %d lists of operations (%v)", len(files), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// graphs counts a program's CUDA graphs, and what it starts outside of them, in the list of operations that the compiler wrote into
// a folder: an operation of a graph is indented.
func graphs(t *testing.T, dump string) (alone, graphs int) {
	t.Helper()
	for line := range strings.Lines(operations(t, dump)) {
		switch {
		case strings.Contains(line, ": kCommandBuffer"):
			graphs++
		case strings.Contains(line, ": k") && !strings.HasPrefix(line, " "):
			alone++
		}
	}
	return alone, graphs
}

// convolutions counts them, those of residual blocks included.
func convolutions(layers []network.Layer) int {
	n := 0
	for _, l := range layers {
		if l.Kind == network.Conv {
			n++
		}
		n += convolutions(l.Body) + convolutions(l.Shortcut)
	}
	return n
}

// Opcodes in a serialised HloInstructionProto: field 2, length, text; and the beginning of the names of cuDNN's calls, which say
// convForward, convBackwardInput, convBackwardFilter or, with something fused, convBiasActivationForward.
var (
	whileLoop      = []byte("\x12\x05while")
	ownConvolution = []byte("\x12\x0bconvolution")
	library        = []byte("__cudnn$conv")
	ownCalls       = []byte("\xe2\x01\x14" + ownKernel) // field 28, the target of a call
)

// callsLibrary checks a compiled step that is to make so many convolutions by cuDNN and to call so many kernels of our own. A convolution has two gradients; that of the images is never needed.
func callsLibrary(module []byte, cuDNN, own int) error {
	var errs []error
	for _, x := range []struct {
		what string
		code []byte
		want int
	}{
		{"cuDNN convolutions", library, cuDNN}, {"kernels of our own", ownCalls, own},
		{"convolutions by XLA's own loops", ownConvolution, 0}, {"while loops", whileLoop, 0},
	} {
		if got := bytes.Count(module, x.code); got != x.want {
			errs = append(errs, fmt.Errorf("%d %s, want %d", got, x.what, x.want))
		}
	}
	return errors.Join(errs...)
}
