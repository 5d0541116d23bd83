package main

import "fmt"

// Comparison predicates of VCMPPS, without signals for quiet NaN: predicate(second source, first operand in Go's order).
const (
	less         = "$0x11"
	greaterEqual = "$0x1D"
	greater      = "$0x1E"
)

// adam prints the step for each rule: Step leaves it in g, Clip, R and SR update w.
// See adamGeneric, which does the same operations in the same order.
func (p *printer) adam() {
	for _, rule := range []string{"Step", "Clip", "R", "SR"} {
		p.fn("adam"+rule, "adamArgs", 16, "w", "g", "m", "v", "n",
			"b1:4", "a1:4", "b2:4", "a2:4", "scale:4", "c2:4", "eps:4", "decay:4", "lo:4", "hi:4",
			"block:4", "stream:4", "steplo:4", "stephi:4", "two:4", "half:4", "sign:4", "pad:4", "m0", "m1", "keys:80", "order:64", "advance")
		p.arg("w", "SI")
		p.arg("g", "DI")
		p.arg("m", "R8")
		p.arg("v", "R9")
		p.arg("n", "CX")
		vectors := 1
		switch rule {
		case "Clip", "R":
			p.broadcast("lo", 11)
			p.broadcast("hi", 12)
		case "SR":
			vectors = 2
			// Counters of 64 bits: block + order of the lane.
			p.op("VPBROADCASTD", p.at("block"), 11)
			if p.wide() {
				p.op("VPADDD", p.at("order"), 11, 11)
				p.op("MOVL", "$0xAAAA", "BX")
				p.op("KMOVW", "BX", "K7")
			} else {
				p.op("VPADDD", p.at("order"), 11, 11)
				p.op("VPBROADCASTQ", p.at("m0"), 12)
				p.op("VPBROADCASTQ", p.at("m1"), 13)
			}
		}
		if rule == "R" || rule == "SR" {
			p.op("VXORPS", 14, 14, 14)
		}
		p.flushing(func() {
			p.label("loop")
			if rule == "SR" {
				p.philox()
			}
			for i := range vectors {
				p.adamVector(rule, i)
			}
			p.advance(vectors*p.bytes(), "SI", "DI", "R8", "R9")
			p.op("SUBQ", fmt.Sprintf("$%d", vectors*p.lanes), "CX")
			p.op("JG", "loop")
		})
		p.ret()
	}
}

// adamVector is the step of vector i from SI on; the random words are in register 5 + i.
func (p *printer) adamVector(rule string, i int) {
	at := func(base string) string { return fmt.Sprintf("%d(%s)", i*p.bytes(), base) }
	p.op("VMOVUPS", at("DI"), 0)
	p.op("VMOVUPS", at("SI"), 1)
	p.with("VMULPS", "decay", 1, 4)
	p.op("VADDPS", 4, 0, 0)
	p.op("VMOVUPS", at("R8"), 2)
	p.with("VMULPS", "b1", 2, 2)
	p.with("VMULPS", "a1", 0, 4)
	p.op("VADDPS", 4, 2, 2)
	p.op("VMOVUPS", 2, at("R8"))
	p.op("VMULPS", 0, 0, 4)
	p.with("VMULPS", "a2", 4, 4)
	p.op("VMOVUPS", at("R9"), 3)
	p.with("VMULPS", "b2", 3, 3)
	p.op("VADDPS", 4, 3, 3)
	p.op("VMOVUPS", 3, at("R9"))
	p.with("VMULPS", "c2", 3, 3)
	p.op("VSQRTPS", 3, 3)
	p.with("VADDPS", "eps", 3, 3)
	p.with("VMULPS", "scale", 2, 2)
	p.op("VDIVPS", 3, 2, 0)
	switch rule {
	case "Step":
		p.op("VMOVUPS", 0, at("DI"))
		return
	case "Clip": // NaN stays: it is the second source
		p.op("VSUBPS", 0, 1, 1)
		p.op("VMAXPS", 1, 11, 1)
		p.op("VMINPS", 1, 12, 1)
	case "R":
		p.op("VSUBPS", 0, 1, 1)
		if p.wide() {
			p.op("VCMPPS", greaterEqual, 14, 1, "K2")
			p.op("VBLENDMPS", 12, 11, "K2", 1)
		} else {
			p.op("VCMPPS", greaterEqual, 14, 1, 4)
			p.op("VBLENDVPS", 4, 12, 11, 1)
		}
	case "SR":
		p.flip(5 + i)
	}
	p.op("VMOVUPS", 1, at("SI"))
}

