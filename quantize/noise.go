package quantize

import (
	"math/bits"

	"gonum.org/v1/gonum/mathext"
)

// Noise is the counter-based generator Philox4x32-10 (Salmon, Moraes, Dror,
// Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011) keyed by a
// seed. It has no state: the same arguments give the same words.
type Noise struct{ k0, k1 uint32 }

// NewNoise returns the generator of a seed.
func NewNoise(seed uint64) Noise { return Noise{uint32(seed), uint32(seed >> 32)} }

// Philox constants (Salmon et al., Table 2): two multipliers and two Weyl
// increments of the key.
const (
	PhiloxM0 = 0xD2511F53
	PhiloxM1 = 0xCD9E8D57
	PhiloxW0 = 0x9E3779B9
	PhiloxW1 = 0xBB67AE85
)

// Block returns the four words of the counter (block, stream, step low, step
// high). Distinct arguments give distinct counters.
func (n Noise) Block(stream uint32, step uint64, block uint32) [4]uint32 {
	c0, c1, c2, c3 := block, stream, uint32(step), uint32(step>>32)
	k0, k1 := n.k0, n.k1
	for range 10 {
		h0, l0 := bits.Mul32(PhiloxM0, c0)
		h1, l1 := bits.Mul32(PhiloxM1, c2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		k0 += PhiloxW0
		k1 += PhiloxW1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// pair sets dst to the blocks block and block+1. A block is a chain of ten dependent
// multiplications; two chains at once take hardly longer than one.
func (n Noise) pair(dst *[8]uint32, stream uint32, step uint64, block uint32) {
	c0, c1, c2, c3 := block, stream, uint32(step), uint32(step>>32)
	d0, d1, d2, d3 := block+1, c1, c2, c3
	k0, k1 := n.k0, n.k1
	for range 10 {
		h0, l0 := bits.Mul32(PhiloxM0, c0)
		h1, l1 := bits.Mul32(PhiloxM1, c2)
		e0, f0 := bits.Mul32(PhiloxM0, d0)
		e1, f1 := bits.Mul32(PhiloxM1, d2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		d0, d1, d2, d3 = e1^d1^k0, f1, e0^d3^k1, f0
		k0 += PhiloxW0
		k1 += PhiloxW1
	}
	*dst = [8]uint32{c0, c1, c2, c3, d0, d1, d2, d3}
}

// Key returns the two key words, for kernels that vectorise [Noise.Block].
func (n Noise) Key() (k0, k1 uint32) { return n.k0, n.k1 }

// At returns everything random in one step of one stream.
func (n Noise) At(stream uint32, step uint64) Draw { return Draw{n, stream, step} }

// Draw is the randomness of one (seed, stream, step), indexed by i. The three
// views Bits, Uniform and Normal read the same words: a stream uses one of
// them.
type Draw struct {
	Noise  Noise
	Stream uint32
	Step   uint64
}

// Bits returns word i: word i&3 of block i>>2. It requires 0 <= i < 2^34.
func (d Draw) Bits(i int) uint32 {
	return d.Noise.Block(d.Stream, d.Step, uint32(i>>2))[i&3]
}

// Uniform returns the i-th uniform number in [0, 1), a multiple of 2^-53 made
// of words 2i (high) and 2i+1 (low). It requires 0 <= i < 2^33.
func (d Draw) Uniform(i int) float64 {
	b := d.Noise.Block(d.Stream, d.Step, uint32(i>>1))
	return Uniform53(b[(i&1)*2], b[(i&1)*2+1])
}

// Uniform53 maps two random words to [0, 1) on the lattice of multiples of 2^-53.
func Uniform53(high, low uint32) float64 {
	return float64(uint64(high)<<21|uint64(low)>>11) * 0x1p-53
}

// Normal returns the i-th standard normal number, by the inverse of the normal
// distribution function at Uniform(i) + 2^-54, which lies in (0, 1).
func (d Draw) Normal(i int) float64 { return normal(d.Uniform(i)) }

// normal is NormalQuantile(u + 2^-54) for u a multiple of 2^-53. In the upper half
// the sum would be rounded, to 1 at worst; 1 - u - 2^-54 is exact there.
func normal(u float64) float64 {
	if u < 0.5 {
		return NormalQuantile(u + 0x1p-54)
	}
	return -NormalQuantile(1 - u - 0x1p-54)
}

// NormalQuantile is the inverse of the standard normal distribution function, from
// the nearer tail, so that it keeps its relative accuracy as p goes to 0. (The
// standard library's Erfcinv(x) is Erfinv(1-x) and loses it: 0.002 at p = 1e-15.)
func NormalQuantile(p float64) float64 {
	if p < 0.5 {
		return mathext.NormalQuantile(p)
	}
	return -mathext.NormalQuantile(1 - p)
}
