// Package xla runs the nets of package nets on any device with a PJRT plug-in: it
// writes the whole training step (augmentation, forward pass, backward pass, Adam, the rule SR, BC or
// R with its random words) as one StableHLO program and runs it through package pjrt. [Engine] is a
// [nets.BlockEngine]: the data set and the state stay on the device, and a call takes many steps.
//
// # What is the same bits as on the CPU engine
//
// The random words (Philox in integer arithmetic), the order and the augmentation of images
// and their normalisation, and Adam and the rule as functions of the gradient: the update is
// kernel.Adam's sequence of float32 operations, kept apart so that no compiler contracts two of them
// into one. Subnormal numbers are the exception: XLA's CPU back end flushes them to zero.
//
// Gradients are sums whose order XLA chooses, so they differ in the last places, and with them, now and
// then, a rounding whose probability lies that close to its random word. A run on one engine is
// therefore not the same bytes as on the other, but every step is within a derived tolerance of it
// (TestStepOfEveryNetAndMethod), and state moves both ways.
//
// Ten epochs of VGG-9 at quarter width with SR on all 10,000 + 2,000 embedded images, seeds 1, 2, 3: test error 14.70, 14.40, 14.90 % on
// the CPU engine (26 s each on two cores of a Zen 4) and 14.95, 14.65, 15.00 % on XLA's CPU plug-in (111 to 115 s), a difference of the means
// of 0.20 points with a standard error of 0.18:
//
//	tqn train --net vgg9 --method sr --data embedded --width 0.25 --epochs 10 --batch 64 --seed 1 --engine pjrt --out runs/sr-pjrt-1
//
// # Tests
//
// pjrt/testdata/with_plugin.sh installs a CPU plug-in outside the checkout and runs the tests of pjrt and this
// package on it; "pjrt/testdata/with_plugin.sh cuda" also compiles for a GPU. Without a plug-in they skip, each with one line.
//
// # Precision
//
// [F32] asks XLA for float32 products (precision HIGHEST). [TF32] and [BF16] are named choices. BF16 rounds to bfloat16 the factors and the results of the
// convolutions, the factors of the linear layers, and the activations and gradients that stay in memory between layers. Within cuDNN the products
// are added in float32. Statistics of batch norm, losses, gradients of the parameters once they are computed, Adam and the weights themselves are
// float32 or better. TestBF16 bounds what that changes in a step. In both the images get channels of zeros, so that each pixel takes 16 bytes: tensor cores' kernels
// want rows that begin at multiples of it.
//
// A channel's sums over a batch are float32 over up to 256 neighbours and float64 beyond. Kernels of our own (below) add in float32 throughout: every program keeps 1,024 to 8,192 sums side by side, and adds
// these, and then the programs' sums, as a tree.
//
// # Several devices
//
// The devices of one host can share each batch's images: the program asks XLA to cut the batch, XLA cuts what follows from it
// and adds gradients, losses and batch norm's sums up over the devices. State and data set are whole on each. Steps agree with one device's within
// the derived tolerance (TestDevicesShareTheBatch, on two of the four devices that the CPU plug-in shows). A table's cells take the
// devices, or groups of them, in turn.
//
// # On a GPU
//
// What XLA's CUDA compiler, which needs no GPU, makes of the training step for an H100 is held by TestLaunches: every convolution, forward and
// both gradients, is a call of cuDNN's, or a kernel of our own, in the precision's own type with the channels last, nothing is transposed, no while loop is left for
// which the host would wait, and all of the step is one CUDA graph, in which what does not depend on each other runs side by side. docs/performance.md has the number of
// launches and of bytes, and images per second. The host starts the steps of a block
// one behind the other; a block is an epoch once the speed is known, or ten seconds where an epoch takes longer.
//
// Two kinds of layers are computed by kernels of our own. At TF32 and BF16 these are 3x3 convolutions with 16 or 32 channels (at BF16 on small images also 64; narrow.go), and the gradient of the first layer's weights: their kernels read the images
// once. At every precision, in a training step, they are batch norms together with the ReLU, the sum and the pooling behind them (norm.go): they take two kernels a pass where XLA makes four or three. Two more
// kernels go through many tensors at once (pieces.go): one takes the weights of all layers out of the state, the other looks whether all gradients are finite. The kernels are written in the
// intermediate representation of Triton, whose compiler XLA's CUDA plug-ins contain: the program carries their text, and neither Python nor a compiler of NVIDIA's is needed. Where a plug-in does not
// compile such a kernel, the library and XLA compute these layers, too; [Engine.Kernel] says which it is.
//
// Tests without a GPU run the kernels' text by the definitions of its operations (TestNarrowKernels, TestNormKernels, TestTakeKernel, TestFiniteKernel), and on XLA's CPU plug-in a step in which each kernel is replaced by its definition
// (TestStepWithOwnKernels). On a GPU TestNarrowOnAGPU, TestNormOnAGPU and TestPiecesOnAGPU compare what is compiled with the definition, and TestNormStepOnAGPU compares a step with and without kernels for batch norm.
//
// # Limits
//
// XLA's CPU plug-ins on linux/amd64 run all tests. On a GPU the engine has trained on an NVIDIA H200 (docs/results/table1-paper) and on an H100. Without CUDA graphs, if they
// should be at fault: XLA_FLAGS=--xla_gpu_enable_command_buffer= in the environment; with graphs, but one operation after the other:
// XLA_FLAGS=--xla_gpu_command_buffer_scheduling_mode=SERIALIZE. No TPU has been tried.
//
// On GPUs XLA is told to leave out operations whose result depends on the order of threads, and chooses among a library's
// algorithms by timing them when it compiles: the cells of one process share a program, two processes may differ in
// the last places.
//
// Image trees (imagenet) are not held on the device: their batches come from the host, one call a step.
//
// The StableHLO is written by a small emitter of our own (emit.go). The public one in Go
// (github.com/gomlx/go-xla v0.2.1) was tried: it needs no cgo, but brings protobuf and three more
// modules and 5 MB into the binary.
package xla
