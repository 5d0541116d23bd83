package convex

import (
	"sync"

	"gonum.org/v1/gonum/floats"
)

// factors are the laws of single coordinates where every term's gradient is separable: component k of
// grad f_i depends on w_k alone. Given the term, the coordinates then move independently of each other and of
// the others' values, so that
//
//	P_alpha = (1/m) sum_i P_i1 x ... x P_id   (Kronecker product, P_ik is n x n with two entries a row),
//
// and a step of any length is m d passes, each along one coordinate: 2 m d multiply-adds for a state instead of the m 2^d
// of [Law.scatter], and no coefficients for the states, only m d tables of n. A pass reads src once and adds to dst twice;
// it is cut across the coordinate, so that no result depends on the workers.
//
// On 1e5 states, which lie in the cache, two workers take 0.7 to 1 ns a coordinate, state and term (BenchmarkLawStep): the limit is not memory but the two additions to
// places that the neighbour has just written.
//
// All additions are of numbers of one sign and every probability is a product of d factors, each within an ulp: the relative
// error of a step is a few 2^-53 as for the others.
type factors struct {
	drift   []float64 // of term i in coordinate k at index j: [(i*d+k)*n + j]
	move    []factorMove
	partial [2][]float64 // between the passes

	// The pass that the tasks work on.
	dst, src []float64
	moves    []factorMove
	stride   int
	add      bool    // to dst as it is; the last pass of a term but the first
	scale    float64 // of the last pass

	tasks []func()
	wait  sync.WaitGroup
}

// factorMove is where index j goes: to near with probability 1-p, to far with p.
type factorMove struct {
	near, far int
	p         float64
}

// factor returns the law's factors, or nil if it has none or d = 1, where there is nothing to factor.
func (l *Law) factor() *factors {
	if l.d == 1 {
		return nil
	}
	f := &factors{drift: make([]float64, l.m*l.d*l.n)}
	for x := range l.states {
		for i := range l.m {
			for k := range l.d {
				h, at := l.drift[(x*l.m+i)*l.d+k], (i*l.d+k)*l.n+l.index(x, k)
				if x < l.stride[k]*l.n && x%l.stride[k] == 0 { // the other coordinates are 0
					f.drift[at] = h
				}
			}
		}
	}
	for x := range l.states {
		for i := range l.m {
			for k := range l.d {
				if l.drift[(x*l.m+i)*l.d+k] != f.drift[(i*l.d+k)*l.n+l.index(x, k)] {
					return nil
				}
			}
		}
	}
	f.move = make([]factorMove, len(f.drift))
	for i := range f.partial[:min(l.d-1, 2)] {
		f.partial[i] = make([]float64, l.states)
	}
	return f
}

// share divides the passes among workers.
func (f *factors) share(l *Law, workers int) {
	f.tasks = nil
	for w := range workers {
		f.tasks = append(f.tasks, func() {
			f.pass(l.n, w, workers)
			f.wait.Done()
		})
	}
}

// step sets dst = src P_alpha.
func (f *factors) step(l *Law, dst, src []float64, alpha float64) {
	for at, h := range f.drift {
		j := at % l.n
		near, far, p := l.move(alpha*h, j, 1)
		if p == 0 {
			far = near // a point outside the box, perhaps
		}
		f.move[at] = factorMove{j + near, j + far, p}
	}
	for i := range l.m {
		from := src
		for k := l.d - 1; k >= 0; k-- {
			to := dst
			if k > 0 {
				to = f.partial[k-1]
			}
			f.dst, f.src, f.moves, f.stride = to, from, f.move[(i*l.d+k)*l.n:][:l.n], l.stride[k]
			f.add, f.scale = k == 0 && i > 0, 1
			if k == 0 {
				f.scale = 1 / float64(l.m)
			}
			f.wait.Add(len(f.tasks))
			for _, task := range f.tasks[1:] {
				go task()
			}
			f.tasks[0]()
			f.wait.Wait()
			from = to
		}
	}
}

// pass moves one coordinate of n values, stride apart: worker's part of the other coordinates.
func (f *factors) pass(n, worker, workers int) {
	if f.stride == 1 {
		rows := len(f.src) / n
		row, last := worker*rows/workers, (worker+1)*rows/workers
		// Four rows at a time: neighbouring sources add to the same place, and each addition waits for the one before.
		for ; row+4 <= last; row += 4 {
			src, dst := f.src[row*n:][:4*n], f.dst[row*n:][:4*n]
			clear(dst)
			s0, s1, s2, s3 := src[:n], src[n:][:n], src[2*n:][:n], src[3*n:][:n]
			d0, d1, d2, d3 := dst[:n], dst[n:][:n], dst[2*n:][:n], dst[3*n:][:n]
			from, to := support(s0)
			for _, s := range [3][]float64{s1, s2, s3} {
				a, b := support(s)
				from, to = min(from, a), max(to, b)
			}
			for j := from; j < to; j++ {
				m := &f.moves[j]
				p, q := m.p, 1-m.p
				v0, v1, v2, v3 := s0[j], s1[j], s2[j], s3[j]
				d0[m.near] += v0 * q
				d1[m.near] += v1 * q
				d2[m.near] += v2 * q
				d3[m.near] += v3 * q
				d0[m.far] += v0 * p
				d1[m.far] += v1 * p
				d2[m.far] += v2 * p
				d3[m.far] += v3 * p
			}
		}
		for ; row < last; row++ {
			src, dst := f.src[row*n:][:n], f.dst[row*n:][:n]
			clear(dst)
			from, to := support(src)
			for j := from; j < to; j++ {
				m := &f.moves[j]
				dst[m.near] += src[j] * (1 - m.p)
				dst[m.far] += src[j] * m.p
			}
		}
		return
	}
	// Blocks of n rows of stride values: cut into columns, each worker all rows of its own.
	from, to := worker*f.stride/workers, (worker+1)*f.stride/workers
	for block := 0; block < len(f.src); block += n * f.stride {
		if !f.add {
			for j := range n {
				clear(f.dst[block+j*f.stride+from : block+j*f.stride+to])
			}
		}
		for j, m := range f.moves {
			src := f.src[block+j*f.stride+from : block+j*f.stride+to]
			a, b := support(src)
			src = src[a:b]
			floats.AddScaled(f.dst[block+m.near*f.stride+from+a:][:len(src)], f.scale*(1-m.p), src)
			if m.p > 0 {
				floats.AddScaled(f.dst[block+m.far*f.stride+from+a:][:len(src)], f.scale*m.p, src)
			}
		}
	}
}

// support is the range outside which x is 0: the law of an iterate often leaves most of the grid empty. (0, 0) if there is nothing.
func support(x []float64) (from, to int) {
	for to = len(x); to > 0 && x[to-1] == 0; to-- {
	}
	for from < to && x[from] == 0 {
		from++
	}
	return from, to
}
