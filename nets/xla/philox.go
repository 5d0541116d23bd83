package xla

import "tqn/quantize"

// philox emits Philox4x32-10 as [quantize.Noise.Block] defines it: the counter is
// (block, stream, low, high), all ui32 of one shape; the result is four words of that
// shape. key are two ui32 scalars.
//
// Integer operations are exact everywhere, so the words are those of the CPU.
func (p *program) philox(block, stream, low, high value, key [2]value) [4]value {
	dims := block.dims
	c := [4]value{block, stream, low, high}
	k0, k1 := key[0], key[1]
	for round := range 10 {
		h0, l0 := p.mul32(c[0], quantize.PhiloxM0)
		h1, l1 := p.mul32(c[2], quantize.PhiloxM1)
		c = [4]value{
			p.xor(p.xor(h1, c[1]), p.broadcast(k0, dims)), l1,
			p.xor(p.xor(h0, c[3]), p.broadcast(k1, dims)), l0,
		}
		if round < 9 {
			k0, k1 = p.addConst(k0, quantize.PhiloxW0), p.addConst(k1, quantize.PhiloxW1)
		}
	}
	return c
}

// mul32 is the high and the low word of a*m, through the 64-bit product.
func (p *program) mul32(a value, m uint32) (high, low value) {
	product := p.scale(p.convert(a, ui64), float64(m))
	return p.convert(p.shift("shift_right_logical", product, 32), ui32), p.mul(a, p.like(a, float64(m)))
}
