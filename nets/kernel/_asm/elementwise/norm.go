package main

import (
	"fmt"
	"maps"
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

// Functions with Half in their names, which only AVX-512 has, keep a batch norm's y, z and residual and their gradients in memory as bf16 numbers, two bytes each. What is not
// rounded yet is float32: y of sumsHalf, dz of backSumsJoinHalf.

// halves lists the ways in which activations lie in memory.
func (p *printer) halves() []bool {
	if p.wide() {
		return []bool{false, true}
	}
	return []bool{false}
}

// suffix is how a function's name says it.
func suffix(half bool) string {
	if half {
		return "Half"
	}
	return ""
}

// activation is load of y, z or a residual.
func (p *printer) activation(half bool, mem string, reg int) {
	if !half {
		p.load(mem, reg)
		return
	}
	p.widened("K1", mem, reg)
}

// widened loads 16 bf16 numbers, or those that the mask lets through, as float32; from may be a register of 32 bytes.
func (p *printer) widened(mask, from string, reg int) {
	if mask == "" {
		p.op("VPMOVZXWD", from, reg)
	} else {
		p.op("VPMOVZXWD.Z", from, mask, reg)
	}
	p.op("VPSLLD", "$16", reg, reg)
}

// value loads 16 values of either kind.
func (p *printer) value(half bool, mem string, reg int) {
	if half {
		p.widened("", mem, reg)
	} else {
		p.op("VMOVUPS", mem, reg)
	}
}

// storeActivation rounds to bf16 and stores. Uses register 7 of 32 bytes.
func (p *printer) storeActivation(half bool, reg int, mem string) {
	if !half {
		p.store(reg, mem)
		return
	}
	p.toHalves(reg, 7)
	p.op("VMOVDQU16", "Y7", "K1", mem)
}

// toHalves rounds 16 values to bf16 in the lower half of a register: VCVTNEPS2BF16, which Go's assembler does not know.
func (p *printer) toHalves(from, to int) {
	p.raw("\tBYTE $0x62; BYTE $0xF2; BYTE $0x7E; BYTE $0x48; BYTE $0x72; BYTE $0x%02X // VCVTNEPS2BF16 Z%d, Y%d\n", 0xC0|to<<3|from, from, to)
}

// rounded rounds 16 values to bf16 where they are.
func (p *printer) rounded(reg int) {
	p.toHalves(reg, reg)
	p.widened("", fmt.Sprintf("Y%d", reg), reg)
}

// positive puts into register 8 what a ReLU's output must exceed for the gradient to pass: 0, or the largest number that a bf16 activation has as 0.
func (p *printer) positive(half bool) {
	if !half {
		p.op("VXORPS", 8, 8, 8)
		return
	}
	p.op("MOVL", "$0x007FFFFF", "CX")
	p.op("VPBROADCASTD", "CX", 8)
}

// masks is how the ReLU behind a batch norm is undone: not at all, by z > 0, or
// by computing z again, which is cheaper than reading it.
var masks = []string{"", "Mask", "Again"}

// sumsMasks are those of the sums of the backward pass, which may also leave in memory what comes through, of dz and a shortcut's gradient together or of dz.
var sumsMasks = append(slices.Clone(masks), "Join", "Cut")

// readsZ says whether the sums with a mask of sumsMasks read z.
func readsZ(mask string) bool { return mask == "Mask" || mask == "Join" || mask == "Cut" }

// sumsFields are the fields of sumsArgs.
var sumsFields = []string{"y", "rows", "c", "tail", "part", "squares", "dz", "z", "mean", "inv", "scale", "beta", "shortcut"}

// masked loads dz where z > 0 to register dst. y - mean is in the register centred; uses 4. Register 8 is as positive leaves it; channels says where the channels' values of a field lie.
func (p *printer) masked(half bool, mask, dz, z string, channels func(field string) string, centred, dst int) {
	switch mask {
	case "":
		p.activation(half, dz, dst)
		return
	case "Mask":
		p.activation(half, z, 4)
	case "Again":
		p.memory("VMULPS", channels("scale"), centred, 4)
		p.memory("VADDPS", channels("beta"), 4, 4)
	}
	switch {
	case half:
		p.op("VCMPPS", less, 4, 8, "K1", "K2")
		p.widened("K2", dz, dst)
	case p.wide():
		p.op("VCMPPS", less, 4, 8, "K1", "K2")
		p.op("VMOVUPS.Z", dz, "K2", dst)
	default:
		p.op("VCMPPS", less, 4, 8, 4)
		p.op("VANDPS", dz, 4, dst)
	}
}

// wholeMask sets K1 to a whole vector.
func (p *printer) wholeMask() {
	if p.wide() {
		p.op("KXNORW", "K1", "K1", "K1")
	}
}

// stop puts zeros into register 5 where z is not > 0. Uses 4; register 8 is as positive leaves it.
func (p *printer) stop(half bool, z string) {
	p.activation(half, z, 4)
	if p.wide() {
		p.op("VCMPPS", less, 4, 8, "K1", "K2")
		p.op("VMOVAPS.Z", 5, "K2", 5)
	} else {
		p.op("VCMPPS", less, 4, 8, 4)
		p.op("VANDPS", 5, 4, 5)
	}
}

// joined adds the shortcut's gradient to dz, puts zeros where z is not > 0, stores that and leaves it in register 5. Uses 3 and 4; register 8 is as positive leaves it. With halves both dz, which
// is float32, and the sum are rounded, and the sum goes to the shortcut's place.
func (p *printer) joined(half bool, dz, shortcut, z string) {
	p.load(dz, 5)
	if half {
		p.rounded(5)
		p.activation(half, shortcut, 3)
		p.op("VADDPS", 3, 5, 5)
	} else {
		p.memory("VADDPS", shortcut, 5, 5)
	}
	p.stop(half, z)
	if !half {
		p.store(5, dz)
		return
	}
	p.toHalves(5, 5)
	p.op("VMOVDQU16", "Y5", "K1", shortcut)
	p.widened("", "Y5", 5)
}

// cut is joined without a shortcut: with halves dz, too, is of halves, and stays where it is. Uses 4.
func (p *printer) cut(half bool, dz, z string) {
	p.activation(half, dz, 5)
	p.stop(half, z)
	if !half {
		p.store(5, dz)
		return
	}
	p.toHalves(5, 4)
	p.op("VMOVDQU16", "Y4", "K1", dz)
}

// sums adds to part the sums over a block of rows of y and y^2, and of a and a*xhat (see masked; with Join, joined, with Cut, cut). sumsHalf reads float32, which it writes to z rounded, and sums the
// rounded ones.
func (p *printer) sums() {
	for _, half := range p.halves() {
		p.fn("sums"+suffix(half), "sumsArgs", 0, sumsFields...)
		p.sumsBody(half, false, "")
		for _, mask := range sumsMasks {
			p.fn("backSums"+mask+suffix(half), "sumsArgs", 0, sumsFields...)
			p.sumsBody(half, true, mask)
		}
	}
}

func (p *printer) sumsBody(half, back bool, mask string) {
	p.positive(half)
	p.arg("c", "R10")
	p.op("LEAQ", "(R10*4)", "DX")
	p.arg("part", "DI")
	p.arg("squares", "R12")
	p.op("XORQ", "R11", "R11")
	p.wholeMask()
	for _, groups := range []int{4, 2, 1} {
		again, next := p.fresh("groups"), p.fresh("next")
		p.label(again)
		p.op("CMPQ", "R10", fmt.Sprintf("$%d", groups*p.lanes))
		p.op("JLT", next)
		p.sumsGroups(half, back, mask, groups)
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
		p.sumsGroups(half, back, mask, 1)
		p.label("done")
	}
	p.ret()
}

// sumsGroups sums that many vectors of channels from byte R11 of a row of float32 on: in
// registers sum(g) and square(g), row by row.
func (p *printer) sumsGroups(half, back bool, mask string, groups int) {
	sum := func(g int) int { return []int{6, 7, 9, 10}[g] }
	square := func(g int) int { return []int{11, 12, 13, 14}[g] }
	base := func(field, reg string) { p.channels(false, field, reg) }
	halfBase := func(field, reg string) { p.channels(half, field, reg) }
	if back {
		halfBase("y", "SI")
	} else {
		base("y", "SI")
	}
	p.arg("rows", "CX")
	for g := range groups {
		p.op("VXORPS", sum(g), sum(g), sum(g))
		p.op("VXORPS", square(g), square(g), square(g))
	}
	fields := map[string]string{} // the registers that point to what the channels have
	if back {
		p.channels(half && mask != "Join", "dz", "R8")
		fields["mean"], fields["inv"] = "BX", "R13"
	}
	switch {
	case readsZ(mask), half && !back:
		halfBase("z", "R9")
		if mask == "Join" {
			halfBase("shortcut", "R15")
		}
	case mask == "Again":
		fields["scale"], fields["beta"] = "R9", "R15"
	}
	names := slices.Sorted(maps.Keys(fields))
	for i, name := range names {
		base(name, fields[name])
		for g := range groups {
			if p.wide() { // where registers are enough, they hold it for all rows
				p.load(fmt.Sprintf("%d(%s)", g*p.bytes(), fields[name]), 16+4*g+i)
			}
		}
	}
	if half {
		p.op("MOVQ", "DX", "R14")
		p.op("SHRQ", "$1", "R14")
	}
	row := p.fresh("row")
	p.label(row)
	for g := range groups {
		at := func(base string) string { return fmt.Sprintf("%d(%s)", g*p.bytes(), base) }
		channels := func(field string) string {
			if p.wide() {
				return p.v(16 + 4*g + slices.Index(names, field))
			}
			return at(fields[field])
		}
		halfAt := func(base string) string {
			if half {
				return fmt.Sprintf("%d(%s)", g*p.bytes()/2, base)
			}
			return at(base)
		}
		if !back {
			p.load(at("SI"), 2)
			if half {
				p.toHalves(2, 2)
				p.op("VMOVDQU16", "Y2", "K1", halfAt("R9"))
				p.widened("", "Y2", 2)
			}
			p.op("VMULPS", 2, 2, 3)
			p.op("VADDPS", 2, sum(g), sum(g))
		} else {
			p.activation(half, halfAt("SI"), 2)
			if mask == "Join" {
				p.joined(half, at("R8"), halfAt("R15"), halfAt("R9"))
			}
			p.memory("VSUBPS", channels("mean"), 2, 3)
			switch mask {
			case "Join":
			case "Cut":
				p.cut(half, halfAt("R8"), halfAt("R9"))
			default:
				p.masked(half, mask, halfAt("R8"), halfAt("R9"), channels, 3, 5)
			}
			p.memory("VMULPS", channels("inv"), 3, 3)
			p.op("VMULPS", 5, 3, 3)
			p.op("VADDPS", 5, sum(g), sum(g))
		}
		p.op("VADDPS", 3, square(g), square(g))
	}
	halfStride := "DX"
	if half {
		halfStride = "R14"
	}
	if back {
		p.op("ADDQ", halfStride, "SI")
		if mask == "Join" {
			p.op("ADDQ", "DX", "R8")
		} else {
			p.op("ADDQ", halfStride, "R8")
		}
	} else {
		p.op("ADDQ", "DX", "SI")
	}
	if readsZ(mask) || half && !back {
		p.op("ADDQ", halfStride, "R9")
	}
	if mask == "Join" {
		p.op("ADDQ", halfStride, "R15")
	}
	p.op("DECQ", "CX")
	p.op("JNZ", row)
	for g := range groups {
		p.addDouble(sum(g), fmt.Sprintf("%d(DI)(R11*2)", 2*g*p.bytes()), fmt.Sprintf("%d(DI)(R11*2)", (2*g+1)*p.bytes()))
		p.addDouble(square(g), fmt.Sprintf("%d(R12)(R11*2)", 2*g*p.bytes()), fmt.Sprintf("%d(R12)(R11*2)", (2*g+1)*p.bytes()))
	}
}

// sumsTwo are the functions of sums for two blocks of rows of 8 channels at once, the second rows behind the first, in the halves of a vector. Each block's sums are added up as by those of one.
func (p *printer) sumsTwo() {
	p.fn("sumsTwo", "sumsArgs", 0, sumsFields...)
	p.sumsTwoBody(false, "")
	for _, mask := range sumsMasks {
		p.fn("backSums"+mask+"Two", "sumsArgs", 0, sumsFields...)
		p.sumsTwoBody(true, mask)
	}
}

func (p *printer) sumsTwoBody(back bool, mask string) {
	second := func(base string) string { return "(" + base + ")(R10*1)" }
	load := func(base string, reg int) {
		p.op("VMOVUPS", "("+base+")", fmt.Sprintf("Y%d", reg))
		p.op("VINSERTF32X8", "$1", second(base), reg, reg)
	}
	p.op("VXORPS", 8, 8, 8)
	p.op("VXORPS", 6, 6, 6)
	p.op("VXORPS", 11, 11, 11)
	p.arg("rows", "CX")
	p.op("MOVQ", "CX", "R10")
	p.op("SHLQ", "$5", "R10") // bytes of a block
	pointers := []string{"SI"}
	p.arg("y", "SI")
	if back {
		p.arg("dz", "R8")
		pointers = append(pointers, "R8")
		for i, field := range []string{"mean", "inv", "scale", "beta"} {
			p.arg(field, "BX")
			p.op("VBROADCASTF32X8", "(BX)", 16+i)
		}
	}
	if readsZ(mask) {
		p.arg("z", "R9")
		pointers = append(pointers, "R9")
	}
	if mask == "Join" {
		p.arg("shortcut", "R15")
		pointers = append(pointers, "R15")
	}
	p.label("row")
	load("SI", 2)
	if !back {
		p.op("VMULPS", 2, 2, 3)
		p.op("VADDPS", 2, 6, 6)
	} else {
		p.op("VSUBPS", 16, 2, 3)
		switch {
		case readsZ(mask):
			load("R9", 4)
		case mask == "Again":
			p.op("VMULPS", 18, 3, 4)
			p.op("VADDPS", 19, 4, 4)
		}
		switch mask {
		case "":
			load("R8", 5)
		case "Join", "Cut":
			load("R8", 5)
			if mask == "Join" {
				load("R15", 2)
				p.op("VADDPS", 2, 5, 5)
			}
			p.op("VCMPPS", less, 4, 8, "K2")
			p.op("VMOVAPS.Z", 5, "K2", 5)
			p.op("VMOVUPS", "Y5", "(R8)")
			p.op("VEXTRACTF32X8", "$1", 5, second("R8"))
		default:
			p.op("VCMPPS", less, 4, 8, "K2")
			p.op("VMOVUPS", "(R8)", "Y5")
			p.op("VINSERTF32X8.Z", "$1", second("R8"), 5, "K2", 5)
		}
		p.op("VMULPS", 17, 3, 3)
		p.op("VMULPS", 5, 3, 3)
		p.op("VADDPS", 5, 6, 6)
	}
	p.op("VADDPS", 3, 11, 11)
	p.advance(32, pointers...)
	p.again("CX", "row")
	for i, field := range []string{"part", "squares"} {
		reg := 6 + 5*i
		p.arg(field, "DI")
		p.op("VEXTRACTF64X4", "$1", reg, "Y2")
		p.op("VCVTPS2PD", fmt.Sprintf("Y%d", reg), 3)
		p.op("VCVTPS2PD", "Y2", 4)
		p.op("VADDPD", "(DI)", 3, 3)
		p.op("VADDPD", 4, 3, 3)
		p.op("VMOVUPD", 3, "(DI)")
	}
	p.ret()
}

// channels is where the channels from byte R11 of a row of float32 on begin in an array of such rows, or of halves.
func (p *printer) channels(half bool, field, reg string) {
	if half {
		p.op("MOVQ", "R11", reg)
		p.op("SHRQ", "$1", reg)
		p.op("ADDQ", p.at(field), reg)
		return
	}
	p.arg(field, reg)
	p.op("ADDQ", "R11", reg)
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

// columns prints loops over blocks of rows, the groups of channels in them, and the rows of a block. The activations begin at the given registers; what the channels have is in the given fields. group
// is told where a vector of an activation and the channels' values of a field lie.
//
// With AVX-512, which has registers enough, the values of the fields stay in registers 16, 17, ... for all rows of a block; a block is small enough for the first-level cache.
func (p *printer) columns(half bool, activations, fields []string, group func(activation, channels func(string) string)) {
	if !p.wide() {
		p.rows(activations, fields, group)
		return
	}
	shift := "$2" // of the number of channels, to their bytes in a row of activations
	if half {
		shift = "$1"
	}
	p.arg("rows", "CX")
	p.arg("c", "DX")
	p.op("LEAQ", "(DX*4)", "R13")
	p.op("SHLQ", shift, "DX")
	p.label("block")
	p.arg("block", "R10")
	p.op("CMPQ", "R10", "CX")
	p.op("CMOVQGT", "CX", "R10")
	p.op("XORQ", "R12", "R12")
	p.wholeMask()
	p.label("group")
	p.op("MOVQ", "R13", "R11")
	p.op("SUBQ", "R12", "R11")
	p.op("CMPQ", "R11", "$64")
	p.op("JGE", "whole")
	p.op("KMOVW", p.at("tail"), "K1")
	p.label("whole")
	for i, field := range fields {
		p.arg(field, "BX")
		p.load("(BX)(R12*1)", 16+i)
	}
	p.op("MOVQ", "R12", "R11")
	if half {
		p.op("SHRQ", "$1", "R11")
	}
	p.op("MOVQ", "R10", "BX")
	p.label("row")
	group(func(base string) string { return "(" + base + ")(R11*1)" }, func(field string) string { return p.v(16 + slices.Index(fields, field)) })
	p.op("ADDQ", "DX", "R11")
	p.again("BX", "row")
	p.op("ADDQ", "$64", "R12")
	p.op("CMPQ", "R12", "R13")
	p.op("JLT", "group")
	p.op("MOVQ", "R10", "BX")
	p.op("IMULQ", "DX", "BX")
	for _, r := range activations {
		p.op("ADDQ", "BX", r)
	}
	p.op("SUBQ", "R10", "CX")
	p.op("JG", "block")
	p.ret()
}

// rows is columns row by row, with the values of the fields in memory.
func (p *printer) rows(activations, fields []string, group func(activation, channels func(string) string)) {
	free := []string{"R12", "R13", "BX", "DX", "R15", "R9", "R14"}[:len(fields)]
	for i, field := range fields {
		p.arg(field, free[i])
	}
	p.arg("rows", "CX")
	p.label("row")
	p.op("XORQ", "R11", "R11")
	p.arg("c", "R10")
	p.label("group")
	group(func(base string) string { return "(" + base + ")(R11*1)" }, func(field string) string { return "(" + free[slices.Index(fields, field)] + ")(R11*1)" })
	p.op("ADDQ", fmt.Sprintf("$%d", p.bytes()), "R11")
	p.op("SUBQ", fmt.Sprintf("$%d", p.lanes), "R10")
	p.op("JG", "group")
	p.arg("c", "R10")
	for _, r := range activations {
		p.op("LEAQ", "("+r+")(R10*4)", r)
	}
	p.again("CX", "row")
	p.ret()
}

// norm: z = act((y-mean)*scale + beta + residual).
func (p *printer) norm() {
	for _, half := range p.halves() {
		for _, v := range []struct {
			name           string
			residual, relu bool
		}{{"", false, false}, {"ReLU", false, true}, {"Residual", true, false}, {"ResidualReLU", true, true}} {
			p.fn("norm"+v.name+suffix(half), "normArgs", 0, "y", "rows", "c", "tail", "block", "z", "residual", "mean", "scale", "beta")
			p.arg("y", "SI")
			p.arg("z", "DI")
			activations := []string{"SI", "DI"}
			if v.residual {
				p.arg("residual", "R9")
				activations = append(activations, "R9")
			}
			p.op("VXORPS", 8, 8, 8)
			p.columns(half, activations, []string{"mean", "scale", "beta"}, func(activation, channels func(string) string) {
				p.activation(half, activation("SI"), 0)
				p.memory("VSUBPS", channels("mean"), 0, 0)
				p.memory("VMULPS", channels("scale"), 0, 0)
				p.memory("VADDPS", channels("beta"), 0, 0)
				switch {
				case v.residual && half:
					p.activation(half, activation("R9"), 1)
					p.op("VADDPS", 1, 0, 0)
				case v.residual:
					p.memory("VADDPS", activation("R9"), 0, 0)
				}
				if v.relu {
					p.op("VMAXPS", 8, 0, 0) // 0 if the value is NaN or -0
				}
				p.storeActivation(half, 0, activation("DI"))
			})
		}
	}
}

// normBack: dy = coef0 * ((a - coef1) - xhat*coef2), dres = a.
func (p *printer) normBack() {
	for _, half := range p.halves() {
		for _, dres := range []string{"", "Residual"} {
			for _, mask := range masks {
				if dres != "" && mask == "Again" { // z has the residual in it
					continue
				}
				p.normBackOf(half, dres, mask)
			}
		}
	}
}

func (p *printer) normBackOf(half bool, dres, mask string) {
	p.fn("normBack"+dres+mask+suffix(half), "normBackArgs", 0, "y", "rows", "c", "tail", "block", "dy", "dres", "dz", "z", "mean", "inv", "coef0", "coef1", "coef2", "scale", "beta")
	p.positive(half)
	p.arg("y", "SI")
	p.arg("dy", "DI")
	p.arg("dz", "R8")
	activations, fields := []string{"SI", "DI", "R8"}, []string{"mean", "inv", "coef0", "coef1", "coef2"}
	switch mask {
	case "Mask":
		p.arg("z", "R9")
		activations = append(activations, "R9")
	case "Again":
		fields = append(fields, "scale", "beta")
	}
	if dres != "" {
		p.arg("dres", "R14")
		activations = append(activations, "R14")
	}
	p.columns(half, activations, fields, func(activation, channels func(string) string) {
		p.activation(half, activation("SI"), 2)
		p.memory("VSUBPS", channels("mean"), 2, 0)
		p.masked(half, mask, activation("R8"), activation("R9"), channels, 0, 1)
		p.memory("VMULPS", channels("inv"), 0, 0)
		p.memory("VMULPS", channels("coef2"), 0, 0)
		p.memory("VSUBPS", channels("coef1"), 1, 3)
		p.op("VSUBPS", 0, 3, 3)
		p.memory("VMULPS", channels("coef0"), 3, 3)
		if dres != "" {
			p.storeActivation(half, 1, activation("R14"))
		}
		p.storeActivation(half, 3, activation("DI"))
	})
}
