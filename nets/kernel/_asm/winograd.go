package main

import (
	"fmt"
	"strconv"
	"strings"
)

// The one-dimensional transforms of F(4, 3) in the points 0, a, -a, b, -b and infinity, each with the constants that it
// wants in the registers that [winograd] fills. x names operands, y stores a result.
type transform struct {
	inputs, outputs int
	constants       []string // fields of winogradPoints, in the order of their registers
	body            func(w *winograd)
	parts           []part // of the outputs, for winograd.whole
}

// part computes some outputs of a transform into registers, with registers 0 to 3 to work in: the same operations as body, so that results are the same bits.
type part struct {
	outputs []int
	body    func(w *winograd, to []int)
}

// winogradPoints are the fields of the Go array of that name.
var winogradPoints = []string{"a", "b", "a2", "b2", "a3", "b3", "a2b2", "a2+b2", "1/N0", "1/Na", "1/Nb", "a/Na", "b/Nb", "a2/Na", "b2/Nb"}

// fromImage is t = B^T d: t0 = a2b2 d0 - (a2+b2) d2 + d4, t1,2 = (d4 - b2 d2) +- a (d3 - b2 d1),
// t3,4 = (d4 - a2 d2) +- b (d3 - a2 d1), t5 = a2b2 d1 - (a2+b2) d3 + d5.
var fromImage = transform{6, 6, []string{"a2b2", "a2+b2", "a2", "b2", "a", "b"}, func(w *winograd) {
	d1, d2, d3, d4 := w.in(0, 1), w.in(1, 2), w.in(2, 3), w.in(3, 4)
	for _, edge := range []int{0, 5} {
		if edge == 0 {
			w.move(d4, 4)
			w.fma(-1, "a2+b2", d2, 4)
			w.fmaInput("a2b2", 0, 4)
		} else {
			w.load(4, 5)
			w.fma(-1, "a2+b2", d3, 4)
			w.fma(1, "a2b2", d1, 4)
		}
		w.store(4, edge)
	}
	for i, point := range []string{"a", "b"} {
		other := []string{"b2", "a2"}[i]
		w.move(d4, 4)
		w.fma(-1, other, d2, 4)
		w.move(d3, 5)
		w.fma(-1, other, d1, 5)
		w.plusMinus(4, point, 5, 6, 1+2*i)
	}
}, []part{{[]int{0, 1, 2}, func(w *winograd, to []int) {
	w.load(to[2], 4)
	w.load(0, 2)
	w.load(1, 0)
	w.load(2, 3)
	w.load(3, 1)
	w.move(to[2], to[0])
	w.fma(-1, "a2+b2", 0, to[0])
	w.fma(1, "a2b2", 1, to[0])
	w.fma(-1, "b2", 0, to[2])
	w.fma(-1, "b2", 3, 2)
	w.move(to[2], to[1])
	w.fma(1, "a", 2, to[1])
	w.fma(-1, "a", 2, to[2])
}}, {[]int{3, 4, 5}, func(w *winograd, to []int) {
	w.load(to[1], 4)
	w.load(0, 2)
	w.load(to[2], 5)
	w.load(2, 3)
	w.load(3, 1)
	w.fma(-1, "a2+b2", 2, to[2])
	w.fma(1, "a2b2", 3, to[2])
	w.fma(-1, "a2", 0, to[1])
	w.fma(-1, "a2", 3, 2)
	w.move(to[1], to[0])
	w.fma(1, "b", 2, to[0])
	w.fma(-1, "b", 2, to[1])
}}}}

// fromGradient is v = A y: v0 = y0, v1,2 = (y0 + a2 y2) +- (a y1 + a3 y3), v3,4 likewise with b, v5 = y3.
var fromGradient = transform{4, 6, []string{"a2", "a3", "a", "b2", "b3", "b"}, func(w *winograd) {
	y0, y1, y2, y3 := w.in(0, 0), w.in(1, 1), w.in(2, 2), w.in(3, 3)
	w.store(y0, 0)
	w.store(y3, 5)
	for i, p := range []string{"a", "b"} {
		w.move(y0, 4)
		w.fma(1, p+"2", y2, 4)
		w.mul(p, y1, 5)
		w.fma(1, p+"3", y3, 5)
		w.op("VADDPS %s, %s, %s", w.r(5), w.r(4), w.r(6))
		w.store(6, 1+2*i)
		w.op("VSUBPS %s, %s, %s", w.r(5), w.r(4), w.r(6))
		w.store(6, 2+2*i)
	}
}, []part{{[]int{0, 5}, func(w *winograd, to []int) {
	w.load(to[0], 0)
	w.load(to[1], 3)
}}, gradientPart(1, "a"), gradientPart(3, "b")}}

