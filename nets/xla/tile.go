package xla

import (
	"fmt"
	"slices"
	"strings"
)

// tile is a value of a kernel in Triton's intermediate representation: a scalar, or a vector or matrix that the threads of one program of the
// kernel hold together. Its sides are powers of two.
type tile struct {
	id, elem string // elem is i1, i32, f32, bf16 or a pointer, "!tt.ptr<f32>"
	dims     []int
}

func (t tile) kind() string {
	if t.dims == nil {
		return t.elem
	}
	return tensorOf(elem(t.elem), t.dims)
}

func pointerTo(e elem) string { return fmt.Sprintf("!tt.ptr<%s>", e) }

// tiles writes a kernel's text, one method an operation, as program does for StableHLO. What Triton's compiler, which XLA's plug-ins for GPUs
// contain, makes of it are the loads, the shared memory and the instructions of the tensor cores.
type tiles struct {
	b    strings.Builder
	next int
}

func (k *tiles) emit(elem string, dims []int, format string, args ...any) tile {
	k.next++
	t := tile{fmt.Sprintf("%%%d", k.next), elem, dims}
	fmt.Fprintf(&k.b, "%s = ", t.id)
	fmt.Fprintf(&k.b, format, args...)
	k.b.WriteByte('\n')
	return t
}

// constant is the integer c, and zeros a matrix of them.
func (k *tiles) constant(c int, dims ...int) tile {
	if dims == nil {
		return k.emit("i32", nil, "arith.constant %d : i32", c)
	}
	t := tile{"", "i32", dims}
	return k.emit("i32", dims, "arith.constant dense<%d> : %s", c, t.kind())
}

func (k *tiles) zeros(e elem, dims ...int) tile {
	t := tile{"", string(e), dims}
	return k.emit(string(e), dims, "arith.constant dense<0.0> : %s", t.kind())
}

// program is the number of this program on an axis of the grid, x, y or z.
func (k *tiles) program(axis string) tile {
	return k.emit("i32", nil, "tt.get_program_id %s : i32", axis)
}

// count is the vector 0, 1, ..., n-1.
func (k *tiles) count(n int) tile {
	t := tile{"", "i32", []int{n}}
	return k.emit("i32", t.dims, "tt.make_range {end = %d : i32, start = 0 : i32} : %s", n, t.kind())
}

// number is a vector or matrix of float32 that are all c.
func (k *tiles) number(c float64, dims ...int) tile {
	t := tile{"", "f32", dims}
	return k.emit("f32", dims, "arith.constant dense<%.17e> : %s", c, t.kind())
}

func (k *tiles) splat(a tile, dims ...int) tile {
	t := tile{"", a.elem, dims}
	return k.emit(a.elem, dims, "tt.splat %s : %s -> %s", a.id, a.kind(), t.kind())
}

// down is the matrix of n columns that are all the vector a, across the matrix of n rows that are all a.
func (k *tiles) down(a tile, n int) tile   { return k.spread(a, 1, a.dims[0], n) }
func (k *tiles) across(a tile, n int) tile { return k.spread(a, 0, n, a.dims[0]) }

func (k *tiles) spread(a tile, axis, rows, columns int) tile {
	thin := tile{"", a.elem, []int{1, 1}}
	thin.dims[1-axis] = a.dims[0]
	thin = k.emit(a.elem, thin.dims, "tt.expand_dims %s {axis = %d : i32} : %s -> %s", a.id, axis, a.kind(), thin.kind())
	wide := tile{"", a.elem, []int{rows, columns}}
	return k.emit(a.elem, wide.dims, "tt.broadcast %s : %s -> %s", thin.id, thin.kind(), wide.kind())
}

// binary is an elementwise operation on tiles of one type.
func (k *tiles) binary(op string, a, b tile) tile {
	if a.kind() != b.kind() {
		panic(fmt.Sprintf("xla: kernel: %s of %s and %s", op, a.kind(), b.kind()))
	}
	return k.emit(a.elem, a.dims, "arith.%s %s, %s : %s", op, a.id, b.id, a.kind())
}

func (k *tiles) add(a, b tile) tile        { return k.binary("addi", a, b) }
func (k *tiles) and(a, b tile) tile        { return k.binary("andi", a, b) }
func (k *tiles) plus(a tile, c int) tile   { return k.add(a, k.constant(c, a.dims...)) }
func (k *tiles) times(a tile, c int) tile  { return k.binary("muli", a, k.constant(c, a.dims...)) }
func (k *tiles) over(a tile, c int) tile   { return k.binary("divui", a, k.constant(c, a.dims...)) }
func (k *tiles) modulo(a tile, c int) tile { return k.binary("remui", a, k.constant(c, a.dims...)) }

// within says where 0 <= a < c: as an unsigned number a negative one is large.
func (k *tiles) within(a tile, c int) tile {
	return k.emit("i1", a.dims, "arith.cmpi ult, %s, %s : %s", a.id, k.constant(c, a.dims...).id, a.kind())
}

