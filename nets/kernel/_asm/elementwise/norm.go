package main

import (
	"fmt"
	"slices"
)

// Batch norm runs over rows of c channels. With AVX-512 the last group of channels
// may be short, with mask tail; with AVX2 c is a multiple of 8.

// load reads the current group of channels.
func (p *printer) load(mem string, reg int) {
	if p.wide() {
		p.op("VMOVUPS.Z", mem, "K1", reg)
		return
	}
	p.op("VMOVUPS", mem, reg)
}

func (p *printer) store(reg int, mem string) {
	if p.wide() {
		p.op("VMOVUPS", reg, "K1", mem)
		return
	}
	p.op("VMOVUPS", reg, mem)
}

// memory is dst = src op mem.
func (p *printer) memory(op, mem string, src, dst int) {
	if p.wide() {
		p.op(op+".Z", mem, src, "K1", dst) // zeroing: no dependence on dst
		return
	}
	p.op(op, mem, src, dst)
}

// masks is how the ReLU behind a batch norm is undone: not at all, by z > 0, or
// by computing z again, which is cheaper than reading it.
var masks = []string{"", "Mask", "Again"}

// masked loads dz where z > 0 to register dst. y is in register 2; uses 4 and 5. Register 8 is zero.
func (p *printer) masked(mask, dz, z, mean, scale, beta string, dst int) {
	switch mask {
	case "":
		p.load(dz, dst)
		return
	case "Mask":
		p.load(z, 4)
	case "Again":
		p.memory("VSUBPS", mean, 2, 4)
		p.memory("VMULPS", scale, 4, 4)
		p.memory("VADDPS", beta, 4, 4)
	}
	if p.wide() {
		p.op("VCMPPS", less, 4, 8, "K1", "K2")
		p.op("VMOVUPS.Z", dz, "K2", dst)
		return
	}
	p.op("VCMPPS", less, 4, 8, 4)
	p.op("VANDPS", dz, 4, dst)
}

// wholeMask sets K1 to a whole vector.
func (p *printer) wholeMask() {
	if p.wide() {
		p.op("KXNORW", "K1", "K1", "K1")
	}
}

// joined adds the shortcut's gradient to dz, puts zeros where z is not > 0, stores that and leaves it in register 5. Uses 4; register 8 is zero.
func (p *printer) joined(dz, shortcut, z string) {
	p.load(dz, 5)
	p.memory("VADDPS", shortcut, 5, 5)
	p.load(z, 4)
	if p.wide() {
		p.op("VCMPPS", less, 4, 8, "K1", "K2")
		p.op("VMOVAPS.Z", 5, "K2", 5)
	} else {
		p.op("VCMPPS", less, 4, 8, 4)
		p.op("VANDPS", 5, 4, 5)
	}
	p.store(5, dz)
}

// sums adds to part the sums over a block of rows of y and y^2, and of a and a*xhat (see masked; with Join, joined).
func (p *printer) sums() {
	fields := []string{"y", "rows", "c", "tail", "part", "squares", "dz", "z", "mean", "inv", "scale", "beta", "shortcut"}
	p.fn("sums", "sumsArgs", 0, fields...)
	p.sumsBody(false, "")
	for _, mask := range append(slices.Clone(masks), "Join") {
		p.fn("backSums"+mask, "sumsArgs", 0, fields...)
		p.sumsBody(true, mask)
	}
}

func (p *printer) sumsBody(back bool, mask string) {
	p.arg("c", "R10")
	p.op("LEAQ", "(R10*4)", "DX")
	p.arg("part", "DI")
	p.arg("squares", "R12")
	p.op("XORQ", "R11", "R11")
	p.op("VXORPS", 8, 8, 8)
	p.wholeMask()
	for _, groups := range []int{4, 2, 1} {
		again, next := p.fresh("groups"), p.fresh("next")
		p.label(again)
		p.op("CMPQ", "R10", fmt.Sprintf("$%d", groups*p.lanes))
		p.op("JLT", next)
		p.sumsGroups(back, mask, groups)
		p.op("ADDQ", fmt.Sprintf("$%d", groups*p.bytes()), "R11")
		p.op("SUBQ", fmt.Sprintf("$%d", groups*p.lanes), "R10")
		if groups == 4 {
			p.op("JMP", again)
		}
		p.label(next)
	}
	if p.wide() {
		p.op("TESTQ", "R10", "R10")
		p.op("JLE", "done")
		p.op("KMOVW", p.at("tail"), "K1")
		p.sumsGroups(back, mask, 1)
		p.label("done")
	}
	p.ret()
}

