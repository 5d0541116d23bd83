package evidence

import "fmt"

// FalseAlarm is the probability that a whole run, all of its claims together,
// contains a single interval that misses: one run in a million. A project that
// runs its tests a thousand times a day then waits three years for the first
// false alarm.
const FalseAlarm = 1e-6

// Budget splits a total error probability evenly over claims (Bonferroni: the
// probability of a union is at most the sum, whatever the dependence).
//
// Holm's step-down would reject more true violations, but it orders p-values
// and gives no simultaneous intervals; every line of a report shows its
// interval, and both "holds" and "violated" have to be right, so all intervals
// must cover at once. Alpha enters only as sqrt(log(1/alpha)), so the price of
// the simpler rule is a few per cent of width.
type Budget struct {
	total  float64
	claims int
	used   int
}

// NewBudget panics unless 0 < total < 1 and claims >= 1.
func NewBudget(total float64, claims int) *Budget {
	if !(total > 0 && total < 1) || claims < 1 {
		panic(fmt.Sprintf("evidence: NewBudget: total %v over %d claims", total, claims))
	}
	return &Budget{total: total, claims: claims}
}

// Alpha is the error probability of one sampled claim.
func (b *Budget) Alpha() float64 { return b.total / float64(b.claims) }

// Spend takes one claim's share and returns it. It panics when all shares are
// spent: a run that judges more claims than it planned has no error bound.
// It must not be called from several goroutines at once.
func (b *Budget) Spend() float64 {
	if b.used == b.claims {
		panic(fmt.Sprintf("evidence: Budget.Spend: all %d shares are spent", b.claims))
	}
	b.used++
	return b.Alpha()
}

// Spent is the error probability used so far: (claims judged) * Alpha.
func (b *Budget) Spent() float64 { return float64(b.used) * b.Alpha() }
