package xla

import (
	"bytes"
	"errors"
	"fmt"
	"os"
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

// TestConvolutionsAreTheLibrarys compiles training steps for a GPU, without one: all convolutions, forward and both gradients, have to be
// calls of cuDNN's, none a loop of XLA's own, and a step must not hold a while loop, for which the host would wait. It needs XLA's CUDA plug-in
// (pjrt/testdata/with_plugin.sh cuda).
func TestConvolutionsAreTheLibrarys(t *testing.T) {
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
	defer target.Destroy()
	compile := func(program string) []byte {
		t.Helper()
		code, err := target.Compile(program)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	cifar := network.Shape{H: 32, W: 32, C: 3}
	for _, spec := range []network.Spec{{Net: "vgg9", Input: cifar, Classes: 10}, {Net: "vgg-bc", Input: cifar, Classes: 10}, {Net: "resnet56", Input: cifar, Classes: 10},
		{Net: "wrn56-2", Input: cifar, Classes: 10}, {Net: "resnet18", Input: network.Shape{H: 224, W: 224, C: 3}, Classes: 1000}} {
		if testing.Short() && spec.Net != "vgg9" && spec.Net != "resnet18" {
			continue
		}
		m := model(t, spec)
		for _, precision := range []Precision{F32, BF16} {
			step := compile(stepProgram(m, hyper(128, quantize.SR), Options{Precision: precision}))
			if err := callsLibrary(step, convolutions(m.Layers)); err != nil {
				t.Errorf("%s, %s: %v", spec.Net, precision, err)
			}
		}
	}
	set, err := dataset.Open("embedded", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := model(t, network.Spec{Net: "vgg9", Input: network.Shape{H: 32, W: 32, C: 1}, Classes: 10})
	n := convolutions(m.Layers)
	h := hyper(128, quantize.SR)
	if err := callsLibrary(compile(blockProgram(m, h, Options{}, set, set.Augment)), n); err != nil {
		t.Errorf("block: %v", err)
	}
	// Planted: a loop around the batches, and no gradients.
	evaluation := compile(evaluateSetProgram(m, h, Options{}, set))
	if callsLibrary(evaluation, n) == nil {
		t.Error("an evaluation passes for a training step: the check sees nothing")
	}
	if !bytes.Contains(evaluation, whileLoop) {
		t.Error("the loop of an evaluation is not seen")
	}
	if !bytes.Contains(evaluation, []byte("known_trip_count")) {
		t.Error("the compiler does not know the number of an evaluation's turns, so that the host has to wait for each")
	}
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
)

// callsLibrary checks a compiled step of a net with that many convolutions; the gradient of the images is never needed.
func callsLibrary(module []byte, convolutions int) error {
	var errs []error
	for _, x := range []struct {
		what string
		code []byte
		want int
	}{{"cuDNN convolutions", library, 3*convolutions - 1}, {"convolutions by XLA's own loops", ownConvolution, 0}, {"while loops", whileLoop, 0}} {
		if got := bytes.Count(module, x.code); got != x.want {
			errs = append(errs, fmt.Errorf("%d %s, want %d", got, x.what, x.want))
		}
	}
	return errors.Join(errs...)
}