// gradientPart is the outputs first and first+1, those of the points +-p.
func gradientPart(first int, p string) part {
	return part{[]int{first, first + 1}, func(w *winograd, to []int) {
		for i := range 4 {
			w.load(i, i)
		}
		w.fma(1, p+"2", 2, 0)
		w.mul(p, 1, 1)
		w.fma(1, p+"3", 3, 1)
		w.op("VADDPS %s, %s, %s", w.r(1), w.r(0), w.r(to[0]))
		w.op("VSUBPS %s, %s, %s", w.r(1), w.r(0), w.r(to[1]))
	}}
}

// toImage is y = A^T m: y0 = m0 + e1 + e2, y1 = a o1 + b o2, y2 = a2 e1 + b2 e2, y3 = a3 o1 + b3 o2 + m5 with
// e1, o1 = m1 +- m2 and e2, o2 = m3 +- m4.
var toImage = transform{6, 4, []string{"a", "b", "a2", "b2", "a3", "b3"}, func(w *winograd) {
	for i := range 2 {
		m1, m2 := w.in(4, 1+2*i), w.in(5, 2+2*i)
		w.op("VADDPS %s, %s, %s", w.r(m2), w.r(m1), w.r(i))   // e
		w.op("VSUBPS %s, %s, %s", w.r(m2), w.r(m1), w.r(2+i)) // o
	}
	w.op("VADDPS %s, %s, %s", w.r(0), w.r(w.in(4, 0)), w.r(4))
	w.op("VADDPS %s, %s, %s", w.r(1), w.r(4), w.r(4))
	w.store(4, 0)
	w.mul("a", 2, 4)
	w.fma(1, "b", 3, 4)
	w.store(4, 1)
	w.mul("a2", 0, 4)
	w.fma(1, "b2", 1, 4)
	w.store(4, 2)
	w.load(4, 5)
	w.fma(1, "a3", 2, 4)
	w.fma(1, "b3", 3, 4)
	w.store(4, 3)
}, []part{{[]int{0, 2}, func(w *winograd, to []int) {
	w.load(to[0], 0)
	for i := range 2 {
		w.load(2+i, 1+2*i)
		w.op("VADDPS %s, %s, %s", w.x(2+2*i), w.r(2+i), w.r(i)) // e
		w.op("VADDPS %s, %s, %s", w.r(i), w.r(to[0]), w.r(to[0]))
	}
	w.mul("a2", 0, to[1])
	w.fma(1, "b2", 1, to[1])
}}, {[]int{1, 3}, func(w *winograd, to []int) {
	w.load(to[1], 5)
	for i := range 2 {
		w.load(2+i, 1+2*i)
		w.op("VSUBPS %s, %s, %s", w.x(2+2*i), w.r(2+i), w.r(i)) // o
	}
	w.mul("a", 0, to[0])
	w.fma(1, "b", 1, to[0])
	w.fma(1, "a3", 0, to[1])
	w.fma(1, "b3", 1, to[1])
}}}}

// fromWeights is G g with N0 = a2b2, Na = 2a2(a2-b2), Nb = 2b2(b2-a2): g0/N0, (g0 +- a g1 + a2 g2)/Na, likewise with b, g2.
var fromWeights = transform{3, 6, []string{"1/N0", "1/Na", "a/Na", "a2/Na", "1/Nb", "b/Nb", "b2/Nb"}, func(w *winograd) {
	for i := range 3 {
		w.load(i, i)
	}
	w.mul("1/N0", 0, 4)
	w.store(4, 0)
	w.store(2, 5)
	for i, p := range []string{"a", "b"} {
		w.mul("1/N"+p, 0, 4)
		w.fma(1, p+"2/N"+p, 2, 4)
		w.plusMinus(4, p+"/N"+p, 1, 6, 1+2*i)
	}
}, nil}