// below says where 0 <= a < b, for b that are not negative.
func (k *tiles) below(a, b tile) tile {
	return k.emit("i1", a.dims, "arith.cmpi ult, %s, %s : %s", a.id, b.id, a.kind())
}

// Elementwise arithmetic on floating-point numbers. A maximum with a NaN is a NaN, so that one in an activation reaches the loss.
func (k *tiles) plusf(a, b tile) tile    { return k.binary("addf", a, b) }
func (k *tiles) minus(a, b tile) tile    { return k.binary("subf", a, b) }
func (k *tiles) product(a, b tile) tile  { return k.binary("mulf", a, b) }
func (k *tiles) quotient(a, b tile) tile { return k.binary("divf", a, b) }
func (k *tiles) maximum(a, b tile) tile  { return k.binary("maximumf", a, b) }
func (k *tiles) root(a tile) tile {
	return k.emit(a.elem, a.dims, "math.sqrt %s : %s", a.id, a.kind())
}

// compared is a comparison of floating-point numbers, which is false if one is a NaN; choose takes a where test holds and b elsewhere.
func (k *tiles) compared(is string, a, b tile) tile {
	return k.emit("i1", a.dims, "arith.cmpf %s, %s, %s : %s", is, a.id, b.id, a.kind())
}

func (k *tiles) choose(test, a, b tile) tile {
	return k.emit(a.elem, a.dims, "arith.select %s, %s, %s : %s, %s", test.id, a.id, b.id, test.kind(), a.kind())
}

// load reads at base + at[i,j] where mask[i,j] holds, and is 0 elsewhere; without a mask it reads everywhere. store writes so.
func (k *tiles) load(base, at tile, mask *tile) tile {
	e := strings.TrimSuffix(strings.TrimPrefix(base.elem, "!tt.ptr<"), ">")
	p := k.pointers(base, at)
	if mask == nil {
		return k.emit(e, at.dims, "tt.load %s : %s", p.id, p.kind())
	}
	return k.emit(e, at.dims, "tt.load %s, %s, %s : %s", p.id, mask.id, k.zeros(elem(e), at.dims...).id, p.kind())
}

func (k *tiles) store(base, at, v tile, mask *tile) {
	p := k.pointers(base, at)
	if mask == nil {
		fmt.Fprintf(&k.b, "tt.store %s, %s : %s\n", p.id, v.id, p.kind())
		return
	}
	fmt.Fprintf(&k.b, "tt.store %s, %s, %s : %s\n", p.id, v.id, mask.id, p.kind())
}

func (k *tiles) pointers(base, at tile) tile {
	p := k.splat(base, at.dims...)
	return k.emit(p.elem, p.dims, "tt.addptr %s, %s : %s, %s", p.id, at.id, p.kind(), at.kind())
}

// dot is the matrix product a b + sum, added up in float32. Factors of float32 are rounded to 10 bits of fraction before.
func (k *tiles) dot(a, b, sum tile) tile {
	a, b = k.rounded(a), k.rounded(b)
	return k.emit("f32", sum.dims, "tt.dot %s, %s, %s, inputPrecision = tf32 : %s * %s -> %s", a.id, b.id, sum.id, a.kind(), b.kind(), sum.kind())
}

// rounded takes a float32 to the nearest number with 10 bits of fraction, ties away from zero: tensor cores leave out the other bits.
func (k *tiles) rounded(a tile) tile {
	if a.elem != "f32" {
		return a
	}
	word := tile{"", "i32", a.dims}
	bits := k.emit("i32", a.dims, "tt.bitcast %s : %s -> %s", a.id, a.kind(), word.kind())
	const exponent = 0x7f800000
	finite := k.within(k.and(bits, k.constant(exponent, a.dims...)), exponent)
	nearest := k.and(k.plus(bits, 1<<12), k.constant(-1<<13, a.dims...))
	bits = k.choose(finite, nearest, bits)
	return k.emit("f32", a.dims, "tt.bitcast %s : %s -> %s", bits.id, bits.kind(), a.kind())
}

// convert rounds float32 to e, or widens to it.
func (k *tiles) convert(a tile, e elem) tile {
	if a.elem == string(e) {
		return a
	}
	op, t := "arith.truncf", tile{"", string(e), a.dims}
	if e == f32 {
		op = "arith.extf"
	}
	return k.emit(t.elem, t.dims, "%s %s : %s to %s", op, a.id, a.kind(), t.kind())
}

// columnSums is the vector of the sums of a matrix's columns.
func (k *tiles) columnSums(a tile) tile {
	t := tile{"", a.elem, a.dims[1:]}
	return k.emit(t.elem, t.dims, "\"tt.reduce\"(%s) <{axis = 0 : i32}> ({ ^bb0(%%x: %s, %%y: %s): %%z = arith.addf %%x, %%y : %s tt.reduce.return %%z : %s }) : (%s) -> %s",
		a.id, a.elem, a.elem, a.elem, a.elem, a.kind(), t.kind())
}

