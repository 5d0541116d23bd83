package markov

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/mat"
)

// GapAccuracy is the relative error up to which Gap gives a number.
const GapAccuracy = 1e-3

// ErrIllConditioned says that eigenvalues react so strongly to rounding that the
// gap is not known to GapAccuracy.
var ErrIllConditioned = errors.New("markov: the spectral gap is too ill-conditioned")

// Gap returns the absolute spectral gap 1 - max{|lambda| : lambda != 1} of an
// irreducible chain. It is zero for a periodic chain. See SpectralGap, whose error
// is at most GapAccuracy of the gap here; if it is larger the answer is ErrIllConditioned.
func (c *Chain) Gap() (float64, error) {
	g, err := c.SpectralGap(context.Background())
	return g.Value, err
}

// SpectralGap returns the gap of an irreducible chain with a bound on its error.
//
// The eigenvalues of -Q that are near zero are the large ones of its group
// inverse, which has them to a small relative error; an eigenvalue solver applied
// to P or to Q has them only to 1e-16 of the largest. Matrices are scaled with
// sqrt(pi), which makes those of reversible chains symmetric: their eigenvalues are
// right to the norm of the matrix's error (Weyl). Those of others are right to
// that norm times the condition number of the eigenvectors (F. Bauer, C. Fike, Numer.
// Math. 2 (1960) 137-141), which the residual of the computed eigenvectors proves; up
// to exactGapStates states they come from the exact characteristic polynomial.
func (c *Chain) SpectralGap(ctx context.Context) (SpectralGap, error) {
	if c.n == 1 {
		return SpectralGap{Value: 1, Method: "one state"}, nil
	}
	if !c.Irreducible() {
		return SpectralGap{}, fmt.Errorf("%w or transient states: the spectrum is computed for irreducible chains", ErrReducible)
	}
	if !c.Aperiodic() {
		return SpectralGap{Method: "periodic"}, nil // an eigenvalue of modulus one besides 1: exact, from the graph
	}
	v, err := c.expectedVisits(ctx)
	if err != nil {
		return SpectralGap{}, err
	}
	return c.gap(ctx, v)
}

// gapStates is the number of states up to which eigenvectors of a chain that is not
// reversible are computed, some ten seconds.
const gapStates = 700

func (c *Chain) gap(ctx context.Context, v visits) (SpectralGap, error) {
	reversible, _ := c.reversible(v.pi)
	if c.n <= exactGapStates && !reversible {
		if g, ok := c.exactGap(); ok {
			return g, nil
		}
	}
	g, err := c.eigenvectorGap(ctx, v)
	if c.n > exactGapStates && errors.Is(err, ErrIllConditioned) && ctx.Err() == nil {
		if exact, ok := c.exactGap(); ok { // repeated eigenvalues may leave few
			return exact, nil
		}
	}
	return g, err
}

// eigenvectorGap encloses the gap by eigenvalues in floating point.
func (c *Chain) eigenvectorGap(ctx context.Context, v visits) (SpectralGap, error) {
	reversible, _ := c.reversible(v.pi)
	if !reversible && c.n > gapStates {
		return SpectralGap{}, fmt.Errorf("markov: the gap of a chain that is not reversible needs eigenvectors; %d states is the limit", gapStates)
	}
	scale := make([]float64, c.n)
	for x, p := range v.pi {
		scale[x] = math.Sqrt(p)
		if p < 1e-290 {
			scale[x] = 1e-145
		}
	}
	h, herr := v.deviationError()
	time := unitOf(h, herr)
	slow, err := enclose(h, herr, scale, reversible)
	if err != nil {
		return SpectralGap{}, err
	}
	if err := ctx.Err(); err != nil {
		return SpectralGap{}, err
	}
	e := enclosure{low: math.Inf(1), high: math.Inf(1)}
	largest := 0.0
	for _, t := range slow.values {
		largest = max(largest, cmplx.Abs(t))
	}
	// Modes with |t| above the cut are taken from the group inverse; those below, whose
	// 1/t is above 1/(cut+radius), from Q.
	cut := 1e-6*largest + 2*slow.radius
	for _, t := range slow.values {
		if a := cmplx.Abs(t); a > cut && a > 2*slow.radius {
			e.add(c.gapOf(1/t/complex(time, 0)), c.alpha/time*slow.radius/(a*(a-slow.radius)))
		}
	}
	least := 1 / (cut + slow.radius) / time // of |mu| of the others
	if c.leastGap(least, reversible) <= e.high {
		q, qerr := c.generatorError()
		rate := unitOf(q, qerr)
		fast, err := enclose(q, qerr, scale, reversible)
		if err != nil {
			return SpectralGap{}, err
		}
		for _, m := range fast.values {
			if (cmplx.Abs(m)+fast.radius)*rate > least {
				e.add(c.gapOf(-m*complex(rate, 0)), c.alpha*rate*fast.radius)
			}
		}
	}
	return e.gap()
}

