package worst

import (
	"errors"
	"math"
	"math/big"
)

// factorBits is the grid of the factor: its entries are multiples of 2^-50.
const factorBits = 50

// errIndefinite says that no proof of positive semidefiniteness was found.
var errIndefinite = errors.New("the matrix of the weighted sum is not shown to be positive semidefinite")

// positiveSemidefinite proves that every symmetric matrix inside the interval matrix S is positive semidefinite. It looks for a lower triangular F, in floating
// point, and then checks in whole numbers that S - F F' is diagonally dominant with a diagonal that is not negative. Both summands are then positive
// semidefinite, so S is. Rounding errors of the search cannot make the check pass wrongly.
func positiveSemidefinite(S [][]interval) error {
	n := len(S)
	mid, radius := scaledMatrix(S)
	for bits := 12; bits <= 44; bits++ {
		factor, ok := cholesky(S, math.Ldexp(1, -bits))
		if ok && dominated(mid, radius, factor, n) {
			return nil
		}
	}
	return errIndefinite
}

// scaledMatrix returns whole numbers with |2^100 S_ij - mid_ij| <= radius_ij for every matrix inside S.
func scaledMatrix(S [][]interval) (mid, radius [][]*big.Int) {
	n := len(S)
	one := big.NewInt(1)
	mid, radius = make([][]*big.Int, n), make([][]*big.Int, n)
	for i := range n {
		mid[i], radius[i] = make([]*big.Int, n), make([]*big.Int, n)
		for j := range n {
			lo, hi := floor(S[i][j].lo), floor(S[i][j].hi)
			mid[i][j] = lo
			radius[i][j] = hi.Sub(hi, lo).Add(hi, one)
		}
	}
	return mid, radius
}

// floor is the largest whole number below 2^100 x.
func floor(x *big.Rat) *big.Int {
	n := new(big.Int).Lsh(x.Num(), 2*factorBits)
	q, _ := n.DivMod(n, x.Denom(), new(big.Int))
	return q
}

// cholesky factors S - shift*I in floating point; the entries come out as multiples of 2^-50.
func cholesky(S [][]interval, shift float64) ([][]*big.Int, bool) {
	n := len(S)
	l := make([][]float64, n)
	out := make([][]*big.Int, n)
	for i := range n {
		l[i], out[i] = make([]float64, i+1), make([]*big.Int, i+1)
		for j := 0; j <= i; j++ {
			x, _ := S[i][j].lo.Float64()
			if i == j {
				x -= shift
			}
			for k := range j {
				x -= l[i][k] * l[j][k]
			}
			if i == j {
				if !(x > 0) || math.IsInf(x, 0) {
					return nil, false
				}
				x = math.Sqrt(x)
			} else {
				x /= l[j][j]
			}
			l[i][j] = x
			scaled, _ := big.NewFloat(math.Ldexp(x, factorBits)).Int(nil)
			out[i][j] = scaled
		}
	}
	return out, true
}

// dominated reports whether mid - F F' is diagonally dominant by more than all radii.
func dominated(mid, radius [][]*big.Int, factor [][]*big.Int, n int) bool {
	rest := make([]*big.Int, n) // what the diagonal has left
	for i := range rest {
		rest[i] = new(big.Int)
	}
	var p big.Int
	for i := range n {
		for j := 0; j <= i; j++ {
			d := new(big.Int).Set(mid[i][j])
			for k := 0; k <= j; k++ {
				d.Sub(d, p.Mul(factor[i][k], factor[j][k]))
			}
			if i == j {
				rest[i].Add(rest[i], d)
				rest[i].Sub(rest[i], radius[i][i])
				continue
			}
			d.Abs(d).Add(d, radius[i][j])
			rest[i].Sub(rest[i], d)
			rest[j].Sub(rest[j], d)
		}
	}
	for _, x := range rest {
		if x.Sign() < 0 {
			return false
		}
	}
	return true
}
