// Package bounds holds the right-hand sides: Lemma 1, Theorems 1 to 6 and
// Corollary 1 of "Training Quantized Nets: A Deeper Understanding" (Li, De,
// Xu, Studer, Samet, Goldstein, NIPS 2017), one file per result, each as the
// paper prints it and as it can be proved.
//
// # Conventions
//
// W is a box whose corners lie on the grid. An iterate is projected on W
// before it is rounded, so a rounded iterate stays in W, and projection never
// increases the distance to w*. The first iterate w^1 is on the grid. Step
// sizes are alpha_t for t = 1..T and the average is
// wbar_T = (1/T) sum_{t=1..T} w^t. (The proof of Theorem 1 in Appendix B sums
// T+1 terms from t = 0 and divides by T; see docs/errata.md.)
//
// # Symbols
//
//	symbol     Parameters  range          meaning, and where the paper defines it
//	d          Dim         >= 1           dimension of w (Section 4)
//	Delta      Delta       > 0            spacing of the grid (Section 3; 2 for the weights {-1,+1})
//	G          G           >= 0           E|grad f~(w)|^2 <= G^2 wherever a gradient is taken (Section 4)
//	mu         Mu          > 0            strong convexity of F on W (Section 4)
//	L          L           >= 0, >= mu    Lipschitz constant of grad F on W (Theorem 3)
//	L2         L2          >= 0           Lipschitz constant of the Hessian on W (Section 4.2)
//	D          Diameter    > 0            Euclidean diameter of W (Theorem 2)
//	c          C           > 0            alpha_t = c/sqrt(t) (Theorems 2 and 3)
//	alpha      Alpha       > 0            step size of one iteration (Lemma 1, Theorems 5 and 6)
//	T          T           >= 1           number of averaged iterates (Section 4.1)
//	C1         Tail        > 0            P(Z > v), P(Z < -v) <= C1/v^2 (Theorem 5)
//	eps        Epsilon     0 < eps < 1    accuracy of the mixing time (equation 10)
//	pi(y)      Mass        0 < pi(y) < 1  stationary probability of the start y (Theorem 6)
//	R(y)       Rate        > 0            T_alpha(y,y) = 1 - alpha*R(y) (Theorem 6)
//
// A constant that is not known is NaN. A bound that needs it says so in its
// error; no bound guesses it. Zero is a value: L2 = 0 says "quadratic".
//
// # Forms
//
// Printed is the statement of Section 4. Appendix is the one other printed
// form, Theorem 2 in Appendix C. Derived is what the paper's own proof gives
// once its slips are mended. Sharp is the best this package's authors can
// prove by a formula; the proof is in the comment of the result. Moving is better
// still for Theorems 2 and 3, by a recursion over T. Every form is split into
// Decay, which vanishes as T grows (for Lemma 1 and Theorem 5: as alpha
// vanishes), and Floor, which stays.
package bounds
