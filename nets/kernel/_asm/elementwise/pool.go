package main

import "fmt"

// poolNorms is what may be done to the values before they are pooled: a batch norm, with its ReLU or without.
var poolNorms = []string{"", "Norm", "NormReLU"}

// pooled loads a value of a window, normalised and, as a half, rounded, to register dst. Registers 9 to 11 hold mean, scale and beta, 8 zero.
func (p *printer) pooled(half bool, norm, mem string, dst int) {
	p.value(half, mem, dst)
	if norm == "" {
		return
	}
	p.op("VSUBPS", 9, dst, dst)
	p.op("VMULPS", 10, dst, dst)
	p.op("VADDPS", 11, dst, dst)
	if norm == "NormReLU" {
		p.op("VMAXPS", 8, dst, dst) // as in norm
	}
	if half {
		p.rounded(dst)
	}
}

// pooledChannels loads what pooled wants for the channels from byte R11 of a pixel on. mean is R14, and scale and beta lie c values behind each other.
func (p *printer) pooledChannels(half bool, norm string) {
	if norm != "" {
		p.op("LEAQ", fmt.Sprintf("(R14)(R11*%d)", scale(half)), "AX")
		p.op("VMOVUPS", "(AX)", 9)
		p.op("VMOVUPS", fmt.Sprintf("(AX)(DX*%d)", scale(half)), 10)
		p.op("VMOVUPS", fmt.Sprintf("(AX)(DX*%d)", 2*scale(half)), 11)
	}
}

// scale is how many bytes a float32 has for each byte of a value.
func scale(half bool) int {
	if half {
		return 2
	}
	return 1
}

// nextGroup moves R11 to the next vector of channels.
func (p *printer) nextGroup(half bool) {
	by := p.bytes()
	if half {
		by /= 2
	}
	p.advance(by, "R11")
	p.op("CMPQ", "R11", "DX")
	p.op("JLT", "group")
}

// eachPool calls f for every way of pooling: halves only with a batch norm.
func (p *printer) eachPool(f func(half bool, norm string)) {
	for _, half := range p.halves() {
		for _, norm := range poolNorms {
			if !half || norm != "" {
				f(half, norm)
			}
		}
	}
}

func (p *printer) poolFn(half bool, name, norm string) {
	p.fn(name+norm+suffix(half), "maxPoolArgs", 0, "x", "row", "c", "windows", "y", "dx", "mean")
	if norm != "" {
		p.arg("mean", "R14")
	}
	p.op("VXORPS", 8, 8, 8)
}

// maxPool takes the maxima of 2x2 windows along two rows; c is a multiple of the lanes.
func (p *printer) maxPool() { p.eachPool(p.maxPoolOf) }

func (p *printer) maxPoolOf(half bool, norm string) {
	p.poolFn(half, "maxPool", norm)
	p.arg("x", "SI")
	p.arg("row", "R8")
	p.op("ADDQ", "SI", "R8")
	p.arg("c", "DX")
	p.arg("windows", "R9")
	p.arg("y", "DI")
	p.label("window")
	p.op("XORQ", "R11", "R11")
	p.op("LEAQ", "(SI)(DX*1)", "R12")
	p.op("LEAQ", "(R8)(DX*1)", "R13")
	p.label("group")
	p.pooledChannels(half, norm)
	p.pooled(half, norm, "(SI)(R11*1)", 0)
	for _, next := range []string{"R12", "R8", "R13"} { // the first source wins only if it is larger
		p.pooled(half, norm, fmt.Sprintf("(%s)(R11*1)", next), 1)
		p.op("VMAXPS", 0, 1, 0)
	}
	if half {
		p.toHalves(0, 0)
		p.op("VMOVDQU16", "Y0", "(DI)(R11*1)")
	} else {
		p.op("VMOVUPS", 0, "(DI)(R11*1)")
	}
	p.nextGroup(half)
	p.op("LEAQ", "(SI)(DX*2)", "SI")
	p.op("LEAQ", "(R8)(DX*2)", "R8")
	p.op("ADDQ", "DX", "DI")
	p.again("R9", "window")
	p.ret()
}

// maxPoolBack writes the gradient of two rows: y's at the first maximum of each window, 0 elsewhere.
func (p *printer) maxPoolBack() { p.eachPool(p.maxPoolBackOf) }

