// Package toy is the one-dimensional non-convex problem of Section 5.1, equation
// (8), with Figures 1, 2 and 3 of the paper and what the paper could only argue:
// exact stationary laws over the histograms, BinaryConnect against stochastic
// rounding on the same axes, the law against the batch size, and mixing times.
//
// The paper gives neither the noise of the gradient nor the box. Here the stochastic
// gradient is f'(w) + Noise*z with z standard normal, and the box is [-3, 8].
// Simulations use the update rules of package quantize; the noise of iteration t
// is Normal(0) of (seed, streamGradient, t), and SR rounds with Uniform(0) of (seed,
// streamRounding, t).
package toy
