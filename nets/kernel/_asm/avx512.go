package main

func avx512File(p *printer) {
	peak(p, "Z")
	direct(p, "Z", 14, 2)
	direct(p, "Z", 28, 1)
	sums512(p)
	norm512(p)
	back512(p)
}

// channelLoop prints a loop over groups of 16 channels with K1 the mask of the group: f uses R11, the byte offset of the group.
func channelLoop(p *printer, f func()) {
	p.op("XORQ R11, R11")
	p.arg("c", "R10")
	p.label("group")
	p.op("KXNORW K1, K1, K1")
	p.op("CMPQ R10, $16")
	p.op("JGE whole")
	p.op("KMOVW %s, K1", p.at("tail"))
	p.label("whole")
	f()
	p.op("ADDQ $64, R11")
	p.op("SUBQ $16, R10")
	p.op("JG group")
}

// sums512 adds the sums and sums of squares over a block of rows to part.
// backSums512 those of a and a*xhat.
func sums512(p *printer) {
	for _, back := range []string{"", "Plain", "Mask"} {
		if back == "" {
			p.fn("sums512", 0, "y", "rows", "c", "stride", "tail", "part", "squares")
		} else {
			p.fn("backSums512"+back, 0, "y", "rows", "c", "stride", "tail", "part", "squares", "dz", "z", "mean", "inv")
		}
		p.arg("stride", "DX")
		p.arg("part", "DI")
		p.arg("squares", "R12")
		channelLoop(p, func() {
			p.arg("y", "SI")
			p.op("ADDQ R11, SI")
			p.arg("rows", "CX")
			p.op("VPXORD Z0, Z0, Z0")
			p.op("VPXORD Z1, Z1, Z1")
			if back != "" {
				p.arg("dz", "R8")
				p.op("ADDQ R11, R8")
				p.arg("mean", "BX")
				p.op("VMOVUPS.Z (BX)(R11*1), K1, Z6")
				p.arg("inv", "BX")
				p.op("VMOVUPS.Z (BX)(R11*1), K1, Z7")
				p.op("VPXORD Z8, Z8, Z8")
			}
			if back == "Mask" {
				p.arg("z", "R9")
				p.op("ADDQ R11, R9")
			}
			p.label("row")
			p.op("VMOVUPS.Z (SI), K1, Z2")
			switch back {
			case "":
				p.op("VMULPS Z2, Z2, Z3")
				p.op("VADDPS Z2, Z0, Z0")
			default:
				if back == "Mask" {
					p.op("VMOVUPS.Z (R9), K1, Z4")
					p.op("VCMPPS $0x11, Z4, Z8, K1, K2 // 0 < z")
					p.op("VMOVUPS.Z (R8), K2, Z5")
					p.op("ADDQ DX, R9")
				} else {
					p.op("VMOVUPS.Z (R8), K1, Z5")
				}
				p.op("VSUBPS Z6, Z2, Z3")
				p.op("VMULPS Z7, Z3, Z3")
				p.op("VMULPS Z5, Z3, Z3")
				p.op("VADDPS Z5, Z0, Z0")
				p.op("ADDQ DX, R8")
			}
			p.op("VADDPS Z3, Z1, Z1")
			p.op("ADDQ DX, SI")
			p.op("DECQ CX")
			p.op("JNZ row")
			for i, to := range []string{"DI", "R12"} {
				p.op("VEXTRACTF64X4 $1, Z%d, Y2", i)
				p.op("VCVTPS2PD Y%d, Z3", i)
				p.op("VCVTPS2PD Y2, Z4")
				p.op("VMOVUPD.Z (%s)(R11*2), K1, Z5", to)
				p.op("VADDPD Z3, Z5, Z5")
				p.op("VMOVUPD Z5, K1, (%s)(R11*2)", to)
				p.op("KSHIFTRW $8, K1, K3")
				p.op("VMOVUPD.Z 64(%s)(R11*2), K3, Z5", to)
				p.op("VADDPD Z4, Z5, Z5")
				p.op("VMOVUPD Z5, K3, 64(%s)(R11*2)", to)
			}
		})
		p.op("VZEROUPPER")
		p.op("RET")
	}
}

