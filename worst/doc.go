// Package worst computes the worst cases of Theorems 1 to 4 of "Training Quantized Nets: A Deeper Understanding" (Li et al., NIPS 2017) when the grid is
// fine: the largest F(wbar_T) - F* that projected gradient descent with the paper's steps and average can end with, over all convex functions, all
// convex sets W and all dimensions at once.
//
// # What is computed
//
// As Delta -> 0 the rounding errors of SR and of BC vanish, both algorithms become w^{t+1} = P_W(w^t - alpha_t g^t) with g^t = grad F(w^t), and the floors of the
// four theorems vanish too. No gradient noise: what is found is reached without it, so it refutes the theorems with noise as well. Classes:
//
//	Theorem 1  F mu-strongly convex, |g^t| <= G,             alpha_t = 1/(mu(t+1)), any convex W        unit G^2/mu
//	Theorem 2  F convex, |g^t| <= G, W of diameter D,        alpha_t = c/sqrt(t), k = c G/D             unit G D
//	Theorem 3  as Theorem 2 and F L-smooth on R^d,           l = L D/G                                  unit G D
//	Theorem 4  as Theorem 1 and F L-smooth on R^d,           l = L/mu                                   unit G^2/mu
//
// G bounds the gradients at w^1..w^T, the points where the algorithm takes them. A Lipschitz constant of the Hessian (Theorem 4) cannot be
// put into a finite program: nobody knows which finite sets of points, values and gradients such functions interpolate. Its printed decay does not depend
// on L_2, so the class without it is the one whose worst case is compared with the decay.
//
// # Performance estimation
//
// Such a worst case is a semidefinite program (Drori and Teboulle 2014; Taylor, Hendrickx and Glineur 2017): what an algorithm does to a function
// depends only on the inner products of its iterates and gradients and on the values, and a finite table of them belongs to a function of the class
// exactly when it satisfies finitely many inequalities, listed in inequalities.go. The program's dual gives an upper bound, its primal an instance.
//
// # What is proved, and by what
//
// Solvers are not trusted. generate/pep.py solves the programs in floating point; certificates/ holds what it found, and this package checks it:
//
//   - [Certificate.Upper]: a weighted sum of the inequalities, in rational numbers, whose weights are not negative, in which the function values cancel
//     exactly and whose matrix is positive semidefinite, proved by an integer factorisation. Square roots are replaced by intervals
//     that contain them. The sum then says F(wbar_T) - F* <= the bound, for every function of the class.
//   - [Certificate.Lower]: points, gradients and values in rational numbers that satisfy all inequalities strictly. They define a function and a set W on
//     which the algorithm visits exactly these points, so the gap at the average is reached.
//
// Both together enclose the worst case; the committed pairs are less than 1e-6 apart. With rounding errors (rounding.go for SR, connect.go for BC) there is an upper side only.
//
// # Adding a case
//
// Add a line to ROWS in generate/pep.py and run it as its first lines say. Nothing else has to change.
package worst
