package reports

import (
	"testing"

	"tqn/referee"
)

// From which update on one run's error stays below another's: after the last epoch at whose end it does not.
func TestStaysBelow(t *testing.T) {
	run := func(errors ...float64) referee.StudyResult {
		r := referee.StudyResult{Steps: uint64(100 * len(errors))}
		for _, e := range errors {
			r.Epochs = append(r.Epochs, referee.StudyEpoch{TestError: e})
		}
		return r
	}
	level := run(5, 5, 5, 5)
	for _, c := range []struct {
		a    referee.StudyResult
		want int
	}{
		{run(4, 4, 4, 4), 100}, {run(6, 4, 6, 4), 400}, {run(6, 4, 4, 4), 200}, {run(4, 4, 4, 5), 0}, {run(6, 6, 6, 6), 0},
	} {
		if got := staysBelow(c.a, level); got != c.want {
			t.Errorf("%v: from %d updates on, want %d", c.a.Epochs, got, c.want)
		}
	}
}
