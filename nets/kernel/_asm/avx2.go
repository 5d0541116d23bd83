package main

func avx2File(p *printer) {
	peak(p, "Y")
	direct(p, "Y", 6, 2)
	directDown(p, "Y", 6, 2)
	direct(p, "Y", 8, 1)
	winogradFile(p, "Y")
	pixels(p, "pixelsCopy")
	pixels(p, "pixelsAdd")
}

// pixels prints loops over rows and the pixels in them that copy or add the first values of each, eight at a time. Denormals stay what they are.
func pixels(p *printer, name string) {
	fields := []string{"to", "from", "tostep", "fromstep", "pixels", "bytes", "rows", "torow", "fromrow"}
	p.fn(name, 0, fields...)
	for i, reg := range []string{"R8", "R9", "R10", "R11", "CX", "DX", "SI", "DI", "R12"} {
		if reg != "CX" {
			p.arg(fields[i], reg)
		}
	}
	some := func(at string) {
		p.op("VMOVUPS (R9)%s, Y0", at)
		if name == "pixelsAdd" {
			p.op("VADDPS (R8)%s, Y0, Y0", at)
		}
		p.op("VMOVUPS Y0, (R8)%s", at)
	}
	next := func(label string) {
		p.op("ADDQ R10, R8")
		p.op("ADDQ R11, R9")
		p.again("CX", label)
	}
	p.label("row")
	p.arg("pixels", "CX")
	p.op("MOVQ R8, R13")
	p.op("MOVQ R9, R15")
	p.op("CMPQ DX, $32")
	p.op("JEQ eight")
	p.label("pixel")
	p.op("XORQ BX, BX")
	p.label("values")
	some("(BX*1)")
	p.op("ADDQ $32, BX")
	p.op("CMPQ BX, DX")
	p.op("JNE values")
	next("pixel")
	p.op("JMP done")
	p.label("eight")
	some("")
	next("eight")
	p.label("done")
	p.op("LEAQ (R13)(DI*1), R8")
	p.op("LEAQ (R15)(R12*1), R9")
	p.again("SI", "row")
	p.ret()
}