// toWeights is G^T m.
var toWeights = transform{6, 3, []string{"1/N0", "1/Na", "a/Na", "a2/Na", "1/Nb", "b/Nb", "b2/Nb"}, func(w *winograd) {
	for i := range 2 {
		w.load(4, 1+2*i)
		w.load(5, 2+2*i)
		w.op("VADDPS %s, %s, %s", w.r(5), w.r(4), w.r(i))
		w.op("VSUBPS %s, %s, %s", w.r(5), w.r(4), w.r(2+i))
	}
	w.load(5, 0)
	w.mul("1/N0", 5, 4)
	w.fma(1, "1/Na", 0, 4)
	w.fma(1, "1/Nb", 1, 4)
	w.store(4, 0)
	w.mul("a/Na", 2, 4)
	w.fma(1, "b/Nb", 3, 4)
	w.store(4, 1)
	w.load(4, 5)
	w.fma(1, "a2/Na", 0, 4)
	w.fma(1, "b2/Nb", 1, 4)
	w.store(4, 2)
}, nil}

// winograd prints transforms of registers of floats (Z: 16, Y: 8), seven of them working, the constants at the end.
type winograd struct {
	*printer
	reg       string
	constants map[string]string
	x         func(i int) string
	y         func(i int) string
	mask      string                // of loads, if any: what it leaves out is zero
	loader    func(r int, x string) // of inputs, if it is not one vector that is loaded
	rowDone   func()                // stores a row of results, if they are not stored one by one
}

func (w *winograd) width() int     { return map[string]int{"Z": 64, "Y": 32}[w.reg] }
func (w *winograd) r(i int) string { return fmt.Sprintf("%s%d", w.reg, i) }
func (w *winograd) load(r, i int) {
	if w.loader != nil {
		w.loader(r, w.x(i))
		return
	}
	if w.mask != "" {
		w.op("VMOVUPS.Z %s, %s, %s", w.x(i), w.mask, w.r(r))
		return
	}
	w.op("VMOVUPS %s, %s", w.x(i), w.r(r))
}

// in is the register of an input: its own, if it lies in one, or r, to which it is loaded.
func (w *winograd) in(r, i int) int {
	if number, found := strings.CutPrefix(w.x(i), w.reg); found {
		own, err := strconv.Atoi(number)
		if err != nil {
			panic(err)
		}
		return own
	}
	w.load(r, i)
	return r
}
func (w *winograd) store(r, i int)    { w.op("VMOVUPS %s, %s", w.r(r), w.y(i)) }
func (w *winograd) move(from, to int) { w.op("VMOVAPS %s, %s", w.r(from), w.r(to)) }
func (w *winograd) mul(constant string, from, to int) {
	w.op("VMULPS %s, %s, %s", w.constants[constant], w.r(from), w.r(to))
}
func (w *winograd) fma(sign int, constant string, from, to int) {
	name := map[int]string{1: "VFMADD231PS", -1: "VFNMADD231PS"}[sign]
	w.op("%s %s, %s, %s", name, w.r(from), w.constants[constant], w.r(to))
}
func (w *winograd) fmaInput(constant string, input, to int) {
	w.op("VFMADD231PS %s, %s, %s", w.x(input), w.constants[constant], w.r(to))
}

// plusMinus stores even + constant*odd and even - constant*odd as results first and first+1.
func (w *winograd) plusMinus(even int, constant string, odd, free, first int) {
	w.move(even, free)
	w.fma(1, constant, odd, free)
	w.store(free, first)
	w.fma(-1, constant, odd, even)
	w.store(even, first+1)
}

// begin sets the processor to count denormals as zero and loads the constants.
func (w *winograd) begin(t transform) {
	w.flush()
	w.arg("points", "SI")
	w.constants = map[string]string{}
	for i, name := range t.constants {
		reg := fmt.Sprintf("%s%d", w.reg, map[string]int{"Z": 31, "Y": 15}[w.reg]-i)
		for j, field := range winogradPoints {
			if field == name {
				w.op("VBROADCASTSS %d(SI), %s // %s", 4*j, reg, name)
			}
		}
		w.constants[name] = reg
	}
}