func (p *printer) maxPoolBackOf(half bool, norm string) {
	p.poolFn(half, "maxPoolBack", norm)
	p.arg("x", "SI")
	p.arg("row", "R8")
	p.arg("dx", "BX")
	p.op("LEAQ", "(BX)(R8*1)", "CX")
	p.op("ADDQ", "SI", "R8")
	p.arg("c", "DX")
	p.arg("windows", "R9")
	p.arg("y", "DI")
	p.label("window")
	p.op("XORQ", "R11", "R11")
	p.op("LEAQ", "(SI)(DX*1)", "R12")
	p.op("LEAQ", "(R8)(DX*1)", "R13")
	p.op("LEAQ", "(BX)(DX*1)", "R10")
	p.op("LEAQ", "(CX)(DX*1)", "R15")
	p.label("group")
	p.pooledChannels(half, norm)
	p.pooled(half, norm, "(SI)(R11*1)", 0)
	for i, next := range []string{"R12", "R8", "R13"} {
		p.pooled(half, norm, fmt.Sprintf("(%s)(R11*1)", next), 1)
		if p.wide() {
			p.op("VCMPPS", greater, 0, 1, fmt.Sprintf("K%d", i+1))
		} else {
			p.op("VCMPPS", greater, 0, 1, i+2)
		}
		p.op("VMAXPS", 0, 1, 0)
	}
	if half {
		p.op("VMOVDQU16", "(DI)(R11*1)", "Y5")
	} else {
		p.op("VADDPS", "(DI)(R11*1)", 8, 5) // 0 + dy, which makes -0 a 0 as adding to a cleared dx does
	}
	to := []string{"BX", "R10", "CX", "R15"}
	if p.wide() {
		p.op("KORW", "K2", "K3", "K4") // not the second
		p.op("KORW", "K1", "K4", "K5") // not the first
		p.op("KANDNW", "K1", "K4", "K1")
		p.op("KANDNW", "K2", "K3", "K2")
		p.op("KNOTW", "K5", "K5")
		for i, k := range []string{"K5", "K1", "K2", "K3"} {
			at := fmt.Sprintf("(%s)(R11*1)", to[i])
			if half {
				p.op("VMOVDQU16.Z", "Y5", k, "Y6")
				p.op("VMOVDQU", "Y6", at)
				continue
			}
			p.op("VMOVAPS.Z", 5, k, 6)
			p.op("VMOVUPS", 6, at)
		}
	} else {
		p.op("VORPS", 3, 4, 6)
		p.op("VORPS", 2, 6, 7)
		p.op("VANDNPS", 5, 7, 7)
		p.op("VMOVUPS", 7, "(BX)(R11*1)")
		p.op("VANDNPS", 2, 6, 2)
		p.op("VANDNPS", 3, 4, 3)
		for i, m := range []int{2, 3, 4} {
			p.op("VANDPS", 5, m, m)
			p.op("VMOVUPS", m, fmt.Sprintf("(%s)(R11*1)", to[i+1]))
		}
	}
	p.nextGroup(half)
	for _, r := range []string{"SI", "R8", "BX", "CX"} {
		p.op("LEAQ", fmt.Sprintf("(%s)(DX*2)", r), r)
	}
	p.op("ADDQ", "DX", "DI")
	p.again("R9", "window")
	p.ret()
}

// The two halves of the backward pass of a batch norm with its ReLU and the 2x2 pooling behind it, window by window: the gradient before the pooling, 0 but at a window's first maximum, is not stored.
// A function goes over pairs of rows of an image, one vector of channels after the other; c is a multiple of the lanes, AVX-512 only. With Half in its name it reads and writes bf16 numbers, and the
// pooled values are rounded, as in maxPool.
var normPoolFields = []string{"y", "row", "c", "windows", "pairs", "dp", "dy", "mean", "inv", "scale", "beta", "coef0", "coef1", "coef2", "part", "squares", "later"}