// flip changes the sign of the weights in register 1 with the probabilities
// inward/2, inward the step in register 0 towards the other point.
func (p *printer) flip(words int) {
	if p.wide() {
		p.op("VCMPPS", less, 14, 1, "K2")
		p.op("VPXORD.BCST", p.at("sign"), 0, "K2", 0)
		p.broadcast("two", 2)
		p.op("VCMPPS", greaterEqual, 2, 0, "K3")
		p.op("VCMPPS", greater, 14, 0, "K4")
		p.with("VMULPS", "half", 0, 4)
		p.op("VCVTTPS2UDQ", 4, 4)
		p.op("VPCMPUD", "$1", 4, words, "K4", "K4")
		p.op("KORW", "K3", "K4", "K4")
		p.op("VPXORD.BCST", p.at("sign"), 1, "K4", 1)
		return
	}
	p.broadcast("sign", 15)
	p.op("VCMPPS", less, 14, 1, 4)
	p.op("VANDPS", 15, 4, 4)
	p.op("VXORPS", 4, 0, 0)
	p.op("VXORPS", words, 15, words) // biased: AVX2 compares signed integers
	// The threshold inward * 2^31, below 2^32: its upper half less 2^31, which is exact.
	p.broadcast("half", 3)
	p.op("VMULPS", 3, 0, 4)
	p.op("VCMPPS", greaterEqual, 3, 4, 2)
	p.op("VANDPS", 3, 2, 3)
	p.op("VSUBPS", 3, 4, 4)
	p.op("VCVTTPS2DQ", 4, 4)
	p.op("VANDNPS", 15, 2, 2)
	p.op("VXORPS", 2, 4, 4)
	p.op("VPCMPGTD", words, 4, 4)
	p.op("VCMPPS", greater, 14, 0, 2)
	p.op("VANDPS", 2, 4, 4)
	p.broadcast("two", 3)
	p.op("VCMPPS", greaterEqual, 3, 0, 2)
	p.op("VORPS", 2, 4, 4)
	p.op("VANDPS", 15, 4, 4)
	p.op("VXORPS", 4, 1, 1)
}

// philox leaves the words of the next two vectors' weights in registers 5 and 6
// and advances the counter in register 11. A lane of 64 bits is a counter; only the
// low halves matter, and VPMULUDQ ignores the others.
func (p *printer) philox() {
	c0, c1, c2, c3, t0, t1 := 5, 7, 6, 8, 9, 10
	p.op("VMOVDQA"+map[bool]string{true: "64", false: ""}[p.wide()], 11, c0)
	p.op("VPBROADCASTD", p.at("stream"), c1)
	p.op("VPBROADCASTD", p.at("steplo"), c2)
	p.op("VPBROADCASTD", p.at("stephi"), c3)
	for round := range 10 {
		if p.wide() {
			p.op("VPMULUDQ.BCST", p.at("m0"), c0, t0)
			p.op("VPMULUDQ.BCST", p.at("m1"), c2, t1)
		} else {
			p.op("VPMULUDQ", 12, c0, t0)
			p.op("VPMULUDQ", 13, c2, t1)
		}
		p.op("VPSRLQ", "$32", t1, c0)
		p.op("VPSRLQ", "$32", t0, c2)
		for j, s := range [][2]int{{c1, c0}, {c3, c2}} {
			key := fmt.Sprintf("%d(AX)", p.fields["keys"]+8*round+4*j)
			if p.wide() {
				p.op("VPTERNLOGD.BCST", "$0x96", key, s[0], s[1])
			} else {
				p.op("VPBROADCASTD", key, 15)
				p.op("VPXOR", s[0], s[1], s[1])
				p.op("VPXOR", 15, s[1], s[1])
			}
		}
		c1, c3, t0, t1 = t1, t0, c3, c1
	}
	// (c0, c1) and (c2, c3) side by side, then block by block: the order of the
	// lanes is such that the low halves are the first blocks.
	if p.wide() {
		p.op("VMOVSLDUP", c1, "K7", c0)
		p.op("VMOVSLDUP", c3, "K7", c2)
	} else {
		p.op("VPSLLQ", "$32", c1, c1)
		p.op("VPSLLQ", "$32", c3, c3)
		p.op("VPBLENDD", "$0xAA", c1, c0, c0)
		p.op("VPBLENDD", "$0xAA", c3, c2, c2)
	}
	p.op("VPUNPCKLQDQ", c2, c0, t0)
	p.op("VPUNPCKHQDQ", c2, c0, 6)
	p.op("VMOVAPS", t0, 5)
	p.op("VPBROADCASTQ", p.at("advance"), t0)
	p.op("VPADDD", t0, 11, 11)
}

// finite clears ok unless every exponent is below the largest.
func (p *printer) finite() {
	p.fn("finite", "finiteArgs", 0, "x", "n", "magnitude:4", "carry:4", "bad")
	p.arg("x", "SI")
	p.arg("n", "CX")
	p.op("VXORPS", 0, 0, 0)
	p.broadcast("magnitude", 1)
	p.broadcast("carry", 2)
	suffix := map[bool]string{true: "D", false: ""}[p.wide()]
	p.label("loop")
	p.op("VPAND"+suffix, "(SI)", 1, 3)
	p.op("VPADDD", 2, 3, 3)
	p.op("VPOR"+suffix, 3, 0, 0)
	p.advance(p.bytes(), "SI")
	p.op("SUBQ", fmt.Sprintf("$%d", p.lanes), "CX")
	p.op("JG", "loop")
	if p.wide() {
		p.op("VPMOVD2M", 0, "K2")
		p.op("KMOVW", "K2", "BX")
	} else {
		p.op("VMOVMSKPS", 0, "BX")
	}
	p.op("MOVQ", "BX", p.at("bad"))
	p.ret()
}

// add is to += from.
func (p *printer) add() {
	p.fn("add", "addArgs", 0, "to", "from", "n")
	p.arg("to", "DI")
	p.arg("from", "SI")
	p.arg("n", "CX")
	p.label("loop")
	p.op("VMOVUPS", "(DI)", 0)
	p.op("VADDPS", "(SI)", 0, 0)
	p.op("VMOVUPS", 0, "(DI)")
	p.advance(p.bytes(), "SI", "DI")
	p.endLoop(p.lanes)
}
