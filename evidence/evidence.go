// Package evidence turns numbers into verdicts whose chance of being wrong is
// stated.
//
// A claim is an inequality "measured <= bound". The measured side is either
// exact (a number computed up to rounding error) or the mean of an unknown law
// of which independent values are drawn. For the second kind the package keeps
// a confidence sequence: intervals C_1, C_2, ... such that
//
//	P(mean in C_n for every n >= 1) >= 1 - alpha.
//
// Because the guarantee is uniform in n, one may look after every value and
// stop when the verdict is clear; the error probability is still at most alpha.
//
// Conventions. Values are independent draws of one law supported in a known
// interval [Lo, Hi]; alpha is the total (two-sided) miss probability; logs are
// natural. A verdict has three values: Holds when the whole interval is on the
// right side of the bound, Violated when the whole interval is on the wrong
// side, Undecided otherwise.
//
// Sources: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform,
// nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49
// (2021); I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random
// variables by betting", JRSS B 86 (2024); H. Robbins, "Statistical methods
// related to the law of the iterated logarithm", Ann. Math. Stat. 41 (1970).
package evidence

import (
	"fmt"
	"math"
)

// Verdict is what an interval says about "measured <= bound".
type Verdict uint8

// The three verdicts. The zero Verdict is Undecided, so a forgotten one is
// never taken for a success.
const (
	Undecided Verdict = iota
	Holds
	Violated
)

// String is "undecided", "holds" or "violated", the words of `tqn verify --json`.
func (v Verdict) String() string {
	switch v {
	case Undecided:
		return "undecided"
	case Holds:
		return "holds"
	case Violated:
		return "violated"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Method says how a Result was obtained.
type Method string

// The two methods, in the words of `tqn verify --json`.
const (
	ExactMethod   Method = "exact"
	SampledMethod Method = "sampled"
)

// Result is a measured quantity with what is known about it.
type Result struct {
	Method   Method
	Estimate float64
	// Lower <= Upper: for an exact value the rounding error, for a sampled one
	// the confidence sequence at the moment of stopping.
	Lower, Upper float64
	// Samples is the number of independent values used; 0 if exact.
	Samples int
	// Confidence is the achieved probability that the interval, and every
	// earlier one of the same sequence, covers the true value; 1 if exact.
	Confidence float64
	// Warnings are reasons to trust the result less; every report prints them.
	Warnings []string
}

// Exact is the result of a computation whose rounding error is at most
// roundoff >= 0 (absolute). It panics if value is NaN or roundoff is negative
// or NaN, since such a number is the outcome of a programming error.
func Exact(value, roundoff float64) Result {
	if math.IsNaN(value) || !(roundoff >= 0) {
		panic(fmt.Sprintf("evidence: Exact: value %v with rounding error %v", value, roundoff))
	}
	return Result{Method: ExactMethod, Estimate: value, Lower: value - roundoff, Upper: value + roundoff, Confidence: 1}
}

// equalWithin is the relative width below which an exact value that straddles
// the bound is called equal to it. Chains of inequalities contain equalities
// (|g|_1 = sqrt(d)|g|_2 for d = 1); double precision cannot tell "equal" from
// "above by 1e-16", and equality satisfies "<=".
const equalWithin = 1e-9

// AtMost judges "r <= bound". An exact value within its own rounding error of
// the bound counts as equal to it, hence as holding, if that error is below
// 1e-9 of the bound; a sampled value never does. A NaN bound is Undecided.
func (r Result) AtMost(bound float64) Verdict {
	switch {
	case r.Upper <= bound:
		return Holds
	case r.Lower > bound:
		return Violated
	case r.Method == ExactMethod && r.Upper-r.Lower <= equalWithin*math.Abs(bound):
		return Holds
	}
	return Undecided
}
