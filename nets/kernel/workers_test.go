package kernel

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestDo: a job does each of its parts once, and is over when Do returns, for
// jobs that follow each other at once, when helpers may come too late, and after pauses
// in which they fall asleep, with fewer and with more workers than processors.
func TestDo(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 2*runtime.GOMAXPROCS(0) + 1} {
		ws := newWorkers(t, threads, "generic")
		var times [40]int
		var inside atomic.Int64
		job := func(part, worker int) {
			if worker < 0 || worker >= threads {
				t.Errorf("worker %d of %d", worker, threads)
			}
			inside.Add(1)
			times[part]++
			if part%8 == 1 { // the helper's only part of two is the longer one
				time.Sleep(time.Microsecond)
			}
			inside.Add(-1)
		}
		want := [40]int{}
		for n := range 600 {
			parts := n % (len(times) + 1)
			ws.Do(parts, job)
			if left := inside.Load(); left != 0 {
				t.Fatalf("%d threads, job %d: %d parts run after Do has returned", threads, n, left)
			}
			for part := range parts {
				want[part]++
			}
			if times != want {
				t.Fatalf("%d threads, job %d of %d parts: times done %v, want %v", threads, n, parts, times, want)
			}
			if n%50 == 49 {
				time.Sleep(3 * mostPatience)
			}
		}
		ws.Close()
		ws.Do(3, job) // by the caller alone
	}
}

// TestSleeperIsNotMissed: what comes about after the last look and before the
// waiter has fallen asleep, when rouse finds nobody to wake, ends the wait.
func TestSleeperIsNotMissed(t *testing.T) {
	s := sleeper{wake: make(chan struct{}, 1)}
	looks := 0
	over := make(chan struct{})
	go func() {
		s.wait(func() bool {
			if looks++; looks == 1 {
				s.rouse() // after this look it is ready
			}
			return looks > 1
		})
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Fatal("asleep for ever")
	}
}

// TestSleeperLearns: waits that end while the waiter looks lengthen its
// patience, those that put it to sleep shorten it, both within bounds, and a
// waiter without patience gets none.
func TestSleeperLearns(t *testing.T) {
	sleep := func(s *sleeper) {
		var over atomic.Bool
		go func() {
			for !s.asleep.Load() {
				runtime.Gosched()
			}
			over.Store(true)
			s.rouse()
		}()
		s.wait(over.Load)
	}
	s := sleeper{wake: make(chan struct{}, 1), patience: mostPatience}
	for range 10 {
		sleep(&s)
	}
	if s.patience != leastPatience {
		t.Errorf("patience %v after ten sleeps, want %v", s.patience, leastPatience)
	}
	ready := func() bool { return true }
	if s.wait(ready); s.patience <= leastPatience {
		t.Errorf("patience %v does not grow when it pays", s.patience)
	}
	for range 100 {
		s.wait(ready)
	}
	if s.patience != mostPatience {
		t.Errorf("patience %v after a hundred short waits, want %v", s.patience, mostPatience)
	}
	none := sleeper{wake: make(chan struct{}, 1)}
	sleep(&none)
	none.wait(ready)
	if none.patience != 0 {
		t.Errorf("patience %v out of nothing", none.patience)
	}
}

// BenchmarkDo: what a job costs beyond its parts: eight parts of a quarter of
// the given time each on two workers.
//
//	go test ./nets/kernel -run XXX -bench Do$ -benchtime 1000x
func BenchmarkDo(b *testing.B) {
	for _, work := range []time.Duration{20 * time.Microsecond, 200 * time.Microsecond, time.Millisecond} {
		b.Run("work="+work.String(), func(b *testing.B) {
			ws := newWorkers(b, 2, "generic")
			part := func(int, int) {
				for start := time.Now(); time.Since(start) < work/4; {
				}
			}
			for b.Loop() {
				ws.Do(8, part)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)-float64(work.Microseconds()), "us-over")
		})
	}
}