// unitOf divides a matrix and its error by the power of two that brings the largest
// entry near one, so that norms stay in range, and returns it.
func unitOf(a, err []float64) float64 {
	largest := 0.0
	for _, v := range a {
		largest = max(largest, math.Abs(v))
	}
	_, e := math.Frexp(largest)
	e = min(1000, max(-1000, e))
	for i := range a {
		a[i], err[i] = math.Ldexp(a[i], -e), math.Ldexp(err[i], -e)
	}
	return math.Ldexp(1, e)
}

// leastGap bounds 1 - |1 - alpha mu| below for |mu| >= least. With a = alpha times the
// largest exit, w = alpha mu lies in Gershgorin's disc |w - a| <= a, so that
// 2 a Re w >= |w|^2 and |1-w|^2 <= 1 - |w|^2 (1/a - 1); a real w lies in [0, 2a].
func (c *Chain) leastGap(least float64, real bool) float64 {
	w, a := c.alpha*least, c.alpha*maxOf(c.exit)
	if real {
		return min(w, 2-2*a)
	}
	return w * w * (1/a - 1) / 2
}

// enclosure collects the modes that could be the slowest.
type enclosure struct{ low, high float64 }

func (e *enclosure) add(gap, err float64) {
	e.low, e.high = min(e.low, gap-err), min(e.high, gap+err)
}

func (e *enclosure) gap() (SpectralGap, error) {
	g := SpectralGap{Value: (e.low + e.high) / 2, Error: (e.high - e.low) / 2 * (1 + 4*unit), Method: "eigenvectors"}
	if !(e.low > 0) || !(g.Error <= GapAccuracy*g.Value) {
		return SpectralGap{}, fmt.Errorf("%w: it lies between %.3g and %.3g", ErrIllConditioned, max(0, e.low), min(1, e.high))
	}
	return g, nil
}

// deviationError returns the group inverse and a bound on the error of each entry.
func (v visits) deviationError() (h, err []float64) {
	n := v.n
	h = v.deviation()
	err = make([]float64, n*n)
	relative := 3*v.accuracy + float64(n+4)*2*unit
	mean := make([]float64, n)
	for x := range n {
		sum := 0.0
		row := v.time[x*n : (x+1)*n]
		for _, t := range row {
			sum += t
		}
		for y, t := range row {
			err[x*n+y] = t + sum*v.pi[y]
			mean[y] += v.pi[x] * err[x*n+y]
		}
	}
	for x := range n {
		for y := range n {
			err[x*n+y] = relative * (err[x*n+y] + mean[y])
		}
	}
	return h, err
}

// generatorError returns Q with its diagonal and a bound on the error of each entry.
func (c *Chain) generatorError() (q, err []float64) {
	q, err = c.denseRates(), make([]float64, c.n*c.n)
	for x, e := range c.exit {
		q[x*c.n+x] = -e
		err[x*c.n+x] = e * float64(c.ptr[x+1]-c.ptr[x]) * unit
	}
	return q, err
}

// spectrum holds eigenvalues and the radius of the discs about them that contain
// the true ones, as many in each union of discs that meet as there are discs.
type spectrum struct {
	values []complex128
	radius float64
}

// enclose returns the eigenvalues of a + E, |E| <= err, after the similarity with
// diag(scale). It overwrites a and err.
func enclose(a, err, scale []float64, symmetric bool) (spectrum, error) {
	n := len(scale)
	size, e := 0.0, 0.0
	for x := range n {
		for y := range n {
			r := scale[x] / scale[y]
			a[x*n+y] *= r
			err[x*n+y] = err[x*n+y]*r + 4*unit*math.Abs(a[x*n+y])
			size += a[x*n+y] * a[x*n+y]
			e += err[x*n+y] * err[x*n+y]
		}
	}
	size, e = math.Sqrt(size), math.Sqrt(e)
	if math.IsNaN(size+e) || math.IsInf(size+e, 0) {
		return spectrum{}, fmt.Errorf("%w: the matrix overflows", ErrIllConditioned)
	}
	if symmetric {
		return encloseSymmetric(a, n, size, e)
	}
	var f mat.Eigen
	if !f.Factorize(mat.NewDense(n, n, a), mat.EigenRight) {
		return spectrum{}, fmt.Errorf("markov: the eigenvalue solver did not converge")
	}
	var v mat.CDense
	f.VectorsTo(&v)
	s := spectrum{values: f.Values(nil)}
	s.radius = bauerFike(a, &v, s.values, size, e)
	return s, nil
}

