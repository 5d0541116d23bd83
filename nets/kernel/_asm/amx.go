package main

import (
	"fmt"
	"strings"
)

func amxFile(p *printer) {
	for _, products := range []int{3, 6, 1} {
		amxConv(p, 2, 2, products)
		amxConv(p, 4, 1, products)
	}
	amxGrad(p, 2, 2)
	amxGrad(p, 4, 1)
	amxTaps(p, 6)
	amxTaps(p, 3)
	split(p)
	split16(p)
	splitRound(p)
	pairs(p, "pairs")
	pairs(p, "pairsTransposed")
	pairs(p, "pairsSingle")
	pairs(p, "pairsRound")
	pairsBoth(p, false)
	pairsBoth(p, true)
	pairs(p, "pairsRoundTransposed")
	pairs(p, "pairsHalfTransposed")
	transpose(p)
	signs(p)
}

// signs compares the signs of floats, 64 a word with the first one's lowest, with words of signs, until one differs: it leaves that in differs, and in words how many
// there are from it on, 0 if all are the same.
func signs(p *printer) {
	p.fn("signs", 0, "src", "have", "words", "differs")
	p.arg("src", "SI")
	p.arg("have", "DI")
	p.arg("words", "CX")
	p.label("word")
	for i := range 4 {
		p.op("VMOVDQU32 %d(SI), Z%d", 64*i, i)
		p.op("VPMOVD2M Z%d, K%d", i, i+1)
	}
	p.op("KUNPCKWD K1, K2, K5")
	p.op("KUNPCKWD K3, K4, K6")
	p.op("KUNPCKDQ K5, K6, K7")
	p.op("KMOVQ K7, R8")
	p.op("CMPQ R8, (DI)")
	p.op("JNE out")
	p.op("ADDQ $256, SI")
	p.op("ADDQ $8, DI")
	p.again("CX", "word")
	p.label("out")
	p.op("MOVQ R8, %s", p.at("differs"))
	p.op("MOVQ CX, %s", p.at("words"))
	p.ret()
}