// normPoolChannels begins a loop over groups of channels, of which R11 counts the bytes: it loads the channels' values of the fields into registers 16, 17, ... and sets SI and R8 to the first pair of
// rows of y, DI to the first gradient, CX to the number of pairs, and DX to the bytes of a pixel, which R11 is to reach.
func (p *printer) normPoolChannels(half bool, fields ...string) {
	p.arg("c", "DX")
	p.op("VXORPS", 8, 8, 8)
	p.op("XORQ", "R11", "R11")
	p.label("group")
	for i, field := range fields {
		p.arg(field, "BX")
		p.op("VMOVUPS", fmt.Sprintf("(BX)(R11*%d)", scale(half)), 16+i)
	}
	p.channels(false, "y", "SI")
	p.op("MOVQ", "SI", "R8")
	p.op("ADDQ", p.at("row"), "R8")
	p.channels(false, "dp", "DI")
	p.arg("pairs", "CX")
}

// normWindow leaves y - mean of a window's pixels in registers 0 to 3, what passes the ReLU in K6 (of the maximum, the only pixel with a gradient) and, in K1 to K3, where the second to fourth pixel exceeds
// those before it. mean, scale and beta are in registers 16 to 18. Uses 4 to 7.
func (p *printer) normWindow(half bool) {
	for i, at := range []string{"(SI)", "(SI)(DX*1)", "(R8)", "(R8)(DX*1)"} {
		p.value(half, at, i)
		p.op("VSUBPS", 16, i, i)
		p.op("VMULPS", 17, i, 4+i)
		p.op("VADDPS", 18, 4+i, 4+i)
		p.op("VMAXPS", 8, 4+i, 4+i) // as in norm
		if half {
			p.rounded(4 + i)
		}
	}
	for i := range 3 {
		p.op("VCMPPS", greater, 4, 5+i, fmt.Sprintf("K%d", i+1))
		p.op("VMAXPS", 4, 5+i, 4)
	}
	p.op("VCMPPS", less, 4, 8, "K6")
}

// windowGradient loads a window's gradient, 0 where it does not pass the ReLU, to register 9.
func (p *printer) windowGradient(half bool) {
	if half {
		p.widened("K6", "(DI)", 9)
		return
	}
	p.op("VADDPS.Z", "(DI)", 8, "K6", 9) // 0 + dy, as in maxPoolBack
}

// nextPair moves pointers, which stand behind one row of a pair, to the next pair.
func (p *printer) nextPair(pointers ...string) {
	for _, r := range pointers {
		p.op("ADDQ", p.at("row"), r)
	}
	p.again("CX", "pair")
}

// normPoolBack: dy = coef0 * ((a - coef1) - xhat*coef2), as in normBack.
func (p *printer) normPoolBack(half bool) {
	p.fn("normPoolBack"+suffix(half), "normPoolArgs", 0, normPoolFields...)
	p.normPoolChannels(half, "mean", "scale", "beta", "inv", "coef0", "coef1", "coef2")
	p.op("VSUBPS", 21, 8, 23) // of a pixel without a gradient
	p.channels(false, "dy", "R12")
	p.op("MOVQ", "R12", "R13")
	p.op("ADDQ", p.at("row"), "R13")
	p.label("pair")
	p.arg("windows", "R9")
	p.label("window")
	p.normWindow(half)
	p.windowGradient(half)
	p.op("VSUBPS", 21, 9, 9)
	p.op("KORW", "K2", "K3", "K4") // not the second
	p.op("KORW", "K1", "K4", "K5") // not the first
	p.op("KANDNW", "K1", "K4", "K1")
	p.op("KANDNW", "K2", "K3", "K2")
	p.op("KNOTW", "K5", "K5")
	for i, at := range []string{"(R12)", "(R12)(DX*1)", "(R13)", "(R13)(DX*1)"} {
		p.op("VBLENDMPS", 9, 23, []string{"K5", "K1", "K2", "K3"}[i], 4)
		p.op("VMULPS", 19, i, i)
		p.op("VMULPS", 22, i, i)
		p.op("VSUBPS", i, 4, 4)
		p.op("VMULPS", 20, 4, 4)
		if half {
			p.toHalves(4, 5)
			p.op("VMOVDQU", "Y5", at)
		} else {
			p.op("VMOVUPS", 4, at)
		}
	}
	for _, r := range []string{"SI", "R8", "R12", "R13"} {
		p.op("LEAQ", fmt.Sprintf("(%s)(DX*2)", r), r)
	}
	p.op("ADDQ", "DX", "DI")
	p.again("R9", "window")
	p.nextPair("SI", "R8", "R12", "R13")
	p.nextGroup(half)
	p.ret()
}

