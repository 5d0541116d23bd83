// Package convex verifies the convergence results of Section 4 of "Training
// Quantized Nets: A Deeper Understanding" (Li et al., NIPS 2017) on convex
// problems whose constants are certified.
//
// # The setting
//
// Equation (1): minimise F(w) = (1/m) sum_{i=1..m} f_i(w) over the box
// W = [Lo, Hi]^d. A stochastic gradient is grad f_i with i uniform on 1..m, so
// E grad f_i = grad F. The corners of W lie on the grid; an iterate is projected
// on W before it is rounded. Runs start on the grid and
//
//	w^1, ..., w^T,   wbar_T = (1/T) sum_{t=1..T} w^t,   alpha_t for t = 1..T.
//
// The gap of w is F(w) - F(w*), w* the minimiser of F over W.
//
// # Three ways to a number, the exact ones first
//
//   - [Law]: the exact law of the SR iterates on a finite grid, p_{t+1} = p_t P_alpha_t,
//     where given the gradient sample the coordinates move independently. It gives
//     E F(w^t) and E|w^t - w*|^2 without sampling, and E F(wbar_T) for quadratics.
//   - [AverageLaw]: the exact law of (w^t, w^1 + ... + w^t) in one dimension, hence
//     E F(wbar_T) for any F.
//   - [Trajectory]: one run under any of quantize's rules. Without gradient noise
//     and with Q_d it is the exact answer; otherwise [MonteCarlo] repeats it and
//     [tqn/evidence] judges the mean.
//
// Package referee measures every claim of Section 4 and the lines of its proofs with
// these means.
package convex