// amxConv multiplies an image of bf16 triples (with one product of bf16 numbers themselves) with packed weights. A block is
// mt tiles of 16 pixels by nt tiles of 16 channels.
//
//	for each block of mt entries (input offset, output offset) of tiles
//	  for each block of nt*16 output channels
//	    for each chunk of 32 of the reduction
//	      acc[m][n] += sum of products of pieces: (x1+x2+x3)*w, with full weights
//	                   x1w3 + x1w2 + x2w2 + x2w1 + x3w1 + x1w1, with one product x*w
//	      bring so many lines of what is needed later to the second-level cache
//	    store
func amxConv(p *printer, mt, nt, products int) {
	name := fmt.Sprintf("amxConv%dx%d", mt, nt)
	pieces := 1 // of the weights
	switch products {
	case 6:
		name += "Full"
		pieces = 3
	case 1:
		name += "One"
	}
	p.fn(name, 0, "a", "plane", "astride", "b", "offsets", "chunks", "y", "ystride", "columns", "tiles", "mblocks", "kblocks", "config", "ahead", "lines", "each")
	p.arg("config", "DI")
	p.tileConfig("DI")
	p.op("MOVQ $64, DI")
	p.arg("astride", "DX")
	p.arg("plane", "R10")
	p.arg("tiles", "R15")
	p.arg("ahead", "R13")
	p.op("MOVQ %s, R14", p.at("mblocks"))
	bTile := func(n int) int {
		if nt == 1 {
			return 7
		}
		return 6 + n
	}
	loadB := func(piece int) {
		for n := range nt {
			p.tileLoad(bTile(n), "BX", "DI", 1024*(piece*nt+n))
		}
	}
	// tile m of a piece of x; R8 holds the chunk's address in piece 1
	loadA := func(m, piece, tile int) {
		p.op("MOVQ R8, R12")
		p.op("ADDQ %d(R15), R12", 16*m)
		for range piece {
			p.op("ADDQ R10, R12")
		}
		p.tileLoad(tile, "R12", "DX", 0)
	}
	address := func() {
		p.op("MOVQ (SI), R8 // offset of the chunk")
		p.op("ADDQ %s, R8", p.at("a"))
	}
	// The next chunk's tiles are loaded between the products of this one; behind the last chunk come the first one of x again and the first one of the next channels' weights.
	pipelined := products == 1 && nt == 2
	p.label("mblock")
	p.arg("b", "BX")
	p.op("XORQ R11, R11 // bytes of the channels before the block")
	if pipelined {
		p.arg("offsets", "SI")
		address()
		loadA(0, 0, 4)
		loadB(0)
		loadA(1, 0, 5)
	}
	p.label("kblock")
	for acc := range mt * nt {
		p.tileZero(acc)
	}
	p.arg("offsets", "SI")
	p.arg("chunks", "CX")
	p.label("chunk")
	if pipelined {
		p.op("ADDQ $8, SI")
		p.op("CMPQ CX, $1")
		p.op("JNE next")
		p.arg("offsets", "SI")
		p.op("MOVQ R11, R12")
		p.op("SHRQ $7, R12")
		p.op("INCQ R12")
		p.op("CMPQ R12, %s", p.at("kblocks"))
		p.op("JGE nothing // comes behind the last channels")
		p.label("next")
		p.op("ADDQ $2048, BX")
	}
	address()
	row := func(piece int) { // all accumulators += piece of x * the loaded b
		for m := range mt {
			tile := 4 + m%2
			if nt == 1 {
				tile = 4 + m%3
			}
			loadA(m, piece, tile)
			for n := range nt {
				p.product(m*nt+n, tile, bTile(n))
			}
		}
	}
	again := func() { // the tiles of x are still there (nt == 2)
		for m := range mt {
			for n := range nt {
				p.product(m*nt+n, 4+m%2, bTile(n))
			}
		}
	}
	if pipelined {
		p.product(0, 4, 6)
		p.product(1, 4, 7)
		loadA(0, 0, 4)
		p.product(2, 5, 6)
		p.tileLoad(6, "BX", "DI", 0)
		p.product(3, 5, 7)
		p.tileLoad(7, "BX", "DI", 1024)
		loadA(1, 0, 5)
		p.op("JMP multiplied")
		p.label("nothing")
		again()
		p.label("multiplied")
	} else if products == 1 {
		loadB(0)
		row(0)
	} else if products == 3 {
		loadB(0)
		row(2)
		row(1)
		row(0)
	} else if nt == 2 {
		loadB(2)
		row(0)
		loadB(1)
		again()
		row(1)
		loadB(0)
		again()
		row(2)
		row(0)
	} else {
		loadB(2)
		row(0)
		loadB(1)
		row(0)
		row(1)
		loadB(0)
		row(2)
		row(1)
		row(0)
	}
	p.arg("each", "R9")
	p.label("fetch")
	p.op("DECQ %s", p.at("lines"))
	p.op("JLT fetched")
	p.op("PREFETCHT1 (R13)")
	p.op("ADDQ $64, R13")
	p.op("DECQ R9")
	p.op("JGT fetch")
	p.label("fetched")
	if !pipelined {
		p.op("ADDQ $%d, BX", 1024*nt*pieces)
		p.op("ADDQ $8, SI")
	}
	p.again("CX", "chunk")
	p.arg("ystride", "R9")
	p.op("MOVQ R11, SI")
	p.op("SHRQ $3, SI")
	p.op("ADDQ %s, SI // where the block's columns go", p.at("columns"))
	for m := range mt {
		p.arg("y", "R12")
		p.op("ADDQ %d(R15), R12", 16*m+8)
		for n := range nt {
			p.op("MOVQ %d(SI), R8", 8*n)
			p.op("ADDQ R12, R8")
			p.tileStore(m*nt+n, "R8", "R9", 0)
		}
	}
	p.op("ADDQ $%d, R11", 64*nt)
	p.op("MOVQ R11, R12")
	p.op("SHRQ $%d, R12", map[int]int{1: 6, 2: 7}[nt])
	p.op("CMPQ R12, %s", p.at("kblocks"))
	p.op("JLT kblock")
	p.op("ADDQ $%d, R15", 16*mt)
	p.again("R14", "mblock")
	p.tileRelease()
	p.op("RET")
}