// encloseSymmetric is enclose for a matrix that would be symmetric but for errors.
// The skew part counts as an error; the solver's own is a small multiple of n units
// in the last place of the norm (LAPACK Users' Guide, 3rd ed., Section 4.7).
func encloseSymmetric(a []float64, n int, size, e float64) (spectrum, error) {
	s := mat.NewSymDense(n, nil)
	skew := 0.0
	for x := range n {
		for y := x; y < n; y++ {
			s.SetSym(x, y, (a[x*n+y]+a[y*n+x])/2)
			d := (a[x*n+y] - a[y*n+x]) / 2
			skew += 2 * d * d
		}
	}
	var f mat.EigenSym
	if !f.Factorize(s, false) {
		return spectrum{}, fmt.Errorf("markov: the symmetric eigenvalue solver did not converge")
	}
	out := spectrum{radius: e + math.Sqrt(skew) + 10*float64(n)*unit*size}
	for _, v := range f.Values(nil) {
		out.values = append(out.values, complex(v, 0))
	}
	return out, nil
}

// bauerFike returns the radius of the discs: with X about the inverse of the
// eigenvectors V, |V^-1| <= |X|/(1-|I-XV|), and a + E = V (L + V^-1 (aV - VL + EV)) V^-1.
func bauerFike(a []float64, v *mat.CDense, values []complex128, size, e float64) float64 {
	n := len(values)
	x, ok := inverse(v)
	if !ok {
		return math.Inf(1)
	}
	u := v.RawCMatrix()
	square := func(z complex128) float64 { return real(z)*real(z) + imag(z)*imag(z) }
	var defect, residual, xnorm, vnorm float64
	d, r := make([]complex128, n), make([]complex128, n) // a row of XV - I, of aV - VL
	for i := range n {
		clear(d)
		clear(r)
		d[i] = -1
		for k := range n {
			row := u.Data[k*u.Stride : k*u.Stride+n]
			f, g := x[i*n+k], complex(a[i*n+k], 0)
			for j, w := range row {
				d[j] += f * w
				r[j] += g * w
			}
			xnorm += square(f)
		}
		for j, w := range u.Data[i*u.Stride : i*u.Stride+n] {
			defect += square(d[j])
			residual += square(r[j] - w*values[j])
			vnorm += square(w)
		}
	}
	defect, residual, xnorm, vnorm = math.Sqrt(defect), math.Sqrt(residual), math.Sqrt(xnorm), math.Sqrt(vnorm)
	rounding := float64(n+4) * 4 * unit
	defect += rounding * xnorm * vnorm
	if !(defect < 0.5) {
		return math.Inf(1)
	}
	return xnorm / (1 - defect) * (residual + rounding*(size+norm2(values))*vnorm + e*vnorm)
}

func norm2(z []complex128) float64 {
	s := 0.0
	for _, v := range z {
		s = max(s, cmplx.Abs(v))
	}
	return s
}

// inverse is Gauss-Jordan elimination with row pivots.
func inverse(v *mat.CDense) ([]complex128, bool) {
	n, _ := v.Dims()
	w := 2 * n
	a := make([]complex128, n*w)
	for i := range n {
		for j := range n {
			a[i*w+j] = v.At(i, j)
		}
		a[i*w+n+i] = 1
	}
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if cmplx.Abs(a[i*w+k]) > cmplx.Abs(a[p*w+k]) {
				p = i
			}
		}
		if a[p*w+k] == 0 {
			return nil, false
		}
		if p != k {
			for j := range w {
				a[p*w+j], a[k*w+j] = a[k*w+j], a[p*w+j]
			}
		}
		f := 1 / a[k*w+k]
		rowK := a[k*w : (k+1)*w]
		for j := range rowK {
			rowK[j] *= f
		}
		parallel(n, n > 100, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				f := a[i*w+k]
				if i == k || f == 0 {
					continue
				}
				row := a[i*w : (i+1)*w]
				for j, u := range rowK {
					row[j] -= f * u
				}
			}
		})
	}
	x := make([]complex128, n*n)
	for i := range n {
		copy(x[i*n:(i+1)*n], a[i*w+n:(i+1)*w])
	}
	return x, true
}
