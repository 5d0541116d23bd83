package main

import (
	"fmt"
	"strings"
)

// direct prints the micro-kernel of the direct algorithm for registers of that
// letter (Z: 16 floats, Y: 8):
//
//	for each segment, for i in n:  c[m][k] += a[m*astride + i*astep] * b[i*bstep + k]
//
// for m < mt and k < vt registers; a advances by aseg bytes between segments, b continues.
// accumulate says whether c is read first. That for blocks of mt rows, one after the other, and all of it times times, or once, each anext, bnext and cnext bytes
// after the last. Denormals count as zero inside. With each step of the reduction a line of 64 bytes of what lies from ahead to end is fetched into the second-level cache, while some is left.
func direct(p *printer, reg string, mt, vt int) {
	directRows(p, fmt.Sprintf("direct%s%dx%d", reg, mt, vt), reg, mt, vt, 0)
}

// directDown is direct where the rows are neighbours in memory (astride is 4): one base then serves all, where several, whose additions take the ports of multiply-adds, serve rows that
// are any number of bytes apart.
func directDown(p *printer, reg string, mt, vt int) {
	directRows(p, fmt.Sprintf("direct%s%dx%dDown", reg, mt, vt), reg, mt, vt, mt)
}

// directPairs is that for one register of 16 floats with two rows of a in turn in its lanes, whose values are neighbours in memory:
//
//	c[m][2k+l] += a[m*astride + i*astep + 4l] * b[i*bstep + 2k+l]
func directPairs(p *printer, mt int) {
	directRows(p, fmt.Sprintf("directZ%dx1Pairs", mt), "Z", mt, 1, 0)
}

// directDownPairs is that where the rows' pairs are neighbours in memory, too (astride is 8).
func directDownPairs(p *printer, mt int) {
	directRows(p, fmt.Sprintf("directZ%dx1DownPairs", mt), "Z", mt, 1, mt)
}