// amxGrad adds the products of x transposed and dy over the positions of an image to
// weight gradients. A block is mt tiles of 16 rows (a tap and 16 channels of x) by nt tiles of 16 channels of dy.
//
//	for each block of mt entries (offset in x, offset in dw) of tiles
//	  for each block of nt*16 channels of dy
//	    acc = dw
//	    for each chunk of 32 positions
//	      acc += x1y3 + x1y2 + x2y2 + x2y1 + x3y1 + x1y1
//	    dw = acc
func amxGrad(p *printer, mt, nt int) {
	p.fn(fmt.Sprintf("amxGrad%dx%d", mt, nt), 0, "a", "plane", "astride", "b", "bchunk", "chunks", "dw", "dwstride", "tiles", "mblocks", "kblocks", "config")
	p.arg("config", "DI")
	p.tileConfig("DI")
	p.op("MOVQ $64, DI")
	p.arg("astride", "DX")
	p.arg("plane", "R10")
	p.arg("tiles", "R15")
	p.arg("mblocks", "R14")
	p.label("mblock")
	p.op("XORQ R11, R11 // channel block")
	p.label("kblock")
	eachAcc := func(f func(tile int, base, stride string, disp int)) {
		p.arg("dwstride", "R9")
		for m := range mt {
			p.op("MOVQ R11, R12")
			p.op("SHLQ $%d, R12", map[int]int{1: 6, 2: 7}[nt])
			p.op("ADDQ %s, R12", p.at("dw"))
			p.op("ADDQ %d(R15), R12", 16*m+8)
			for n := range nt {
				f(m*nt+n, "R12", "R9", 64*n)
			}
		}
	}
	eachAcc(p.tileLoad)
	p.op("IMUL3Q $%d, R11, BX", 3072*nt)
	p.op("ADDQ %s, BX", p.at("b"))
	p.arg("a", "R8")
	p.arg("chunks", "CX")
	p.arg("bchunk", "R13")
	p.label("chunk")
	bTile := func(n int) int { return 6 + n }
	loadA := func(m, piece, tile int) {
		p.op("MOVQ R8, R12")
		p.op("ADDQ %d(R15), R12", 16*m)
		for range piece {
			p.op("ADDQ R10, R12")
		}
		p.tileLoad(tile, "R12", "DX", 0)
	}
	if nt == 2 {
		loadB := func(piece int) {
			for n := range nt {
				p.tileLoad(bTile(n), "BX", "DI", 1024*(3*n+piece))
			}
		}
		again := func() {
			for m := range mt {
				for n := range nt {
					p.product(m*nt+n, 4+m, bTile(n))
				}
			}
		}
		row := func(piece int) {
			for m := range mt {
				loadA(m, piece, 4+m)
				for n := range nt {
					p.product(m*nt+n, 4+m, bTile(n))
				}
			}
		}
		loadB(2)
		row(0)
		loadB(1)
		again()
		row(1)
		loadB(0)
		again()
		row(2)
		row(0)
	} else {
		// y1 in 6, y2 in 7, y3 in 7 before it.
		p.tileLoad(7, "BX", "DI", 2048)
		p.tileLoad(6, "BX", "DI", 0)
		for m := range mt {
			loadA(m, 0, 4+m&1)
			p.product(m, 4+m&1, 7)
		}
		p.tileLoad(7, "BX", "DI", 1024)
		for _, piece := range []int{1, 0} {
			for m := 0; m < mt; m += 2 {
				loadA(m, piece, 4)
				loadA(m+1, piece, 5)
				p.product(m, 4, 7)
				p.product(m+1, 5, 7)
				p.product(m, 4, 6)
				p.product(m+1, 5, 6)
			}
		}
		for m := range mt {
			loadA(m, 2, 4+m&1)
			p.product(m, 4+m&1, 6)
		}
	}
	p.op("ADDQ $64, R8")
	p.op("ADDQ R13, BX")
	p.again("CX", "chunk")
	eachAcc(p.tileStore)
	p.op("INCQ R11")
	p.op("CMPQ R11, %s", p.at("kblocks"))
	p.op("JLT kblock")
	p.op("ADDQ $%d, R15", 16*mt)
	p.again("R14", "mblock")
	p.tileRelease()
	p.op("RET")
}

