package main

import "fmt"

// fill broadcasts a 32-bit constant.
func (p *printer) fill(value uint32, reg int) {
	p.op("MOVL", fmt.Sprintf("$0x%08X", value), "R8")
	p.op("VMOVD", "R8", fmt.Sprintf("X%d", reg))
	p.op("VPBROADCASTD", fmt.Sprintf("X%d", reg), reg)
}

// round writes float32 rounded to bf16 as float32: to nearest, ties to even; what is below 2^-126 becomes a zero of its sign, a NaN stays.
func (p *printer) round() {
	p.fn("round", "addArgs", 0, "to", "from", "n")
	p.arg("to", "DI")
	p.arg("from", "SI")
	p.arg("n", "CX")
	p.fill(0x7FFF, 8)
	p.fill(1, 9)
	p.fill(0xFFFF0000, 10)
	p.fill(0x7F800000, 11)
	p.fill(0x80000000, 12)
	p.op("VPXOR", "Y13", "Y13", "Y13")
	p.label("loop")
	p.op("VMOVUPS", "(SI)", 0)
	p.op("VPSRLD", "$16", 0, 1)
	and := "VPAND"
	if p.wide() {
		and = "VPANDD"
	}
	p.op(and, 9, 1, 1)
	p.op("VPADDD", 8, 1, 1)
	p.op("VPADDD", 0, 1, 1)
	p.op(and, 10, 1, 1)
	p.op(and, 12, 0, 3) // the sign
	if p.wide() {
		p.op("VPTESTNMD", 11, 0, "K1")
		p.op("VMOVDQA32", 3, "K1", 1)
		p.op("VCMPPS", "$3", 0, 0, "K2")
		p.op("VMOVDQA32", 0, "K2", 1)
	} else {
		p.op("VPAND", 11, 0, 2)
		p.op("VPCMPEQD", 13, 2, 2)
		p.op("VBLENDVPS", 2, 3, 1, 1)
		p.op("VCMPPS", "$3", 0, 0, 2)
		p.op("VBLENDVPS", 2, 0, 1, 1)
	}
	p.op("VMOVUPS", 1, "(DI)")
	p.advance(p.bytes(), "SI", "DI")
	p.endLoop(p.lanes)
}

// widen writes bf16 numbers as float32; n is a multiple of 16.
func (p *printer) widen() {
	p.fn("widen", "widenArgs", 0, "to", "from", "n")
	p.arg("to", "DI")
	p.arg("from", "SI")
	p.arg("n", "CX")
	p.label("loop")
	p.widened("", "(SI)", 0)
	p.op("VMOVUPS", 0, "(DI)")
	p.advance(32, "SI")
	p.advance(64, "DI")
	p.endLoop(16)
}

// addHalf adds float32, rounded to bf16, to bf16 numbers, and rounds the sum; n is a multiple of 16.
func (p *printer) addHalf() {
	p.fn("addHalf", "addHalfArgs", 0, "to", "from", "n")
	p.arg("to", "DI")
	p.arg("from", "SI")
	p.arg("n", "CX")
	p.label("loop")
	p.op("VMOVUPS", "(SI)", 0)
	p.rounded(0)
	p.widened("", "(DI)", 1)
	p.op("VADDPS", 1, 0, 0)
	p.toHalves(0, 0)
	p.op("VMOVDQU", "Y0", "(DI)")
	p.advance(64, "SI")
	p.advance(32, "DI")
	p.endLoop(16)
}

// addHalfGrid adds pixels of bf16 numbers to others, columns of them in each of some rows, and rounds the sums. A pixel is a number of groups of up to 16 values, the last of which has as many as tail has bits.
func (p *printer) addHalfGrid() {
	p.fn("addHalfGrid", "addHalfGridArgs", 0, "to", "from", "torow", "fromrow", "tostep", "fromstep", "rows", "columns", "groups", "tail")
	p.arg("to", "R8")
	p.arg("from", "R9")
	p.arg("tostep", "R10")
	p.arg("fromstep", "R11")
	p.arg("rows", "BX")
	p.arg("tail", "CX")
	p.op("KMOVW", "CX", "K3")
	p.op("KXNORW", "K2", "K2", "K2")
	p.label("row")
	p.op("MOVQ", "R8", "R12")
	p.op("MOVQ", "R9", "R13")
	p.arg("columns", "DX")
	p.label("pixel")
	p.op("MOVQ", "R12", "DI")
	p.op("MOVQ", "R13", "SI")
	p.op("KMOVW", "K2", "K1")
	p.arg("groups", "CX")
	p.label("group")
	p.op("CMPQ", "CX", "$1")
	p.op("JNE", "whole")
	p.op("KMOVW", "K3", "K1")
	p.label("whole")
	p.activation(true, "(SI)", 0)
	p.activation(true, "(DI)", 1)
	p.op("VADDPS", 1, 0, 0)
	p.storeActivation(true, 0, "(DI)")
	p.advance(32, "SI", "DI")
	p.again("CX", "group")
	p.op("ADDQ", "R10", "R12")
	p.op("ADDQ", "R11", "R13")
	p.again("DX", "pixel")
	p.op("ADDQ", p.at("torow"), "R8")
	p.op("ADDQ", p.at("fromrow"), "R9")
	p.again("BX", "row")
	p.ret()
}
