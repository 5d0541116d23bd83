// Package quantize defines the grid of representable weights, the two
// roundings of the paper, counter-based randomness, and the update rules that
// every other package trains with.
//
// # Conventions
//
// Delta is the grid step. A grid is the set {Lo + k*Delta} inside the box
// [Lo, Hi], the same in every coordinate; an unbounded grid is {k*Delta}.
// Binary weights {-1, +1} are the grid with Delta = 2 on [-1, 1].
//
// A value is projected on the box before it is rounded: the corners are grid
// points, so the rounded value stays in the box, and projection never moves a
// point away from a minimiser inside it.
//
//	Q_d(w) = sign(w) * Delta * floor(|w|/Delta + 1/2)                equation (3)
//	Q_s(w) = low + Delta with probability (w-low)/Delta, else low     equation (5)
//
// where low is the largest grid point not above w. Q_s is unbiased,
// E[Q_s(w)] = w.
//
// # Update rules
//
// An optimiser proposes a step s (alpha times a gradient, or Adam's). A [Rule]
// says where the gradient is taken ([Read]) and what is stored ([Update]):
//
//	rule          gradient at   stored                 equation
//	Float         w             P(w - s)               (2)
//	R             w             Q_d(P(w - s))          (4)
//	SR            w             Q_s(P(w - s))          (6)
//	BC            Q_d(w)        P(w - s)               (7)
//	BCStochastic  Q_s(w)        P(w - s)               (7)
//
// P is the projection on the box.
//
// # Randomness
//
// Every random word is a function of (seed, stream, step, index), see [Noise]:
// results do not depend on threads, on the order of work or on an interruption.
package quantize