// amxTaps adds the products of dy, rows of positions, and x, pairs of positions, to gradients of weights, one product of bf16 each: a tile of 16
// channels of dy (rows of the gradient) by blocks of nt entries, each of a tap and 16 channels of x. The tiles of dw lie one behind the other, as the entries do.
// A store of a tile costs as much as six products and more, so the sums of a block stay in their tiles for all chunks; the six taps of a block read nearly the same lines of x,
// from the first-level cache, and the sums of the next block are fetched meanwhile.
//
//	for each block of nt entries (offset in x)
//	  acc = dw, or 0 if fresh;  for each chunk of 32 positions: acc += dy*x;  dw = acc
func amxTaps(p *printer, nt int) {
	p.fn(fmt.Sprintf("amxTaps%d", nt), 0, "a", "astride", "b", "chunks", "dw", "fresh", "entries", "blocks", "config")
	p.arg("config", "DI")
	p.tileConfig("DI")
	p.op("MOVQ $64, DI")
	p.arg("astride", "DX")
	p.arg("dw", "R12")
	p.arg("entries", "R15")
	p.arg("blocks", "R14")
	p.label("block")
	p.op("CMPQ %s, $0", p.at("fresh"))
	p.op("JNE fresh")
	for n := range nt {
		p.tileLoad(n, "R12", "DI", 1024*n)
	}
	p.op("JMP loaded")
	p.label("fresh")
	for n := range nt {
		p.tileZero(n)
	}
	p.label("loaded")
	columns := []string{"R10", "R11", "BX", "SI", "R13", "R9"}[:nt]
	p.arg("a", "R8")
	for n, r := range columns {
		p.arg("b", r)
		p.op("ADDQ %d(R15), %s", 8*n, r)
	}
	p.arg("chunks", "CX")
	p.op("SHLQ $6, CX // a line of the next sums for each chunk")
	p.label("chunk")
	p.tileLoad(6, "R8", "DX", 0)
	for n, r := range columns {
		p.tileLoad(7, r, "DI", 0)
		p.product(n, 6, 7)
	}
	for n := range nt / 2 {
		p.op("PREFETCHT1 %d(R12)(CX*1)", 1024*nt+2048*n-64)
	}
	p.op("ADDQ $64, R8")
	for _, r := range columns {
		p.op("ADDQ $1024, %s", r)
	}
	p.op("SUBQ $64, CX")
	p.op("JNZ chunk")
	for n := range nt {
		p.tileStore(n, "R12", "DI", 1024*n)
	}
	p.op("ADDQ $%d, R12", 1024*nt)
	p.op("ADDQ $%d, R15", 8*nt)
	p.again("R14", "block")
	p.tileRelease()
	p.op("RET")
}

// roundConstants puts half a bf16 unit into Z31 and the mask of a bf16 into Z30.
func roundConstants(p *printer) {
	p.op("MOVL $0x8000, R8")
	p.op("VPBROADCASTD R8, Z31")
	p.op("MOVL $0xFFFF0000, R8")
	p.op("VPBROADCASTD R8, Z30")
}

// pieces splits the floats in Z<x> into three, each with a bf16 in its upper
// half: p1 nearest to x, p2 nearest to x-p1, p3 = x-p1-p2. All differences are exact, and p3 too from |x| >= 2^-109 on; below it loses at most 2^-133. x is
// overwritten with p3.
func pieces(p *printer, x, p1, p2 int) {
	p.op("VPADDD Z31, Z%d, Z%d", x, p1)
	p.op("VPANDD Z30, Z%d, Z%d", p1, p1)
	p.op("VSUBPS Z%d, Z%d, Z%d", p1, x, x)
	p.op("VPADDD Z31, Z%d, Z%d", x, p2)
	p.op("VPANDD Z30, Z%d, Z%d", p2, p2)
	p.op("VSUBPS Z%d, Z%d, Z%d", p2, x, x)
	p.op("VPANDD Z30, Z%d, Z%d // denormals may have bits left", x, x)
}

