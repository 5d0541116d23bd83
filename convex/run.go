package convex

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"tqn/evidence"
	"tqn/quantize"
)

// Outcome is what one run of T steps leaves.
type Outcome struct {
	Average  float64 // F(wbar_T) - F*; of w_r for BC
	MeanGap  float64 // (1/T) sum_{t<=T} F(w^t) - F*
	Read     float64 // (1/T) sum_{t<=T} F(w_b^t) - F*, w_b = Q(w_r) for BC; MeanGap for the other rules
	Last     float64 // F(w^T) - F*
	LastRead float64 // F(w_b^T) - F*
}

// Runner holds the buffers of one run; it serves one goroutine at a time.
type Runner struct {
	in                Instance
	rule              quantize.Rule
	w, read, step, av []float64
	least             float64

	Defect Defect // what a negative control plants; [Sound] otherwise
}

// NewRunner prepares runs of the instance under one of quantize's rules.
func NewRunner(in Instance, rule quantize.Rule) *Runner {
	d := in.Problem.Dim()
	return &Runner{in: in, rule: rule, w: make([]float64, d), read: make([]float64, d), step: make([]float64, d), av: make([]float64, d),
		least: in.Problem.Value(in.Problem.Minimiser())}
}

// Defect is what a negative control plants in a run: the verdict on such a run has
// to be "violated", or the check proves nothing.
type Defect uint8

const (
	Sound      Defect = iota // none
	RoundsDown               // SR with a coin that always falls on the lower grid point
	Ascends                  // steps along +grad
)

// Streams of one run: the gradient samples and the rounding take their numbers
// from different streams, so that two rules see the same gradient samples.
const streamsPerRun = 2

// Run does the run with the given number. It is a function of (noise, number)
// only. visit, if not nil, is called with t and the running outcome's w^t and sum
// of w^1..w^t (not to be kept) before step t. Run allocates nothing.
//
//	for t = 1..T:  q = Read(w);  g = grad f_i(q);  w = Update(w, alpha_t g)
//
// wbar_T averages the w before each step, that is w^1..w^T, so the last step is
// not taken.
func (r *Runner) Run(noise quantize.Noise, number uint32, visit func(t int, w, sum []float64)) Outcome {
	return r.run(noise, number, visit, true)
}

// run skips the mean gaps, which cost a value of F per step, unless values is true.
func (r *Runner) run(noise quantize.Noise, number uint32, visit func(t int, w, sum []float64), values bool) Outcome {
	p, g := r.in.Problem, r.in.Grid
	copy(r.w, r.in.Start)
	clear(r.av)
	var out Outcome
	T := r.in.T
	bc := r.rule == quantize.BC || r.rule == quantize.BCStochastic
	read := r.w // Float, R and SR read what they store
	if bc {
		read = r.read
	}
	for t := 1; t <= T; t++ {
		for k, x := range r.w {
			r.av[k] += x
		}
		if visit != nil {
			visit(t, r.w, r.av)
		}
		round := noise.At(number*streamsPerRun+1, uint64(t))
		if bc {
			quantize.Read(r.rule, g, read, r.w, round)
		}
		if values || t == T {
			out.Last = p.Value(r.w) - r.least
			out.LastRead = out.Last
			if bc {
				out.LastRead = p.Value(read) - r.least
			}
			out.MeanGap += out.Last
			out.Read += out.LastRead
		}
		if t == T {
			break
		}
		stochasticGradient(p, r.step, read, noise.At(number*streamsPerRun, uint64(t)))
		alpha := r.in.Schedule.Alpha(t)
		for k := range r.step {
			r.step[k] *= alpha
		}
		switch r.Defect {
		case RoundsDown:
			r.down()
			continue
		case Ascends:
			for k := range r.step {
				r.step[k] = -r.step[k]
			}
		}
		quantize.Update(r.rule, g, r.w, r.step, round)
	}
	for k := range r.av {
		r.av[k] /= float64(T)
	}
	out.Average = p.Value(r.av) - r.least
	out.MeanGap /= float64(T)
	out.Read /= float64(T)
	return out
}

// down is SR's update under the defect RoundsDown.
func (r *Runner) down() {
	for k, x := range r.w {
		near, far, p := r.in.Grid.Move(x, -r.step[k])
		if p > 0 && far < near {
			near = far
		}
		r.w[k] = near
	}
}