// norm512: z = act((y-mean)*scale + beta + residual) over rows of c channels.
func norm512(p *printer) {
	for _, v := range []struct {
		name           string
		residual, relu bool
	}{{"", false, false}, {"ReLU", false, true}, {"Residual", true, false}, {"ResidualReLU", true, true}} {
		p.fn("norm512"+v.name, 0, "y", "rows", "c", "tail", "z", "residual", "mean", "scale", "beta")
		p.arg("y", "SI")
		p.arg("z", "DI")
		p.arg("residual", "R9")
		p.arg("rows", "CX")
		p.arg("mean", "R12")
		p.arg("scale", "R13")
		p.arg("beta", "BX")
		p.op("VPXORD Z8, Z8, Z8")
		p.label("row")
		channelLoop(p, func() {
			p.op("VMOVUPS.Z (SI)(R11*1), K1, Z0")
			p.op("VSUBPS (R12)(R11*1), Z0, K1, Z0")
			p.op("VMULPS (R13)(R11*1), Z0, K1, Z0")
			p.op("VADDPS (BX)(R11*1), Z0, K1, Z0")
			if v.residual {
				p.op("VADDPS (R9)(R11*1), Z0, K1, Z0")
			}
			if v.relu {
				p.op("VMAXPS Z8, Z0, Z0 // the second operand, 0, if v is NaN")
			}
			p.op("VMOVUPS Z0, K1, (DI)(R11*1)")
		})
		p.arg("c", "R10")
		p.op("SHLQ $2, R10")
		p.op("ADDQ R10, SI")
		p.op("ADDQ R10, DI")
		if v.residual {
			p.op("ADDQ R10, R9")
		}
		p.op("DECQ CX")
		p.op("JNZ row")
		p.op("VZEROUPPER")
		p.op("RET")
	}
}

// back512: dy = coef0 * ((a - coef1) - xhat*coef2), dres = a.
func back512(p *printer) {
	for _, v := range []struct {
		name       string
		dres, mask bool
	}{{"", false, false}, {"Mask", false, true}, {"Residual", true, false}, {"ResidualMask", true, true}} {
		p.fn("normBack512"+v.name, 0, "y", "rows", "c", "tail", "dy", "dres", "dz", "z", "mean", "inv", "coef0", "coef1", "coef2")
		p.arg("rows", "CX")
		p.arg("y", "SI")
		p.arg("dy", "DI")
		p.arg("dz", "R8")
		p.arg("z", "R9")
		p.arg("mean", "R12")
		p.arg("inv", "R13")
		p.arg("coef0", "BX")
		p.arg("coef1", "DX")
		p.arg("coef2", "R15")
		p.arg("dres", "R14")
		p.op("VPXORD Z8, Z8, Z8")
		p.label("row")
		channelLoop(p, func() {
			if v.mask {
				p.op("VMOVUPS.Z (R9)(R11*1), K1, Z1")
				p.op("VCMPPS $0x11, Z1, Z8, K1, K2")
				p.op("VMOVUPS.Z (R8)(R11*1), K2, Z2")
			} else {
				p.op("VMOVUPS.Z (R8)(R11*1), K1, Z2")
			}
			p.op("VMOVUPS.Z (SI)(R11*1), K1, Z0")
			p.op("VSUBPS (R12)(R11*1), Z0, K1, Z0")
			p.op("VMULPS (R13)(R11*1), Z0, K1, Z0")
			p.op("VMULPS (R15)(R11*1), Z0, K1, Z0")
			p.op("VSUBPS (DX)(R11*1), Z2, K1, Z3")
			p.op("VSUBPS Z0, Z3, Z3")
			p.op("VMULPS (BX)(R11*1), Z3, K1, Z3")
			if v.dres {
				p.op("VMOVUPS Z2, K1, (R14)(R11*1)")
			}
			p.op("VMOVUPS Z3, K1, (DI)(R11*1)")
		})
		p.arg("c", "R10")
		p.op("SHLQ $2, R10")
		for _, r := range []string{"SI", "DI", "R8"} {
			p.op("ADDQ R10, %s", r)
		}
		if v.mask {
			p.op("ADDQ R10, R9")
		}
		if v.dres {
			p.op("ADDQ R10, R14")
		}
		p.op("DECQ CX")
		p.op("JNZ row")
		p.op("VZEROUPPER")
		p.op("RET")
	}
}
