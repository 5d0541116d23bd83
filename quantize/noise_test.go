package quantize

import (
	"math"
	"slices"
	"testing"
)

// The published known answers of Philox4x32-10 (Random123, tests/kat_vectors):
// counter, key, output.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, tt := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		n := NewNoise(uint64(tt.key[1])<<32 | uint64(tt.key[0]))
		c := tt.counter
		if got := n.Block(c[1], uint64(c[3])<<32|uint64(c[2]), c[0]); got != tt.want {
			t.Errorf("Philox(%x, %x) = %x, want %x", tt.counter, tt.key, got, tt.want)
		}
		if k0, k1 := n.Key(); k0 != tt.key[0] || k1 != tt.key[1] {
			t.Errorf("Key() = %x, %x, want %x", k0, k1, tt.key)
		}
	}
}

// Every argument reaches the counter: changing any single bit of any argument
// changes the block.
func TestEveryArgumentMatters(t *testing.T) {
	base := NewNoise(5).Block(7, 11, 13)
	for bit := range 64 {
		if NewNoise(5^1<<bit).Block(7, 11, 13) == base {
			t.Errorf("bit %d of the seed does nothing", bit)
		}
		if NewNoise(5).Block(7, 11^1<<bit, 13) == base {
			t.Errorf("bit %d of the step does nothing", bit)
		}
	}
	for bit := range 32 {
		if NewNoise(5).Block(7^1<<bit, 11, 13) == base || NewNoise(5).Block(7, 11, 13^1<<bit) == base {
			t.Errorf("bit %d of the stream or of the block does nothing", bit)
		}
	}
}

// Bits and Uniform read the words the documentation names.
func TestViewsOfADraw(t *testing.T) {
	n := NewNoise(seed)
	d := n.At(3, 1<<40)
	for i := range 64 {
		if b := n.Block(3, 1<<40, uint32(i/4)); d.Bits(i) != b[i%4] {
			t.Errorf("Bits(%d) = %x, want word %d of block %d", i, d.Bits(i), i%4, i/4)
		}
		high, low := d.Bits(2*i), d.Bits(2*i+1)
		if want := float64((uint64(high)<<32|uint64(low))>>11) / (1 << 53); d.Uniform(i) != want {
			t.Errorf("Uniform(%d) = %v, want %v", i, d.Uniform(i), want)
		}
	}
	if u := Uniform53(math.MaxUint32, math.MaxUint32); u != math.Nextafter(1, 0) {
		t.Errorf("the largest uniform number is %v, want 1 - 2^-53", u)
	}
}

// Moments of n independent uniform numbers: within 6 standard errors of 1/2, 1/12
// and 0 (serial correlation). The sample is fixed; this is no flake.
func TestUniformMoments(t *testing.T) {
	const n = 400000
	d := NewNoise(seed).At(1, 1)
	var sum, square, serial float64
	last := d.Uniform(n) - 0.5
	for i := range n {
		x := d.Uniform(i) - 0.5
		sum, square, serial = sum+x, square+x*x, serial+x*last
		last = x
	}
	within(t, "mean", sum/n, 0, math.Sqrt(1.0/12/n))
	within(t, "variance", square/n, 1.0/12, math.Sqrt((1.0/80-1.0/144)/n))
	within(t, "serial covariance", serial/n, 0, 1.0/12/math.Sqrt(n))
}

func within(t *testing.T, what string, got, want, standardError float64) {
	t.Helper()
	if z := (got - want) / standardError; math.Abs(z) > 6 {
		t.Errorf("%s = %v, %.1f standard errors from %v", what, got, z, want)
	}
}

