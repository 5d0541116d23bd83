package markov

import "math"

// CertifiedError is the largest bound on the entrywise relative error with which a
// stationary law is handed out. A law with a larger bound, or with none, is an
// error (ErrUncertified).
const CertifiedError = 1e-8

// unit is the largest relative error of one operation on float64.
const unit = 0x1p-53

// errorBound returns the bound on the entrywise relative error of a law that was
// computed by GTH with the given number of roundings.
//
// By the Markov chain tree theorem (M. Freidlin, A. Wentzell, 1984, Lemma 6.3.1) the
// law of x is proportional to w(x), the sum over the spanning trees with root x of
// the product of their rates. A tree has one move out of every state but its root.
// So if the rates out of m states change by factors within (1+u)^(+-k), then each
// w(x) changes by a factor within (1+u)^(+-mk), whatever the condition number
// (C. O'Cinneide, Numer. Math. 65 (1993) 109-120, has m = n).
//
// Eliminating a state k changes the rates out of the states that lead to it and no
// others. What is computed in floating point is therefore exact for the law of a
// chain in which each of those rows was changed by a factor within
// (1+u)^(+-roundingsOf), step by step, and the substitution back adds the roundings
// along its longest path. The number given is the sum of all of them; it counts
// twice because the law is w over the sum of the w, and four roundings are
// those of that quotient.
func errorBound(roundings float64) float64 {
	e := (2*roundings + 4) * unit
	if e > 0.1 {
		return math.Inf(1)
	}
	return e / (1 - e)
}

// denseRoundings is the sum of roundings in the elimination of n states by gth,
// where state k has moves to and from all k states before it.
func denseRoundings(n int) float64 { return bandRoundings(n, n, n) }

// bandRoundings is denseRoundings for gthBand.
func bandRoundings(n, below, above int) float64 {
	s := 0.0
	for k := 1; k < n; k++ {
		s += float64(min(k, above)) * roundingsOf(min(k, below))
	}
	return s
}

// denseDepth bounds the roundings of the substitution back in gth.
func denseDepth(n int) float64 { return bandDepth(n, n, n) }

// bandDepth is denseDepth for gthBand.
func bandDepth(n, below, above int) float64 {
	s := 0.0
	for k := 1; k < n; k++ {
		s += float64(min(k, above)) + roundingsOf(min(k, below))
	}
	return s
}
