// Package kernel holds the arithmetic of a training step on the CPU: the loops
// that take the time, each with a plain Go reference and, where the processor
// allows, generated assembly.
//
// Activations are float32 in NHWC order and convolution weights HWIO, (r, s, c,
// k): c runs over input, k over output channels. Kernels take slices that the
// caller has planned; an object ([Conv], [Linear], [BatchNorm], [MaxPool])
// belongs to one layer, allocates when it is built (and when it first gets binary weights) and never again. Parallel
// work belongs to [Workers]:
//
//	ws, err := kernel.NewWorkers(0, "")             // all CPUs, the fastest implementation
//	conv := kernel.NewConv(ws, kernel.ConvShape{N: 128, H: 32, W: 32, C: 64, K: 64, Side: 3, Stride: 1})
//	norm := kernel.NewBatchNorm(ws, 128, 32*32, 64, 1e-5)
//	conv.SetWeights(w, true)                        // after each update; true: all are -1 or +1
//	conv.Forward(y, x, norm.Sums())                 // sums for batch norm while y is in cache
//	norm.Forward(z, y, norm.Sums(), gamma, beta, residual, true)
//	...
//	norm.Backward(dy, dresidual, dgamma, dbeta, dz)
//	conv.GradWeights(dw, x, dy)
//	conv.GradInput(dx, dy)
//	ws.AdamRule(w, dw, m, v, adam, quantize.SR, quantize.Binary(), draw)
//
// # What is exact
//
// Results never depend on the number of workers. Elementwise operations
// (batch norm given its moments, ReLU, pooling, Adam with its rule) and the sums
// of batch norm are the same bits in every implementation. Sums of products
// (Conv, Linear) differ between implementations in their rounding.
//
// # Implementations
//
// generic is Go; avx2, avx512 and amx are assembly for amd64, and mixed takes for
// each layer and pass the faster of avx512 and amx. [NewWorkers] takes the fastest,
// or what the environment variable TQN_KERNEL names. The build tag purego leaves
// only generic.
package kernel