func (w *winograd) end() {
	w.restore()
	w.op("VZEROUPPER")
	w.op("RET")
}

func (w *winograd) run(t transform, x, y func(i int) string) {
	w.x, w.y = x, y
	t.body(w)
}

// strided gives addresses base + i*stride for i < 6, with the stride and three and five of them in registers.
func strided(base, one, three, five string) func(i int) string {
	return func(i int) string {
		return "(" + base + ")" + []string{"", "(" + one + "*1)", "(" + one + "*2)", "(" + three + "*1)", "(" + one + "*4)", "(" + five + "*1)"}[i]
	}
}

func winogradFile(p *printer, reg string) {
	if reg == "Z" {
		wholeImage(p)
		wholeTiles(p, "winogradGradient", fromGradient)
		wholeTiles(p, "winogradOutput", toImage)
		pairsImage(p)
		pairsGradient(p)
		pairsOutput(p)
	} else {
		winogradImage(p, reg)
		winogradTiles(p, reg, "winogradGradient", fromGradient)
		winogradTiles(p, reg, "winogradOutput", toImage)
	}
	winogradTiles(p, reg, "winogradWeights", fromWeights)
	winogradTiles(p, reg, "winogradFilter", toWeights)
}

// imageFields are the arguments of winogradImage.
var imageFields = []string{"src", "zeros", "pitch", "h", "column", "columns", "right", "temp", "dst", "down", "xi", "tile", "tiles", "bytes", "points"}

// imageRows are the registers that hold where the six rows of pixels of a row of tiles begin.
var imageRows = []string{"R8", "R9", "R10", "R11", "R12", "R13"}

// pixelRows sets them for the tiles whose first output is row-24(SP): a row outside the image is one of zeros. It uses CX, DX and SI.
func pixelRows(p *printer) {
	p.op("MOVQ row-24(SP), CX")
	p.op("DECQ CX")
	p.arg("pitch", "DX")
	p.op("MOVQ DX, SI")
	p.op("IMULQ CX, SI")
	p.op("ADDQ %s, SI", p.at("src"))
	for i, r := range imageRows {
		p.arg("zeros", r)
		p.op("CMPQ CX, %s", p.at("h"))
		p.op("CMOVQCS SI, %s // -1 is no number below h, either", r)
		if i < 5 {
			p.op("INCQ CX")
			p.op("ADDQ DX, SI")
		}
	}
}

// nextTiles goes on to the next row of tiles of an image, if there is one.
func nextTiles(p *printer) {
	p.arg("down", "R8")
	p.op("ADDQ R8, dst-32(SP)")
	p.op("MOVQ row-24(SP), R8")
	p.op("ADDQ $4, R8")
	p.op("MOVQ R8, row-24(SP)")
	p.op("CMPQ R8, %s", p.at("h"))
	p.op("JLT down")
}