// split writes n floats of each row as three planes of bf16 in the same order.
func split(p *printer) {
	p.fn("split", 0, "src", "dst", "plane", "rows", "srcstride", "dststride", "n", "tail")
	roundConstants(p)
	p.arg("src", "SI")
	p.arg("dst", "DI")
	p.arg("plane", "R10")
	p.arg("rows", "R11")
	p.op("KMOVW %s, K2", p.at("tail"))
	p.label("row")
	p.arg("n", "CX")
	p.op("MOVQ SI, R8")
	p.op("MOVQ DI, R9")
	p.label("loop")
	p.op("KXNORW K1, K1, K1")
	p.op("CMPQ CX, $16")
	p.op("JGE whole")
	p.op("KMOVW K2, K1")
	p.label("whole")
	p.op("VMOVUPS.Z (R8), K1, Z0")
	pieces(p, 0, 1, 2)
	for i, z := range []int{1, 2, 0} {
		p.op("VPSRLD $16, Z%d, Z%d", z, z)
		switch i {
		case 0:
			p.op("VPMOVDW Z%d, K1, (R9)", z)
		case 1:
			p.op("VPMOVDW Z%d, K1, (R9)(R10*1)", z)
		case 2:
			p.op("VPMOVDW Z%d, K1, (R9)(R10*2)", z)
		}
	}
	p.op("ADDQ $64, R8")
	p.op("ADDQ $32, R9")
	p.op("SUBQ $16, CX")
	p.op("JG loop")
	p.op("ADDQ %s, SI", p.at("srcstride"))
	p.op("ADDQ %s, DI", p.at("dststride"))
	p.again("R11", "row")
	p.ret()
}

// split16 is split for n a multiple of 16, and in groups of 16 writes the words
// 0, 8, 1, 9, ... 7, 15, which needs no shuffles.
func split16(p *printer) {
	p.fn("split16", 0, "src", "dst", "plane", "rows", "srcstride", "dststride", "n", "tail")
	roundConstants(p)
	p.op("MOVL $0xF0, R8")
	p.op("KMOVW R8, K1")
	p.arg("src", "SI")
	p.arg("dst", "DI")
	p.arg("plane", "R10")
	p.arg("rows", "R11")
	p.label("row")
	p.arg("n", "CX")
	p.op("MOVQ SI, R8")
	p.op("MOVQ DI, R9")
	p.op("SUBQ $32, CX")
	p.op("JL half")
	body := func(reg string) {
		pieces(p, 0, 1, 2)
		pieces(p, 3, 4, 5)
		for i, z := range [][2]int{{1, 4}, {2, 5}, {0, 3}} {
			p.op("VPSRLD $16, Z%d, Z%d", z[0], z[0])
			p.op("VPORD Z%d, Z%d, Z%d", z[0], z[1], z[0])
			p.op("VMOVDQU32 %s%d, (R9)%s", reg, z[0], []string{"", "(R10*1)", "(R10*2)"}[i])
		}
	}
	p.label("loop")
	p.op("VMOVUPS (R8), Y0")
	p.op("VMOVUPS 32(R8), Y3")
	p.op("VBROADCASTF64X4 64(R8), K1, Z0")
	p.op("VBROADCASTF64X4 96(R8), K1, Z3")
	body("Z")
	p.op("ADDQ $128, R8")
	p.op("ADDQ $64, R9")
	p.op("SUBQ $32, CX")
	p.op("JGE loop")
	p.label("half")
	p.op("ADDQ $32, CX")
	p.op("JZ next")
	p.op("VMOVUPS (R8), Y0")
	p.op("VMOVUPS 32(R8), Y3")
	body("Y")
	p.label("next")
	p.op("ADDQ %s, SI", p.at("srcstride"))
	p.op("ADDQ %s, DI", p.at("dststride"))
	p.again("R11", "row")
	p.ret()
}

// splitRound writes n floats of each row as bf16 in the same order, rounded to nearest, ties to even; numbers below 2^-126 become zero.
func splitRound(p *printer) {
	p.fn("splitRound", 0, "src", "dst", "plane", "rows", "srcstride", "dststride", "n", "tail")
	p.arg("src", "SI")
	p.arg("dst", "DI")
	p.arg("rows", "R11")
	p.op("KMOVD %s, K1", p.at("tail"))
	p.label("row")
	p.arg("n", "CX")
	p.op("MOVQ SI, R8")
	p.op("MOVQ DI, R9")
	p.op("SUBQ $32, CX")
	p.op("JL last")
	p.label("loop")
	p.op("VMOVUPS (R8), Z0")
	p.op("VMOVUPS 64(R8), Z1")
	p.roundPair(0, 1, 2)
	p.op("VMOVDQU32 Z2, (R9)")
	p.op("ADDQ $128, R8")
	p.op("ADDQ $64, R9")
	p.op("SUBQ $32, CX")
	p.op("JGE loop")
	p.label("last")
	p.op("ADDQ $32, CX")
	p.op("JZ next")
	p.op("KSHIFTRD $16, K1, K2")
	p.op("VMOVUPS.Z (R8), K1, Z0")
	p.op("VMOVUPS.Z 64(R8), K2, Z1")
	p.roundPair(0, 1, 2)
	p.op("VMOVDQU16 Z2, K1, (R9)")
	p.label("next")
	p.op("ADDQ %s, SI", p.at("srcstride"))
	p.op("ADDQ %s, DI", p.at("dststride"))
	p.again("R11", "row")
	p.ret()
}