// sumsGroups sums that many vectors of channels from byte R11 of a row on: in
// registers sum(g) and square(g), row by row.
func (p *printer) sumsGroups(back bool, mask string, groups int) {
	sum := func(g int) int { return []int{6, 7, 9, 10}[g] }
	square := func(g int) int { return []int{11, 12, 13, 14}[g] }
	p.arg("y", "SI")
	p.op("ADDQ", "R11", "SI")
	p.arg("rows", "CX")
	for g := range groups {
		p.op("VXORPS", sum(g), sum(g), sum(g))
		p.op("VXORPS", square(g), square(g), square(g))
	}
	if back {
		p.arg("dz", "R8")
		p.op("ADDQ", "R11", "R8")
		p.arg("mean", "BX")
		p.op("ADDQ", "R11", "BX")
		p.arg("inv", "R13")
		p.op("ADDQ", "R11", "R13")
	}
	switch mask {
	case "Mask", "Join":
		p.arg("z", "R9")
		p.op("ADDQ", "R11", "R9")
		if mask == "Join" {
			p.arg("shortcut", "R15")
			p.op("ADDQ", "R11", "R15")
		}
	case "Again":
		p.arg("scale", "R9")
		p.op("ADDQ", "R11", "R9")
		p.arg("beta", "R15")
		p.op("ADDQ", "R11", "R15")
	}
	row := p.fresh("row")
	p.label(row)
	for g := range groups {
		at := func(base string) string { return fmt.Sprintf("%d(%s)", g*p.bytes(), base) }
		p.load(at("SI"), 2)
		if !back {
			p.op("VMULPS", 2, 2, 3)
			p.op("VADDPS", 2, sum(g), sum(g))
		} else {
			if mask == "Join" {
				p.joined(at("R8"), at("R15"), at("R9"))
			} else {
				p.masked(mask, at("R8"), at("R9"), at("BX"), at("R9"), at("R15"), 5)
			}
			p.memory("VSUBPS", at("BX"), 2, 3)
			p.memory("VMULPS", at("R13"), 3, 3)
			p.op("VMULPS", 5, 3, 3)
			p.op("VADDPS", 5, sum(g), sum(g))
		}
		p.op("VADDPS", 3, square(g), square(g))
	}
	p.op("ADDQ", "DX", "SI")
	if back {
		p.op("ADDQ", "DX", "R8")
	}
	if mask == "Mask" || mask == "Join" {
		p.op("ADDQ", "DX", "R9")
	}
	if mask == "Join" {
		p.op("ADDQ", "DX", "R15")
	}
	p.op("DECQ", "CX")
	p.op("JNZ", row)
	for g := range groups {
		p.addDouble(sum(g), fmt.Sprintf("%d(DI)(R11*2)", 2*g*p.bytes()), fmt.Sprintf("%d(DI)(R11*2)", (2*g+1)*p.bytes()))
		p.addDouble(square(g), fmt.Sprintf("%d(R12)(R11*2)", 2*g*p.bytes()), fmt.Sprintf("%d(R12)(R11*2)", (2*g+1)*p.bytes()))
	}
}

// addDouble adds a vector of float32 to the float64 at low and high.
func (p *printer) addDouble(reg int, low, high string) {
	if p.wide() {
		p.op("VEXTRACTF64X4", "$1", reg, "Y2")
		p.op("VCVTPS2PD", fmt.Sprintf("Y%d", reg), "Z3")
		p.op("VCVTPS2PD", "Y2", "Z4")
		p.op("VMOVUPD.Z", low, "K1", 5)
		p.op("VADDPD", 3, 5, 5)
		p.op("VMOVUPD", 5, "K1", low)
		p.op("KSHIFTRW", "$8", "K1", "K3")
		p.op("VMOVUPD.Z", high, "K3", 5)
		p.op("VADDPD", 4, 5, 5)
		p.op("VMOVUPD", 5, "K3", high)
		return
	}
	p.op("VEXTRACTF128", "$1", reg, "X2")
	p.op("VCVTPS2PD", fmt.Sprintf("X%d", reg), "Y3")
	p.op("VCVTPS2PD", "X2", "Y4")
	p.op("VADDPD", low, 3, 3)
	p.op("VMOVUPD", 3, low)
	p.op("VADDPD", high, 4, 4)
	p.op("VMOVUPD", 4, high)
}

