package main

import (
	"testing"
	"time"
)

func TestTimeLeft(t *testing.T) {
	for _, c := range []struct {
		spent      time.Duration
		done, left int64
		want       string
	}{
		{time.Minute, 0, 10, "unknown"},
		{time.Minute, 10, 20, "2m0s"},
		{3 * time.Minute, 5741248, 53206896, "27m48s"}, // the product of nanoseconds and units passes 2^63
		{24 * time.Hour, 1e12, 9e12, "216h0m0s"},
	} {
		if got := timeLeft(c.spent, c.done, c.left); got != c.want {
			t.Errorf("%v for %d, %d left: %q, want %q", c.spent, c.done, c.left, got, c.want)
		}
	}
}