// pairs gathers blocks of 32 positions by 16 channels of an image, the positions'
// pixels given by a table of byte offsets (negative: zeros), splits them, and
// stores for each piece 16 rows of 16 channels by 2 positions (VNNI), or with
// transpose 16 rows, one for each channel, of 32 positions. pairsSingle stores the first piece only, exact
// where the values are bf16; the functions with Round in their names round to one piece as splitRound does, and those
// with Half read bf16 numbers; the positions' offsets are still those of float32.
func pairs(p *printer, name string) {
	transpose, single, half := strings.HasSuffix(name, "Transposed"), name == "pairsSingle", strings.Contains(name, "Half")
	rounded := half || strings.Contains(name, "Round")
	frame := 0
	if transpose {
		frame = 3072
	}
	p.fn(name, frame, "src", "zero", "positions", "blocks", "groups", "tail", "dst", "dstpiece", "dstblock", "dstgroup", "dstrow")
	constants := func() {
		if rounded {
			p.interleaveConstant(29)
		} else {
			roundConstants(p)
		}
	}
	constants()
	p.op("KMOVW %s, K2", p.at("tail"))
	p.arg("positions", "SI")
	p.arg("blocks", "R15")
	p.arg("dstpiece", "R10")
	p.label("block")
	p.op("XORQ R11, R11 // channel group")
	p.arg("dst", "DI")
	p.label("group")
	p.op("KXNORW K1, K1, K1")
	p.op("LEAQ 1(R11), R8")
	p.op("CMPQ R8, %s", p.at("groups"))
	p.op("JLT whole")
	p.op("KMOVW K2, K1")
	p.label("whole")
	p.op("MOVQ R11, R12")
	p.op("SHLQ $%d, R12 // byte offset of the channels in a pixel", map[bool]int{false: 6, true: 5}[half])
	p.arg("src", "R13")
	p.op("ADDQ R12, R13")
	p.op("ADDQ %s, R12 // zeros", p.at("zero"))
	p.op("MOVQ SI, BX")
	p.op("MOVQ $16, CX")
	if transpose {
		p.op("LEAQ buffer-3072(SP), DX")
	} else {
		p.op("MOVQ DI, DX")
	}
	p.label("pair")
	for i, z := range []int{0, 3} {
		p.op("MOVQ %d(BX), R8", 8*i)
		if half {
			p.op("SARQ $1, R8")
		}
		p.op("LEAQ (R13)(R8*1), R9")
		p.op("TESTQ R8, R8")
		p.op("CMOVQLT R12, R9")
		if half {
			p.op("VMOVDQU16.Z (R9), K1, Y%d", z)
		} else {
			p.op("VMOVUPS.Z (R9), K1, Z%d", z)
		}
	}
	parts := [][2]int{{1, 4}, {2, 5}, {0, 3}}
	switch {
	case rounded:
		parts = nil
		if half {
			p.op("VINSERTI64X4 $1, Y3, Z0, Z1")
		} else {
			p.roundPair(0, 3, 1)
		}
		p.op("VPERMW Z1, Z29, Z1")
		p.op("VMOVDQU32 Z1, (DX)")
	case single:
		parts = [][2]int{{0, 3}}
		p.op("VPANDD Z30, Z3, Z3")
	default:
		pieces(p, 0, 1, 2)
		pieces(p, 3, 4, 5)
	}
	for i, z := range parts {
		p.op("VPSRLD $16, Z%d, Z%d", z[0], z[0])
		p.op("VPORD Z%d, Z%d, Z%d", z[0], z[1], z[0])
		switch {
		case transpose:
			p.op("VMOVDQU32 Z%d, %d(DX)", z[0], 1024*i)
		case i == 0:
			p.op("VMOVDQU32 Z%d, (DX)", z[0])
		case i == 1:
			p.op("VMOVDQU32 Z%d, (DX)(R10*1)", z[0])
		case i == 2:
			p.op("VMOVDQU32 Z%d, (DX)(R10*2)", z[0])
		}
	}
	p.op("ADDQ $16, BX")
	p.op("ADDQ $64, DX")
	p.again("CX", "pair")
	if transpose {
		p.op("LEAQ buffer-3072(SP), BX")
		p.arg("dstrow", "R9")
		p.op("MOVQ DI, R12")
		p.op("MOVQ $%d, CX", map[bool]int{false: 3, true: 1}[rounded])
		p.label("piece")
		for i := range 16 {
			p.op("VMOVDQU32 %d(BX), Z%d", 64*i, i)
		}
		order := transpose16(p)
		p.op("MOVQ R12, R8")
		for i := range 16 {
			p.op("VMOVDQU32 Z%d, (R8)", order[i])
			if i < 15 {
				p.op("ADDQ R9, R8")
			}
		}
		p.op("ADDQ $1024, BX")
		p.op("ADDQ R10, R12")
		p.again("CX", "piece")
		constants()
	}
	p.op("ADDQ %s, DI", p.at("dstgroup"))
	p.op("INCQ R11")
	p.op("CMPQ R11, %s", p.at("groups"))
	p.op("JLT group")
	p.op("ADDQ $256, SI")
	p.arg("dst", "R8")
	p.op("ADDQ %s, R8", p.at("dstblock"))
	p.op("MOVQ R8, %s", p.at("dst"))
	p.again("R15", "block")
	p.ret()
}