// winogradImage transforms the tiles of an image of h rows: 6x6 pixels, four apart, with rows of zeros above and below, a column of zeros
// left and right zeros on the right, to dst + (6i+j)*xi + tile*tilestride, for bytes of channels, and down bytes further for the next row of tiles. temp holds
// the columns' transforms.
func winogradImage(p *printer, reg string) {
	w := &winograd{printer: p, reg: reg}
	width := w.width()
	p.fn("winogradImage"+reg, 32, imageFields...)
	w.begin(fromImage)
	p.op("MOVQ $0, row-24(SP)")
	p.arg("dst", "R8")
	p.op("MOVQ R8, dst-32(SP)")
	p.label("down")
	p.op("XORQ BX, BX")
	p.label("block")
	pixelRows(p)
	p.arg("temp", "DI")
	zero := w.r(6)
	clear := func() {
		p.op(map[string]string{"Z": "VPXORD", "Y": "VXORPS"}[reg]+" %s, %s, %s", zero, zero, zero)
		for i := range 6 {
			p.op("VMOVUPS %s, %d(DI)", zero, i*width)
		}
		p.op("ADDQ $%d, DI", 6*width)
	}
	clear()
	p.op("MOVQ BX, SI")
	p.arg("column", "DX")
	p.arg("columns", "CX")
	p.label("column")
	w.run(fromImage, func(i int) string { return "(" + imageRows[i] + ")(SI*1)" }, func(i int) string { return fmt.Sprintf("%d(DI)", i*width) })
	p.op("ADDQ DX, SI")
	p.op("ADDQ $%d, DI", 6*width)
	p.again("CX", "column")
	p.arg("right", "CX")
	p.label("right")
	clear()
	p.again("CX", "right")

	p.arg("temp", "DI")
	p.op("MOVQ dst-32(SP), SI")
	p.op("ADDQ BX, SI")
	p.arg("xi", "R12")
	p.op("LEAQ (R12)(R12*2), R13")
	p.op("LEAQ (R12)(R12*4), R8")
	p.op("LEAQ (R13)(R13*1), R14")
	p.arg("tiles", "CX")
	p.label("tile")
	p.op("MOVQ SI, R11")
	for i := range 6 {
		w.run(fromImage, func(j int) string { return fmt.Sprintf("%d(DI)", (6*j+i)*width) }, strided("R11", "R12", "R13", "R8"))
		p.op("ADDQ R14, R11")
	}
	p.op("ADDQ $%d, DI", 4*6*width)
	p.op("ADDQ %s, SI", p.at("tile"))
	p.again("CX", "tile")
	p.op("ADDQ $%d, BX", width)
	p.op("CMPQ BX, %s", p.at("bytes"))
	p.op("JNE block")
	nextTiles(p)
	w.end()
}

// tileFields are the arguments of winogradTiles.
var tileFields = []string{"src", "row", "column", "next", "dst", "dstrow", "dstcolumn", "dstnext", "temp", "tiles", "bytes", "points", "high", "down", "dstdown"}

// firstRow and nextRow are the beginning and the end of a loop over rows of tiles.
func firstRow(p *printer) {
	for i, field := range []string{"src", "dst", "high"} {
		p.arg(field, "R8")
		p.op("MOVQ R8, %s-%d(SP)", field, 24+8*i)
	}
}

func nextRow(p *printer) {
	p.arg("down", "R9")
	p.op("ADDQ R9, src-24(SP)")
	p.arg("dstdown", "R9")
	p.op("ADDQ R9, dst-32(SP)")
	p.op("DECQ high-40(SP)")
	p.op("JGT down")
}

// tileStrides loads one, three and five times the distance between the source's rows into R12, R13 and R8, and between the columns of the results into DX, R15 and R10.
func tileStrides(p *printer) {
	p.arg("row", "R12")
	p.op("LEAQ (R12)(R12*2), R13")
	p.op("LEAQ (R12)(R12*4), R8")
	p.arg("dstcolumn", "DX")
	p.op("LEAQ (DX)(DX*2), R15")
	p.op("LEAQ (DX)(DX*4), R10")
}

// eachTile begins the loops over rows of tiles, blocks of channels and tiles, with the first tile's source in SI and its results in R9.
func eachTile(p *printer) {
	p.label("down")
	p.op("XORQ BX, BX")
	p.label("block")
	p.op("MOVQ src-24(SP), SI")
	p.op("ADDQ BX, SI")
	p.op("MOVQ dst-32(SP), R9")
	p.op("ADDQ BX, R9")
	p.arg("tiles", "CX")
	p.label("tile")
}