// directRows is that with run rows that are neighbours in memory, the next run astride bytes further, and so on; with 0 every row is astride bytes after the last.
func directRows(p *printer, name, reg string, mt, vt, run int) {
	width := map[string]int{"Z": 64, "Y": 32}[reg]
	p.fn(name, 64, "a", "astride", "astep", "aseg", "segs", "n", "b", "bstep", "c", "cstride", "accumulate", "blocks", "times", "anext", "bnext", "cnext", "ahead", "end")
	p.flush()
	for i, field := range []string{"a", "c", "b", "times"} { // where the next time begins, and how many are left
		p.arg(field, "R8")
		p.op("MOVQ R8, %s0-%d(SP)", field, 40+8*i)
	}
	p.arg("ahead", "BP")
	p.label("time")
	p.op("MOVQ a0-40(SP), R8") // where the next block of rows begins, and how many are left
	p.op("MOVQ R8, a-16(SP)")
	p.op("MOVQ c0-48(SP), R8")
	p.op("MOVQ R8, c-24(SP)")
	p.arg("blocks", "R8")
	p.op("MOVQ R8, blocks-32(SP)")
	p.label("block")
	bases := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	if run > 0 {
		bases = bases[:mt/run]
	} else {
		bases = bases[:(mt+4)/5]
	}
	acc := func(m, v int) string { return fmt.Sprintf("%s%d", reg, m*vt+v) }
	bReg := func(v int) string { return fmt.Sprintf("%s%d", reg, mt*vt+v) }
	p.arg("astride", "DX")
	p.op("LEAQ (DX)(DX*2), R15")
	address := func(m int) string {
		return bases[m/5] + []string{"", "(DX*1)", "(DX*2)", "(R15*1)", "(DX*4)"}[m%5]
	}
	pairs := strings.HasSuffix(name, "Pairs")
	each := map[bool]int{true: 8, false: 4}[pairs]
	operand := func(m int) string {
		if run > 0 {
			return fmt.Sprintf("%d(%s)", each*(m%run), bases[m/run])
		}
		a := address(m)
		return "(" + a[:len(bases[m/5])] + ")" + a[len(bases[m/5]):]
	}
	// accumulators
	p.op("MOVQ c-24(SP), SI")
	p.arg("cstride", "DI")
	p.op("CMPQ %s, $0", p.at("accumulate"))
	p.op("JEQ zero")
	for m := range mt {
		for v := range vt {
			p.op("VMOVUPS %d(SI), %s", v*width, acc(m, v))
		}
		if m < mt-1 {
			p.op("ADDQ DI, SI")
		}
	}
	p.op("JMP begin")
	p.label("zero")
	for m := range mt {
		for v := range vt {
			if reg == "Z" {
				p.op("VPXORD %s, %s, %s", acc(m, v), acc(m, v), acc(m, v))
			} else {
				p.op("VXORPS %s, %s, %s", acc(m, v), acc(m, v), acc(m, v))
			}
		}
	}
	p.label("begin")
	p.op("MOVQ b0-56(SP), BX")
	p.op("MOVQ a-16(SP), R8")
	p.arg("segs", "SI")
	p.arg("astep", "DI")
	p.arg("bstep", "R14")
	p.label("segment")
	for i := 1; i < len(bases); i++ {
		if run > 0 {
			p.op("LEAQ (%s)(DX*1), %s", bases[i-1], bases[i])
			continue
		}
		p.op("LEAQ (%s)(DX*4), %s", bases[i-1], bases[i])
		p.op("ADDQ DX, %s", bases[i])
	}
	step := func() {
		for v := range vt {
			p.op("VMOVUPS %d(BX), %s", v*width, bReg(v))
		}
		for m := range mt {
			switch {
			case pairs:
				t := fmt.Sprintf("Z%d", mt+1+m%4)
				p.op("VBROADCASTSD %s, %s", operand(m), t)
				p.op("VFMADD231PS %s, %s, %s", t, bReg(0), acc(m, 0))
			case reg == "Z" && vt == 1:
				p.op("VFMADD231PS.BCST %s, %s, %s", operand(m), bReg(0), acc(m, 0))
			default:
				t := fmt.Sprintf("%s%d", reg, mt*vt+vt+m%2)
				p.op("VBROADCASTSS %s, %s", operand(m), t)
				for v := range vt {
					p.op("VFMADD231PS %s, %s, %s", t, bReg(v), acc(m, v))
				}
			}
		}
		for _, b := range bases {
			p.op("ADDQ DI, %s", b)
		}
		p.op("ADDQ R14, BX")
		p.op("DECQ CX")
	}
	p.arg("n", "CX")
	p.op("CMPQ BP, %s", p.at("end"))
	p.op("JGE loop")
	p.label("fetching")
	p.op("PREFETCHT1 (BP)")
	p.op("ADDQ $64, BP")
	step()
	p.op("JNZ fetching")
	p.op("JMP added")
	p.label("loop")
	step()
	p.op("JNZ loop")
	p.label("added")
	p.arg("n", "R9")
	p.op("IMULQ DI, R9")
	p.op("SUBQ R9, R8")
	p.op("ADDQ %s, R8", p.at("aseg"))
	p.again("SI", "segment")
	p.op("MOVQ c-24(SP), SI")
	p.arg("cstride", "DI")
	for m := range mt {
		for v := range vt {
			p.op("VMOVUPS %s, %d(SI)", acc(m, v), v*width)
		}
		p.op("ADDQ DI, SI")
	}
	p.op("MOVQ SI, c-24(SP)")
	p.op("IMUL3Q $%d, DX, R8", mt)
	p.op("ADDQ R8, a-16(SP)")
	p.op("DECQ blocks-32(SP)")
	p.op("JNZ block")
	for i, field := range []string{"a", "c", "b"} {
		p.arg(field+"next", "R8")
		p.op("ADDQ R8, %s0-%d(SP)", field, 40+8*i)
	}
	p.op("DECQ times0-64(SP)")
	p.op("JGT time")
	p.restore()
	p.ret()
}

// peak prints a loop of independent multiply-adds in registers, 24 (or 12) an iteration.
func peak(p *printer, reg string) {
	count := map[string]int{"Z": 24, "Y": 12}[reg]
	peakOf(p, "peak"+reg, reg, count, func(i int) { p.op("VFMADD231PS %s%d, %s%d, %s%d", reg, count, reg, count+1, reg, i) })
}

// peakDot prints the same loop of VDPBF16PS, which adds two products of bf16 to each of 16 floats.
func peakDot(p *printer) {
	const count = 24
	peakOf(p, "peakDot", "Z", count, func(i int) { p.dot(i, count, count+1) })
}

func peakOf(p *printer, name, reg string, count int, multiply func(acc int)) {
	p.fn(name, 0, "iterations")
	p.arg("iterations", "CX")
	clear := map[string]string{"Z": "VPXORD", "Y": "VXORPS"}[reg]
	for i := range count + 2 {
		p.op("%s %s%d, %s%d, %s%d", clear, reg, i, reg, i, reg, i)
	}
	p.label("loop")
	for i := range count {
		multiply(i)
	}
	p.again("CX", "loop")
	p.ret()
}