// normPoolSums adds to part the sums of a and of a*xhat over a block of rows in the order of backSums: what a window gives to its lower row is put aside until the upper row has been added.
func (p *printer) normPoolSums(half bool) {
	p.fn("normPoolSums"+suffix(half), "normPoolArgs", 0, normPoolFields...)
	p.wholeMask()
	p.op("KMOVW", "K1", "K7")
	p.normPoolChannels(half, "mean", "scale", "beta", "inv")
	p.op("VXORPS", 11, 11, 11)
	p.op("VXORPS", 12, 12, 12)
	p.label("pair")
	p.arg("windows", "R9")
	p.arg("later", "R12")
	p.label("window")
	p.normWindow(half)
	p.windowGradient(half)
	for i := range 3 {
		p.op("VMOVAPS", i+1, fmt.Sprintf("K%d", i+1), 0) // of the maximum
	}
	p.op("VMULPS", 19, 0, 0)
	p.op("VMULPS", 9, 0, 0)
	p.op("KORW", "K2", "K3", "K4") // the lower row
	p.op("KNOTW", "K4", "K5")
	p.op("VADDPS", 9, 11, "K5", 11)
	p.op("VADDPS", 0, 12, "K5", 12)
	p.op("VMOVAPS.Z", 9, "K4", 9)
	p.op("VMOVAPS.Z", 0, "K4", 10)
	p.op("VMOVUPS", 9, "(R12)")
	p.op("VMOVUPS", 10, fmt.Sprintf("%d(R12)", p.bytes()))
	p.advance(2*p.bytes(), "R12")
	for _, r := range []string{"SI", "R8"} {
		p.op("LEAQ", fmt.Sprintf("(%s)(DX*2)", r), r)
	}
	p.op("ADDQ", "DX", "DI")
	p.again("R9", "window")
	p.arg("windows", "R9")
	p.arg("later", "R12")
	p.label("lower")
	p.op("VADDPS", "(R12)", 11, 11)
	p.op("VADDPS", fmt.Sprintf("%d(R12)", p.bytes()), 12, 12)
	p.advance(2*p.bytes(), "R12")
	p.again("R9", "lower")
	p.nextPair("SI", "R8")
	p.op("KMOVW", "K7", "K1")
	for i, field := range []string{"part", "squares"} {
		p.arg(field, "BX")
		at := fmt.Sprintf("(BX)(R11*%d)", 2*scale(half))
		p.addDouble(11+i, at, fmt.Sprintf("%d%s", p.bytes(), at))
	}
	p.nextGroup(half)
	p.ret()
}

// average is y = scale * sum of rows; c bytes a row of float32.
func (p *printer) average() {
	for _, half := range p.halves() {
		p.fn("average"+suffix(half), "averageArgs", 0, "x", "y", "rows", "c", "scale:4", "pad:4")
		p.average2(half, func() {
			p.op("VXORPS", 0, 0, 0)
			p.label("row")
			if half {
				p.widened("", "(SI)", 1)
				p.op("VADDPS", 1, 0, 0)
			} else {
				p.op("VADDPS", "(SI)", 0, 0)
			}
			if half {
				p.op("MOVQ", "DX", "R8")
				p.op("SHRQ", "$1", "R8")
				p.op("ADDQ", "R8", "SI")
			} else {
				p.op("ADDQ", "DX", "SI")
			}
			p.again("CX", "row")
			p.with("VMULPS", "scale", 0, 0)
			p.op("VMOVUPS", 0, "(DI)(R11*1)")
		})
	}
}

// spread writes scale * y to all rows of x.
func (p *printer) spread() {
	p.fn("spread", "averageArgs", 0, "x", "y", "rows", "c", "scale:4", "pad:4")
	p.average2(false, func() {
		p.op("VMOVUPS", "(DI)(R11*1)", 0)
		p.with("VMULPS", "scale", 0, 0)
		p.label("row")
		p.op("VMOVUPS", 0, "(SI)")
		p.op("ADDQ", "DX", "SI")
		p.again("CX", "row")
	})
}