// pairsBoth gathers pixels at positions as [pairs] does, rounds them to bf16 and stores each group of 16 channels twice: as the pairs of the positions
// 0 and 1, 2 and 3, ..., and dstodd bytes behind as those of -1 and 0, 1 and 2, ..., position -1 being zero. pairsBothHalf reads bf16 numbers; the positions' offsets are still
// those of float32.
func pairsBoth(p *printer, half bool) {
	name := "pairsBoth"
	if half {
		name += "Half"
	}
	p.fn(name, 0, "src", "zero", "positions", "blocks", "groups", "tail", "dst", "dstodd", "dstblock", "dstgroup")
	p.interleaveConstant(29)
	p.op("LEAQ ·interleaveOdd(SB), R8")
	p.op("VMOVDQU32 (R8), Z28")
	p.op("KMOVW %s, K2", p.at("tail"))
	p.arg("dstodd", "R10")
	p.op("XORQ R11, R11 // channel group")
	p.arg("dst", "DI")
	p.label("group")
	p.op("KXNORW K1, K1, K1")
	p.op("LEAQ 1(R11), R8")
	p.op("CMPQ R8, %s", p.at("groups"))
	p.op("JLT whole")
	p.op("KMOVW K2, K1")
	p.label("whole")
	p.op("MOVQ R11, R12")
	p.op("SHLQ $%d, R12 // byte offset of the channels in a pixel", map[bool]int{false: 6, true: 5}[half])
	p.arg("src", "R13")
	p.op("ADDQ R12, R13")
	p.op("ADDQ %s, R12 // zeros", p.at("zero"))
	p.arg("positions", "BX")
	p.arg("blocks", "CX")
	p.op("MOVQ DI, DX")
	p.op("VPXORD Z4, Z4, Z4")
	p.label("pair")
	for i, z := range []int{0, 3} {
		p.op("MOVQ %d(BX), R8", 8*i)
		if half {
			p.op("SARQ $1, R8")
		}
		p.op("LEAQ (R13)(R8*1), R9")
		p.op("TESTQ R8, R8")
		p.op("CMOVQLT R12, R9")
		if half {
			p.op("VMOVDQU16.Z (R9), K1, Y%d", z)
		} else {
			p.op("VMOVUPS.Z (R9), K1, Z%d", z)
		}
	}
	if half {
		p.op("VINSERTI64X4 $1, Y3, Z0, Z1")
	} else {
		p.roundPair(0, 3, 1)
	}
	p.op("VPERMW Z1, Z29, Z2")
	p.op("VMOVDQU32 Z2, (DX)")
	p.op("VMOVDQA32 Z28, Z5")
	p.op("VPERMI2W Z1, Z4, Z5 // words 0 to 31 are Z4's, 32 to 63 Z1's")
	p.op("VMOVDQU32 Z5, (DX)(R10*1)")
	p.op("VMOVDQA32 Z1, Z4")
	p.op("ADDQ $16, BX")
	p.op("ADDQ $64, DX")
	p.again("CX", "pair")
	p.op("ADDQ %s, DI", p.at("dstgroup"))
	p.op("INCQ R11")
	p.op("CMPQ R11, %s", p.at("groups"))
	p.op("JLT group")
	p.ret()
}