// winogradTiles transforms tiles of from x from values, row and column bytes apart, to tiles of to x to,
// dstrow and dstcolumn apart; a tile is next bytes after the last and its result dstnext. That for high rows of tiles, or one, each down bytes after the last
// and its results dstdown.
func winogradTiles(p *printer, reg, name string, t transform) {
	from, to := t.inputs, t.outputs
	w := &winograd{printer: p, reg: reg}
	width := w.width()
	p.fn(name+reg, 40, tileFields...)
	w.begin(t)
	firstRow(p)
	p.arg("temp", "DI")
	tileStrides(p)
	eachTile(p)
	p.op("MOVQ SI, R11")
	for j := range from {
		w.run(t, strided("R11", "R12", "R13", "R8"), func(i int) string { return fmt.Sprintf("%d(DI)", (i*from+j)*width) })
		if j < from-1 {
			p.op("ADDQ %s, R11", p.at("column"))
		}
	}
	p.op("MOVQ R9, R11")
	for i := range to {
		w.run(t, func(j int) string { return fmt.Sprintf("%d(DI)", (i*from+j)*width) }, strided("R11", "DX", "R15", "R10"))
		if i < to-1 {
			p.op("ADDQ %s, R11", p.at("dstrow"))
		}
	}
	p.op("ADDQ %s, SI", p.at("next"))
	p.op("ADDQ %s, R9", p.at("dstnext"))
	p.again("CX", "tile")
	p.op("ADDQ $%d, BX", width)
	p.op("CMPQ BX, %s", p.at("bytes"))
	p.op("JNE block")
	nextRow(p)
	w.end()
}

// The transforms of AVX-512 need no temporary memory: its registers hold a part of the rows of a tile's first transform, and the second one stores their results.

// kept is the first of the registers that hold them.
const kept = 7

// whole transforms a tile. column sets w.x, and w.mask, to the inputs of a column; row sets w.y to the results of a row.
func (w *winograd) whole(t transform, column, row func(i int), between func()) {
	for _, p := range t.parts {
		at := func(o, j int) int { return kept + o*t.inputs + j }
		for j := range t.inputs {
			column(j)
			to := make([]int, len(p.outputs))
			for o := range to {
				to[o] = at(o, j)
			}
			p.body(w, to)
		}
		between()
		w.mask, w.loader = "", nil
		for o, output := range p.outputs {
			row(output)
			w.x = func(j int) string { return w.r(at(o, j)) }
			t.body(w)
			if w.rowDone != nil {
				w.rowDone()
			}
		}
	}
}

// wholeImage is winogradImage for AVX-512. Columns of zeros are loads with empty masks.
func wholeImage(p *printer) {
	w := &winograd{printer: p, reg: "Z"}
	p.fn("winogradImageZ", 56, imageFields...)
	w.begin(fromImage)
	p.op("MOVQ $0, row-24(SP)")
	p.arg("dst", "R8")
	p.op("MOVQ R8, dst-32(SP)")
	p.arg("column", "DX")
	p.op("LEAQ (DX)(DX*2), R8")
	p.op("ADDQ R8, R8")
	p.op("MOVQ R8, columns-40(SP)") // six of them
	p.arg("xi", "R14")
	p.op("LEAQ (R14)(R14*2), R15")
	p.label("down")
	pixelRows(p)
	p.arg("column", "DX")
	p.op("LEAQ (R14)(R14*4), CX")
	p.op("MOVQ $0, block-48(SP)")
	p.label("block")
	p.op("MOVQ block-48(SP), SI")
	p.op("MOVQ dst-32(SP), DI")
	p.op("ADDQ SI, DI")
	p.op("SUBQ DX, SI")
	p.arg("tiles", "BX")
	p.op("MOVQ BX, tiles-56(SP)")
	p.op("KXORW K1, K1, K1")
	for k := 2; k <= 6; k++ {
		p.op("KXNORW K%d, K%d, K%d", k, k, k)
	}
	p.label("tile")
	p.op("CMPQ tiles-56(SP), $1")
	p.op("JNE inner")
	for k := 6; k >= 3; k-- { // the columns of zeros on the right: 1 to 4
		p.op("KXORW K%d, K%d, K%d", k, k, k)
		if k > 3 {
			p.op("CMPQ %s, $%d", p.at("right"), 8-k)
			p.op("JLT inner")
		}
	}
	p.label("inner")
	p.op("MOVQ DI, BX")
	w.whole(fromImage, func(j int) {
		if j > 0 {
			p.op("ADDQ DX, SI")
		}
		w.mask = fmt.Sprintf("K%d", j+1)
		w.x = func(i int) string { return "(" + imageRows[i] + ")(SI*1)" }
	}, func(i int) {
		if i > 0 {
			p.op("LEAQ (BX)(R15*2), BX")
		}
		w.y = strided("BX", "R14", "R15", "CX")
	}, func() {
		p.op("ADDQ DX, SI")
		p.op("SUBQ columns-40(SP), SI")
	})
	p.op("KXNORW K1, K1, K1")
	p.op("LEAQ (SI)(DX*4), SI")
	p.op("ADDQ %s, DI", p.at("tile"))
	p.op("DECQ tiles-56(SP)")
	p.op("JNZ tile")
	p.op("MOVQ block-48(SP), BX")
	p.op("ADDQ $64, BX")
	p.op("MOVQ BX, block-48(SP)")
	p.op("CMPQ BX, %s", p.at("bytes"))
	p.op("JNE block")
	nextTiles(p)
	w.end()
}