// The quantile function inverts the distribution function, is odd about 1/2, and is
// finite at the ends of what Uniform can return.
func TestNormalQuantile(t *testing.T) {
	for p, want := range map[float64]float64{0.5: 0, 0.975: 1.959963984540054, 0.8413447460685429: 1, 1e-10: -6.361340902404056} {
		if got := NormalQuantile(p); math.Abs(got-want) > 1e-12*math.Max(1, math.Abs(want)) {
			t.Errorf("NormalQuantile(%v) = %v, want %v", p, got, want)
		}
	}
	for x := -8.0; x <= 0; x += 0.125 {
		p := math.Erfc(-x/math.Sqrt2) / 2
		if got := NormalQuantile(p); math.Abs(got-x) > 1e-12*(1+math.Abs(x)) {
			t.Errorf("NormalQuantile(Phi(%v)) = %v", x, got)
		}
	}
	for _, u := range []float64{0, 0x1p-53, 0.25, 0.5 - 0x1p-53} {
		mirror := 1 - u - 0x1p-53 // the multiple of 2^-53 opposite to u
		if a, b := normal(u), normal(mirror); a != -b || math.IsInf(a, 0) || math.IsNaN(a) {
			t.Errorf("normal numbers of %v and its mirror image %v: %v and %v", u, mirror, a, b)
		}
	}
	if a, b := normal(0), normal(math.Nextafter(1, 0)); a > -8.2 || a < -8.4 || b != -a {
		t.Errorf("the extreme normal numbers are %v and %v, want -+8.29", a, b)
	}
}

// Mean, variance, third and fourth moment within 6 standard errors, and the
// Kolmogorov-Smirnov distance below its 1e-9 quantile.
func TestNormalMoments(t *testing.T) {
	const n = 200000
	d := NewNoise(seed).At(2, 9)
	xs := make([]float64, n)
	var m [5]float64
	for i := range xs {
		x := d.Normal(i)
		xs[i] = x
		for k, p := 1, x; k <= 4; k, p = k+1, p*x {
			m[k] += p / n
		}
	}
	root := math.Sqrt(n)
	within(t, "mean", m[1], 0, 1/root)
	within(t, "second moment", m[2], 1, math.Sqrt(2)/root)
	within(t, "third moment", m[3], 0, math.Sqrt(15)/root)
	within(t, "fourth moment", m[4], 3, math.Sqrt(96)/root)
	if ks := kolmogorov(xs) * root; ks > 3.3 { // 2 exp(-2 x^2) = 1e-9 at x = 3.27
		t.Errorf("Kolmogorov-Smirnov statistic %v", ks)
	}
	// The statistic sees a defect: a standard deviation of 1.02.
	for i := range xs {
		xs[i] *= 1.02
	}
	if ks := kolmogorov(xs) * root; ks < 1.7 {
		t.Errorf("a normal sample with standard deviation 1.02 has Kolmogorov-Smirnov statistic %v only", ks)
	}
}

// kolmogorov returns the largest distance of the sample's distribution function from
// the normal one.
func kolmogorov(xs []float64) (distance float64) {
	sorted := slices.Sorted(slices.Values(xs))
	n := float64(len(sorted))
	for i, x := range sorted {
		p := math.Erfc(-x/math.Sqrt2) / 2
		distance = max(distance, p-float64(i)/n, float64(i+1)/n-p)
	}
	return distance
}

// The frozen trajectory of the generator: seed 1, stream 2, step 3.
func TestNoiseIsFrozen(t *testing.T) {
	d := NewNoise(1).At(2, 3)
	var h uint64 = 14695981039346656037 // FNV-1a over the words
	for i := range 100000 {
		w := d.Bits(i)
		for s := 0; s < 32; s += 8 {
			h = (h ^ uint64(w>>s&0xff)) * 1099511628211
		}
	}
	const want = 0xa6e2ea3bff97604e
	if h != want {
		t.Errorf("hash of 100000 words = %#x, want %#x", h, uint64(want))
	}
}

func BenchmarkUniform(b *testing.B) {
	d := NewNoise(1).At(1, 1)
	var s float64
	for i := 0; b.Loop(); i++ {
		s += d.Uniform(i & 0xffff)
	}
	_ = s
}