// transpose16 transposes the 16x16 dwords in Z0..Z15, using all registers, and
// returns the register of each row.
func transpose16(p *printer) []int {
	// dwords in pairs of rows: Z16+2i low, Z17+2i high
	for i := 0; i < 16; i += 2 {
		p.op("VPUNPCKLDQ Z%d, Z%d, Z%d", i+1, i, 16+i)
		p.op("VPUNPCKHDQ Z%d, Z%d, Z%d", i+1, i, 17+i)
	}
	// quadwords in fours: Z(4g+c) holds column c of each lane of rows 4g..4g+3
	for g := range 4 {
		b := 16 + 4*g
		p.op("VPUNPCKLQDQ Z%d, Z%d, Z%d", b+2, b, 4*g)
		p.op("VPUNPCKHQDQ Z%d, Z%d, Z%d", b+2, b, 4*g+1)
		p.op("VPUNPCKLQDQ Z%d, Z%d, Z%d", b+3, b+1, 4*g+2)
		p.op("VPUNPCKHQDQ Z%d, Z%d, Z%d", b+3, b+1, 4*g+3)
	}
	// lanes: rows 4g, lane l -> column 4l+c
	order := make([]int, 16)
	for c := range 4 {
		t := 16 + 4*c
		p.op("VSHUFI32X4 $0x88, Z%d, Z%d, Z%d", 4+c, c, t)      // lanes 0,2 of groups 0,1
		p.op("VSHUFI32X4 $0xDD, Z%d, Z%d, Z%d", 4+c, c, t+1)    // lanes 1,3
		p.op("VSHUFI32X4 $0x88, Z%d, Z%d, Z%d", 12+c, 8+c, t+2) // groups 2,3
		p.op("VSHUFI32X4 $0xDD, Z%d, Z%d, Z%d", 12+c, 8+c, t+3)
	}
	for c := range 4 {
		t := 16 + 4*c
		p.op("VSHUFI32X4 $0x88, Z%d, Z%d, Z%d", t+2, t, c)      // lane 0
		p.op("VSHUFI32X4 $0xDD, Z%d, Z%d, Z%d", t+2, t, 8+c)    // lane 2
		p.op("VSHUFI32X4 $0x88, Z%d, Z%d, Z%d", t+3, t+1, 4+c)  // lane 1
		p.op("VSHUFI32X4 $0xDD, Z%d, Z%d, Z%d", t+3, t+1, 12+c) // lane 3
		order[c], order[4+c], order[8+c], order[12+c] = c, 4+c, 8+c, 12+c
	}
	return order
}

// transpose writes columns of 16 floats of rows of src as rows of dst, 16 by 16 values at a time.
func transpose(p *printer) {
	p.fn("transpose", 0, "src", "srcstride", "dst", "dststride", "rows", "columns")
	p.arg("rows", "R11")
	p.arg("srcstride", "DX")
	p.arg("dststride", "R10")
	p.label("row")
	p.arg("src", "SI")
	p.arg("dst", "DI")
	p.arg("columns", "CX")
	p.label("column")
	p.op("MOVQ SI, R8")
	for i := range 16 {
		p.op("VMOVUPS (R8), Z%d", i)
		if i < 15 {
			p.op("ADDQ DX, R8")
		}
	}
	order := transpose16(p)
	for i := range 16 {
		p.op("VMOVUPS Z%d, (DI)", order[i])
		p.op("ADDQ R10, DI")
	}
	p.op("ADDQ $64, SI")
	p.again("CX", "column")
	p.op("MOVQ DX, R8")
	p.op("SHLQ $4, R8")
	p.op("ADDQ R8, %s", p.at("src"))
	p.op("ADDQ $64, %s", p.at("dst"))
	p.again("R11", "row")
	p.ret()
}