// wholeTiles is winogradTiles for AVX-512.
func wholeTiles(p *printer, name string, t transform) {
	w := &winograd{printer: p, reg: "Z"}
	p.fn(name+"Z", 40, tileFields...)
	w.begin(t)
	firstRow(p)
	tileStrides(p)
	p.arg("dstrow", "R14")
	p.arg("column", "DI")
	eachTile(p)
	w.whole(t, func(j int) {
		if j == 0 {
			p.op("MOVQ SI, R11")
		} else {
			p.op("ADDQ DI, R11")
		}
		w.x = strided("R11", "R12", "R13", "R8")
	}, func(i int) {
		w.rowAt(i)
		w.y = strided("R11", "DX", "R15", "R10")
	}, func() {})
	p.op("ADDQ %s, SI", p.at("next"))
	p.op("ADDQ %s, R9", p.at("dstnext"))
	p.again("CX", "tile")
	p.op("ADDQ $64, BX")
	p.op("CMPQ BX, %s", p.at("bytes"))
	p.op("JNE block")
	nextRow(p)
	w.end()
}

// With 8 channels a vector holds two neighbouring tiles of a row: channel k of the left one in lane 2k and of the right one in lane 2k+1. Their pixels lie 128 bytes apart.

// The registers of pairs of tiles, which no transform uses: index vectors, and one to work in.
const pairsIndex, pairsOddIndex, pairsWork = 25, 24, 4

// pairsIndices loads vectors of winogradPairLanes.
func pairsIndices(p *printer, at int, registers ...int) {
	p.op("LEAQ ·winogradPairLanes(SB), R8")
	for i, r := range registers {
		p.op("VMOVDQU32 %d(R8), Z%d", 64*(at+i), r)
	}
	p.op("MOVL $0xFF, R8")
	p.op("KMOVW R8, K3")
}

// loadPairs loads an input of a pair of tiles; the masks leave out the left or the right tile's.
func (w *winograd) loadPairs(left, right string) func(r int, x string) {
	return func(r int, x string) {
		if left == "" {
			w.op("VMOVUPS %s, Z%d", x, r)
		} else {
			w.op("VMOVUPS.Z %s, %s, Z%d", x, left, r)
		}
		w.op("VMOVUPS.Z 128%s, %s, Z%d", x, right, pairsWork)
		w.op("VPERMT2PS Z%d, Z%d, Z%d", pairsWork, pairsIndex, r)
	}
}

// pairsImage is wholeImage for pairs of tiles of 8 channels; tiles counts pairs. The image's rows are whole pairs.
func pairsImage(p *printer) {
	w := &winograd{printer: p, reg: "Z"}
	p.fn("winogradImagePairsZ", 40, imageFields...)
	w.begin(fromImage)
	pairsIndices(p, 0, pairsIndex)
	p.op("MOVQ $0, row-24(SP)")
	p.arg("dst", "R8")
	p.op("MOVQ R8, dst-32(SP)")
	p.arg("xi", "R14")
	p.op("LEAQ (R14)(R14*2), R15")
	p.label("down")
	pixelRows(p)
	p.op("LEAQ (R14)(R14*4), CX")
	p.op("MOVQ dst-32(SP), DI")
	p.op("MOVQ $-32, SI")
	p.arg("tiles", "BX")
	p.op("MOVQ BX, tiles-40(SP)")
	p.op("KXORW K1, K1, K1") // no column left of the first tile
	p.op("KMOVW K3, K2")
	p.label("tile")
	p.op("CMPQ tiles-40(SP), $1")
	p.op("JNE inner")
	p.op("KXORW K2, K2, K2") // none right of the last one
	p.label("inner")
	p.op("MOVQ DI, BX")
	w.whole(fromImage, func(j int) {
		if j > 0 {
			p.op("ADDQ $32, SI")
		}
		w.loader = w.loadPairs(map[bool]string{true: "K1"}[j == 0], map[bool]string{true: "K2", false: "K3"}[j == 5])
		w.x = func(i int) string { return "(" + imageRows[i] + ")(SI*1)" }
	}, func(i int) {
		if i > 0 {
			p.op("LEAQ (BX)(R15*2), BX")
		}
		w.y = strided("BX", "R14", "R15", "CX")
	}, func() { p.op("SUBQ $160, SI") })
	p.op("KXNORW K1, K1, K1")
	p.op("ADDQ $256, SI")
	p.op("ADDQ %s, DI", p.at("tile"))
	p.op("DECQ tiles-40(SP)")
	p.op("JNZ tile")
	nextTiles(p)
	w.end()
}

