// Package network is the mathematics of one training step of the networks of Section 6 of Li et al., "Training Quantized
// Nets: A Deeper Understanding" (NIPS 2017): what is computed, and the engines that compute it. It knows no data set, no
// file, no epoch and no clock.
//
// # Conventions
//
// Images and activations are float32 in NHWC order: index ((n*H + h)*W + w)*C + c. Convolution weights are HWIO: index
// ((kh*K + kw)*I + i)*O + o. Linear weights are IO: index i*O + o, where i runs over an input flattened as (h, w, c).
//
//	N  images in a batch        H, W  height and width        C, I, O  channels (of a tensor, in, out)
//	K  kernel size              w     the stored weights      wb       the weights a gradient is taken at
//
// A [Model] is data: a list of layers with their shapes. An [Engine] runs one: the CPU engine ([NewCPU]) on the kernels of
// nets/kernel, the float64 reference ([NewReference]) with plain loops, and others elsewhere (nets/xla). [Initialise] sets
// an engine to the start of a run.
package network