// loop runs body for i = 0, ..., turns-1 on values that each turn hands to the next, if there are any.
func (k *tiles) loop(turns int, carry []tile, body func(i tile, carry []tile) []tile) []tile {
	from, to, step := k.constant(0), k.constant(turns), k.constant(1)
	k.next++
	result, i := fmt.Sprintf("%%%d", k.next), tile{fmt.Sprintf("%%i%d", k.next), "i32", nil}
	inner, results := slices.Clone(carry), slices.Clone(carry)
	var assigned, kinds, out []string
	for n, v := range carry {
		inner[n].id, results[n].id = fmt.Sprintf("%%c%d_%d", k.next, n), fmt.Sprintf("%s#%d", result, n)
		assigned, kinds = append(assigned, inner[n].id+" = "+v.id), append(kinds, v.kind())
	}
	if carry == nil {
		fmt.Fprintf(&k.b, "scf.for %s = %s to %s step %s : i32 {\n", i.id, from.id, to.id, step.id)
		body(i, nil)
		k.b.WriteString("scf.yield\n}\n")
		return nil
	}
	fmt.Fprintf(&k.b, "%s:%d = scf.for %s = %s to %s step %s iter_args(%s) -> (%s) : i32 {\n", result, len(carry), i.id, from.id, to.id, step.id,
		strings.Join(assigned, ", "), strings.Join(kinds, ", "))
	for _, v := range body(i, inner) {
		out = append(out, v.id)
	}
	fmt.Fprintf(&k.b, "scf.yield %s : %s\n}\n", strings.Join(out, ", "), strings.Join(kinds, ", "))
	return results
}

// maxValues is how many values an argument of a kernel may have, since an i32 locates them.
const maxValues = 1 << 31

// isSide says whether so many channels can be a side of a matrix whose products the tensor cores compute.
func isSide(channels int) bool { return channels >= 16 && channels&(channels-1) == 0 }

// powerOfTwo is the largest power of two that divides n and is at most most.
func powerOfTwo(n, most int) int {
	p := 1
	for 2*p <= most && n%(2*p) == 0 {
		p *= 2
	}
	return p
}

// over is a/b, rounded up.
func over(a, b int) int { return (a + b - 1) / b }

// shares divides so many blocks among at most most programs: each of the parts has so many turns, of which the last part may not need all.
func shares(blocks, most int) (parts, turns int) {
	turns = over(blocks, most)
	return over(blocks, turns), turns
}

// tileKernel is a finished kernel and how it is started: how many programs, each of how many warps of 32 threads, and how many turns ahead a loop loads.
type tileKernel struct {
	name, text    string
	grid          [3]int
	warps, stages int
}

// newKernel writes a kernel whose arguments are pointers to data of these types: operands first, then results.
func newKernel(k tileKernel, arguments []elem, body func(k *tiles, a []tile)) tileKernel {
	var w tiles
	var pointers []tile
	var list []string
	for i, e := range arguments {
		p := tile{fmt.Sprintf("%%a%d", i), pointerTo(e), nil}
		pointers, list = append(pointers, p), append(list, p.id+": "+p.elem+" {tt.divisibility = 16 : i32}")
	}
	fmt.Fprintf(&w.b, "module {\ntt.func public @%s(%s) {\n", k.name, strings.Join(list, ", "))
	body(&w, pointers)
	w.b.WriteString("tt.return\n}\n}\n")
	k.text = w.b.String()
	return k
}

// run starts a kernel and returns its results, of which types and dimensions are given. Operands and results lie in memory in the order of their dimensions, the last one fastest.
func (p *program) run(k tileKernel, results []argument, operands ...value) []value {
	ids := make([]string, len(operands))
	for i, v := range operands {
		ids[i] = v.id
	}
	name := p.fresh()
	out := make([]value, len(results))
	for i, r := range results {
		out[i] = value{fmt.Sprintf("%s#%d", name, i), r.elem, r.dims}
	}
	text := strings.NewReplacer("\n", `\0A`, `"`, `\22`).Replace(k.text)
	from, fromLayouts := rowMajor(operands)
	to, toLayouts := rowMajor(out)
	fmt.Fprintf(&p.b, `%s:%d = stablehlo.custom_call @__gpu$xla.gpu.triton(%s) {api_version = 4 : i32, backend_config = {name = "%s", ir = "%s", `+
		`num_stages = %d : i32, num_warps = %d : i32, grid_x = %d : i32, grid_y = %d : i32, grid_z = %d : i32, debug = false}, `+
		"operand_layouts = [%s], result_layouts = [%s]} : (%s) -> (%s)\n",
		name, len(out), strings.Join(ids, ", "), k.name, text, k.stages, k.warps, k.grid[0], k.grid[1], k.grid[2], fromLayouts, toLayouts, from, to)
	return out
}

// rowMajor lists values' types, and that the last dimension of each is the fastest.
func rowMajor(vs []value) (types, layouts string) {
	var t, l []string
	for _, v := range vs {
		axes := make([]int, len(v.dims))
		for i := range axes {
			axes[i] = len(axes) - 1 - i
		}
		t, l = append(t, v.tensor()), append(l, fmt.Sprintf("dense<%s> : tensor<%dxindex>", list(axes), len(axes)))
	}
	return strings.Join(t, ", "), strings.Join(l, ", ")
}
