package main

func avx2File(p *printer) {
	peak(p, "Y")
	direct(p, "Y", 6, 2)
	direct(p, "Y", 8, 1)
	winogradFile(p, "Y")
	pixels(p, "pixelsCopy")
	pixels(p, "pixelsAdd")
}

// pixels prints a loop over pixels that copies or adds the first values of each, eight at a time. Denormals stay what they are.
func pixels(p *printer, name string) {
	p.fn(name, 0, "to", "from", "tostep", "fromstep", "pixels", "bytes")
	for i, field := range []string{"to", "from", "tostep", "fromstep", "pixels", "bytes"} {
		p.arg(field, []string{"R8", "R9", "R10", "R11", "CX", "DX"}[i])
	}
	p.label("pixel")
	p.op("XORQ BX, BX")
	p.label("values")
	p.op("VMOVUPS (R9)(BX*1), Y0")
	if name == "pixelsAdd" {
		p.op("VADDPS (R8)(BX*1), Y0, Y0")
	}
	p.op("VMOVUPS Y0, (R8)(BX*1)")
	p.op("ADDQ $32, BX")
	p.op("CMPQ BX, DX")
	p.op("JNE values")
	p.op("ADDQ R10, R8")
	p.op("ADDQ R11, R9")
	p.again("CX", "pixel")
	p.ret()
}