// Curve is a deterministic run recorded at checkpoints.
type Curve struct {
	T                      []int
	Average, MeanGap, Read []float64 // as in Outcome, for the first T iterates
}

// Trajectory is one run with its gaps at checkpoints. Under Float, R and BC on a
// problem without gradient noise (Terms = 1) it is the exact answer.
func Trajectory(in Instance, rule quantize.Rule, noise quantize.Noise, number uint32) Curve {
	var c Curve
	r := NewRunner(in, rule)
	mean := make([]float64, len(r.w))
	q := make([]float64, len(r.w))
	checks := checkpoints(in.T)
	var sum, read float64
	r.run(noise, number, func(t int, w, total []float64) {
		quantize.Read(rule, in.Grid, q, w, noise.At(number*streamsPerRun+1, uint64(t)))
		sum += in.Problem.Value(w) - r.least
		read += in.Problem.Value(q) - r.least
		if t != checks[len(c.T)] {
			return
		}
		for k := range mean {
			mean[k] = total[k] / float64(t)
		}
		c.T = append(c.T, t)
		c.Average = append(c.Average, in.Problem.Value(mean)-r.least)
		c.MeanGap = append(c.MeanGap, sum/float64(t))
		c.Read = append(c.Read, read/float64(t))
	}, false)
	return c
}

// Deterministic reports whether a rule's run on the problem has no randomness.
func Deterministic(p Problem, rule quantize.Rule) bool {
	return p.Terms() == 1 && rule != quantize.SR && rule != quantize.BCStochastic
}

// Sampling says how a mean is estimated.
type Sampling struct {
	Alpha   float64 // error probability of this mean's confidence sequence, in (0, 1)
	Batch   int     // runs between two looks; default 256
	Max     int     // runs at most; default 1 << 16
	Workers int     // goroutines; default GOMAXPROCS. The result does not depend on it.
	Defect  Defect  // planted in every run of a negative control
}

// MonteCarlo estimates E F(wbar_T) - F* by independent runs until the verdict on
// every bound in bounds is clear, or for s.Max runs. The gap lies in
// [0, Sup - F*], which is all that the confidence sequence assumes.
//
// Run number i is a function of (noise, first+i), batches have a fixed size and
// are read in order: the result is the same for any number of workers.
func MonteCarlo(ctx context.Context, in Instance, rule quantize.Rule, noise quantize.Noise, first uint32, bounds []float64, s Sampling) (evidence.Result, error) {
	if s.Batch <= 0 {
		s.Batch = 256
	}
	if s.Max <= 0 {
		s.Max = 1 << 16
	}
	if s.Workers <= 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	top := in.Problem.Constants().Sup - in.Problem.Value(in.Problem.Minimiser())
	seq := evidence.NewBetting(evidence.Support{Lo: 0, Hi: top}, s.Alpha)
	runners := make([]*Runner, s.Workers)
	for i := range runners {
		runners[i] = NewRunner(in, rule)
		runners[i].Defect = s.Defect
	}
	values := make([]float64, s.Batch)
	next := s.Batch // looks at 1, 2, 4, ... batches: each costs a pass over all values
	for done := 0; done < s.Max; {
		n := min(s.Batch, s.Max-done)
		group, ctx := errgroup.WithContext(ctx)
		for worker, r := range runners {
			group.Go(func() error {
				for i := worker; i < n; i += s.Workers {
					if err := ctx.Err(); err != nil {
						return err
					}
					values[i] = r.run(noise, first+uint32(done+i), nil, false).Average
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return evidence.Result{}, fmt.Errorf("convex: %s: %w", in, err)
		}
		for _, v := range values[:n] {
			seq.Add(math.Max(v, 0)) // F(wbar) - F* >= 0; rounding may say -1e-17
		}
		done += n
		if done < next && done < s.Max {
			continue
		}
		next = done + done/2
		if decided(seq.Result(), bounds) {
			break
		}
	}
	return seq.Result(), nil
}

func decided(r evidence.Result, bounds []float64) bool {
	for _, b := range bounds {
		if r.AtMost(b) == evidence.Undecided {
			return false
		}
	}
	return true
}