func (p *printer) average2(half bool, body func()) {
	p.arg("y", "DI")
	p.arg("c", "DX")
	p.op("XORQ", "R11", "R11")
	p.label("group")
	p.channels(half, "x", "SI")
	p.arg("rows", "CX")
	body()
	p.nextGroup(false)
	p.ret()
}

// windowMax takes the maxima of one window of n pixels that lie at offsets from x; c is a multiple of the lanes. The first of equal values wins, as in maxPool.
func (p *printer) windowMax() {
	p.fn("windowMax", "windowArgs", 0, "x", "offsets", "n", "c", "y", "dx")
	p.arg("x", "SI")
	p.arg("offsets", "R8")
	p.arg("n", "R9")
	p.arg("c", "DX")
	p.arg("y", "DI")
	p.label("group")
	p.op("MOVQ", "(R8)", "R13")
	p.op("VMOVUPS", "(SI)(R13*1)", 0)
	p.op("MOVQ", "$1", "R10")
	p.op("JMP", "more")
	p.label("pixel")
	p.op("MOVQ", "(R8)(R10*8)", "R13")
	p.op("VMOVUPS", "(SI)(R13*1)", 1)
	p.op("VMAXPS", 0, 1, 0)
	p.op("INCQ", "R10")
	p.label("more")
	p.op("CMPQ", "R10", "R9")
	p.op("JLT", "pixel")
	p.op("VMOVUPS", 0, "(DI)")
	p.advance(p.bytes(), "SI", "DI")
	p.endGroups()
}

// windowMaxBack adds y to dx at the first maximum of one window of x; the pixels lie at the same offsets in both.
func (p *printer) windowMaxBack() {
	p.fn("windowMaxBack", "windowArgs", 0, "x", "offsets", "n", "c", "y", "dx")
	p.arg("x", "SI")
	p.arg("offsets", "R8")
	p.arg("n", "R9")
	p.arg("c", "DX")
	p.arg("y", "DI")
	p.arg("dx", "BX")
	if p.wide() {
		p.op("VPTERNLOGD", "$255", 4, 4, 4)
	} else {
		p.op("VPCMPEQD", 4, 4, 4)
	}
	p.label("group")
	p.op("MOVQ", "(R8)", "R13")
	p.op("VMOVUPS", "(SI)(R13*1)", 0)
	p.op("VXORPS", 2, 2, 2) // the first maximum's number
	p.op("VXORPS", 3, 3, 3) // the pixel's
	p.op("MOVQ", "$1", "R10")
	p.op("JMP", "more")
	p.label("pixel")
	p.op("MOVQ", "(R8)(R10*8)", "R13")
	p.op("VMOVUPS", "(SI)(R13*1)", 1)
	p.op("VPSUBD", 4, 3, 3)
	if p.wide() {
		p.op("VCMPPS", greater, 0, 1, "K1")
		p.op("VMOVAPS", 3, "K1", 2)
	} else {
		p.op("VCMPPS", greater, 0, 1, 5)
		p.op("VBLENDVPS", 5, 3, 2, 2)
	}
	p.op("VMAXPS", 0, 1, 0)
	p.op("INCQ", "R10")
	p.label("more")
	p.op("CMPQ", "R10", "R9")
	p.op("JLT", "pixel")
	p.op("VMOVUPS", "(DI)", 6)
	p.op("VXORPS", 3, 3, 3)
	p.op("XORQ", "R10", "R10")
	p.label("give")
	p.op("MOVQ", "(R8)(R10*8)", "R13")
	p.op("VMOVUPS", "(BX)(R13*1)", 1)
	if p.wide() {
		p.op("VPCMPEQD", 2, 3, "K1")
		p.op("VADDPS", 6, 1, "K1", 1)
	} else {
		p.op("VPCMPEQD", 2, 3, 5)
		p.op("VANDPS", 6, 5, 5)
		p.op("VADDPS", 5, 1, 1)
	}
	p.op("VMOVUPS", 1, "(BX)(R13*1)")
	p.op("VPSUBD", 4, 3, 3)
	p.op("INCQ", "R10")
	p.op("CMPQ", "R10", "R9")
	p.op("JLT", "give")
	p.advance(p.bytes(), "SI", "DI", "BX")
	p.endGroups()
}
