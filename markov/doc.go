// Package markov analyses finite Markov chains and stays right where the
// paper lives: chains that are nearly decoupled because alpha goes to zero.
//
// # Conventions
//
// Chains are row-stochastic: P[x][y] is the probability of a move from x to y,
// and a stationary law is a row vector with pi P = pi. The paper writes
// T_alpha(x, y) "from x to y" but lets columns sum to one (Section 5.2 and
// Appendix F); its operator is the transpose of ours.
//
//	symbol      Go                    meaning
//	Q           Chain's rates         off-diagonal entries q(x,y) >= 0; the diagonal is minus the row sum
//	alpha       Chain.Alpha           learning rate; P = I + alpha Q
//	T_alpha     SR.Chain(alpha)       exact transition matrix of SR (Section 5.2)
//	T~_alpha    SR.Limit(alpha)       equation (9)
//	U~          rates of SR.Limit     partial expectations of the gradient over Delta (Theorem 5)
//	pi          Chain.Stationary      pi P = pi, entries sum to one
//	M_eps       Chain.MixingTime      equation (10): worst start, total variation (the factor 1/2 included), no cap
//	t_eps       Chain.ContinuousMixingTime   the same for exp(tQ)
//
// # Accuracy
//
// The data of a chain are its off-diagonal rates. 1 - alpha*(row sum) is never
// formed in order to be subtracted from one again, so that alpha = 1e-300 is as
// good a learning rate as 1. The direct solvers (GTH and those built on it) add,
// multiply and divide non-negative numbers only; every entry of their answer
// has a small relative error, whatever the condition number is
// (C. A. O'Cinneide, Numer. Math. 65 (1993) 109-120).
//
// Every stationary law comes with a proven bound on the relative error of each
// entry (CertifiedLaw, errorBound, certificate); without one of at most
// CertifiedError it is ErrUncertified. Gaps come with a bound too (SpectralGap),
// and mixing times for small eps say when they are undecided.
package markov