// pairsGradient is wholeTiles of fromGradient for pairs of tiles of 8 channels; tiles counts pairs.
func pairsGradient(p *printer) {
	w := &winograd{printer: p, reg: "Z"}
	p.fn("winogradGradientPairsZ", 40, tileFields...)
	w.begin(fromGradient)
	pairsIndices(p, 0, pairsIndex)
	firstRow(p)
	tileStrides(p)
	p.arg("dstrow", "R14")
	eachTile(p)
	w.whole(fromGradient, func(j int) {
		if j == 0 {
			p.op("MOVQ SI, R11")
		} else {
			p.op("ADDQ $32, R11")
		}
		w.loader = w.loadPairs("", "K3")
		w.x = strided("R11", "R12", "R13", "R8")
	}, func(i int) {
		w.rowAt(i)
		w.y = strided("R11", "DX", "R15", "R10")
	}, func() {})
	w.nextPair()
}

// pairsOutput is wholeTiles of toImage for pairs of tiles of 8 channels; tiles counts pairs. Two pixels of a tile are stored at a time.
func pairsOutput(p *printer) {
	w := &winograd{printer: p, reg: "Z"}
	p.fn("winogradOutputPairsZ", 40, tileFields...)
	w.begin(toImage)
	pairsIndices(p, 1, pairsIndex, pairsOddIndex)
	firstRow(p)
	tileStrides(p)
	p.arg("dstrow", "R14")
	p.arg("column", "DI")
	eachTile(p)
	const results, left = 20, 19 // registers
	w.rowDone = func() {
		for i := 0; i < 4; i += 2 {
			w.move(results+i, left)
			p.op("VPERMT2PS Z%d, Z%d, Z%d", results+i+1, pairsIndex, left)
			p.op("VMOVUPS Z%d, %d(R11)", left, 32*i)
			p.op("VPERMT2PS Z%d, Z%d, Z%d", results+i+1, pairsOddIndex, results+i)
			p.op("VMOVUPS Z%d, %d(R11)", results+i, 128+32*i)
		}
	}
	w.whole(toImage, func(j int) {
		if j == 0 {
			p.op("MOVQ SI, R11")
		} else {
			p.op("ADDQ DI, R11")
		}
		w.x = strided("R11", "R12", "R13", "R8")
	}, func(i int) {
		w.rowAt(i)
		w.y = func(i int) string { return w.r(results + i) }
	}, func() {})
	w.nextPair()
}

// rowAt sets R11 to the place of row i of a tile's results, R14 apart from R9 on.
func (w *winograd) rowAt(i int) {
	w.op("MOVQ R9, R11")
	for ; i > 0; i -= map[bool]int{true: 2, false: 1}[i > 1] {
		w.op(map[bool]string{true: "LEAQ (R11)(R14*2), R11", false: "ADDQ R14, R11"}[i > 1])
	}
}

// nextPair goes on to the next pair of tiles of eachTile's loops, which have one block of channels.
func (w *winograd) nextPair() {
	p := w.printer
	p.op("ADDQ %s, SI", p.at("next"))
	p.op("ADDQ %s, R9", p.at("dstnext"))
	p.again("CX", "tile")
	nextRow(p)
	w.end()
}