// rows prints a loop over rows and the groups of channels in them: byte R11 of
// each row, whose start is in the given registers.
func (p *printer) rows(bases []string, group func()) {
	p.arg("rows", "CX")
	p.op("VXORPS", 8, 8, 8)
	p.label("row")
	p.op("XORQ", "R11", "R11")
	p.arg("c", "R10")
	if p.wide() {
		p.wholeMask()
		p.op("SUBQ", "$16", "R10")
		p.op("JLT", "short")
	}
	p.label("group")
	group()
	p.op("ADDQ", fmt.Sprintf("$%d", p.bytes()), "R11")
	p.op("SUBQ", fmt.Sprintf("$%d", p.lanes), "R10")
	if p.wide() {
		p.op("JGE", "group")
		p.label("short")
		p.op("ADDQ", "$16", "R10")
		p.op("JZ", "next")
		p.op("KMOVW", p.at("tail"), "K1")
		group()
		p.label("next")
	} else {
		p.op("JG", "group")
	}
	p.arg("c", "R10")
	for _, r := range bases {
		p.op("LEAQ", fmt.Sprintf("(%s)(R10*4)", r), r)
	}
	p.op("DECQ", "CX")
	p.op("JNZ", "row")
	p.ret()
}

// norm: z = act((y-mean)*scale + beta + residual).
func (p *printer) norm() {
	for _, v := range []struct {
		name           string
		residual, relu bool
	}{{"", false, false}, {"ReLU", false, true}, {"Residual", true, false}, {"ResidualReLU", true, true}} {
		p.fn("norm"+v.name, "normArgs", 0, "y", "rows", "c", "tail", "z", "residual", "mean", "scale", "beta")
		p.arg("y", "SI")
		p.arg("z", "DI")
		bases := []string{"SI", "DI"}
		if v.residual {
			p.arg("residual", "R9")
			bases = append(bases, "R9")
		}
		p.arg("mean", "R12")
		p.arg("scale", "R13")
		p.arg("beta", "BX")
		p.rows(bases, func() {
			p.load("(SI)(R11*1)", 0)
			p.memory("VSUBPS", "(R12)(R11*1)", 0, 0)
			p.memory("VMULPS", "(R13)(R11*1)", 0, 0)
			p.memory("VADDPS", "(BX)(R11*1)", 0, 0)
			if v.residual {
				p.memory("VADDPS", "(R9)(R11*1)", 0, 0)
			}
			if v.relu {
				p.op("VMAXPS", 8, 0, 0) // 0 if the value is NaN or -0
			}
			p.store(0, "(DI)(R11*1)")
		})
	}
}

// normBack: dy = coef0 * ((a - coef1) - xhat*coef2), dres = a.
func (p *printer) normBack() {
	for _, dres := range []string{"", "Residual"} {
		for _, mask := range masks {
			if dres != "" && mask == "Again" { // z has the residual in it
				continue
			}
			p.fn("normBack"+dres+mask, "normBackArgs", 0, "y", "rows", "c", "tail", "dy", "dres", "dz", "z", "mean", "inv", "coef0", "coef1", "coef2", "scale", "beta")
			p.arg("y", "SI")
			p.arg("dy", "DI")
			p.arg("dz", "R8")
			bases := []string{"SI", "DI", "R8"}
			scale, beta := "", ""
			switch mask {
			case "Mask":
				p.arg("z", "R9")
				bases = append(bases, "R9")
			case "Again":
				scale, beta = "R9", "R14"
				p.arg("scale", scale)
				p.arg("beta", beta)
			}
			if dres != "" {
				p.arg("dres", "R14")
				bases = append(bases, "R14")
			}
			p.arg("mean", "R12")
			p.arg("inv", "R13")
			p.arg("coef0", "BX")
			p.arg("coef1", "DX")
			p.arg("coef2", "R15")
			at := func(base string) string { return "(" + base + ")(R11*1)" }
			p.rows(bases, func() {
				p.load(at("SI"), 2)
				p.masked(mask, at("R8"), at("R9"), at("R12"), at(scale), at(beta), 1)
				p.memory("VSUBPS", at("R12"), 2, 0)
				p.memory("VMULPS", at("R13"), 0, 0)
				p.memory("VMULPS", at("R15"), 0, 0)
				p.memory("VSUBPS", at("DX"), 1, 3)
				p.op("VSUBPS", 0, 3, 3)
				p.memory("VMULPS", at("BX"), 3, 3)
				if dres != "" {
					p.store(1, at("R14"))
				}
				p.store(3, at("DI"))
			})
		}
	}
}
