package xla

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// elem is an element type of StableHLO.
type elem string

const (
	i1   elem = "i1"
	i32  elem = "i32"
	ui8  elem = "ui8"
	ui32 elem = "ui32"
	ui64 elem = "ui64"
	bf16 elem = "bf16"
	f32  elem = "f32"
	f64  elem = "f64"
	c64  elem = "complex<f32>"
	c128 elem = "complex<f64>"
)

// value is an SSA value of the program: its name, element type and dimensions.
type value struct {
	id   string
	elem elem
	dims []int
}

func (v value) tensor() string { return tensorOf(v.elem, v.dims) }

func tensorOf(e elem, dims []int) string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, d := range dims {
		fmt.Fprintf(&b, "%dx", d)
	}
	return b.String() + string(e) + ">"
}

func (v value) len() int {
	n := 1
	for _, d := range v.dims {
		n *= d
	}
	return n
}

// program writes StableHLO text, one method an operation. Shapes are checked here,
// where a mistake is a programmer's, and panic with the operation's name. Constants
// are written where they are used; XLA merges equal ones.
type program struct {
	b    strings.Builder
	next int
}

func (p *program) fresh() string {
	p.next++
	return fmt.Sprintf("%%%d", p.next)
}

// emit writes "%id = text" and returns the value.
func (p *program) emit(e elem, dims []int, format string, args ...any) value {
	v := value{p.fresh(), e, dims}
	fmt.Fprintf(&p.b, "%s = ", v.id)
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
	return v
}

func check(ok bool, op string, vs ...value) {
	if !ok {
		var shapes []string
		for _, v := range vs {
			shapes = append(shapes, v.tensor())
		}
		panic("xla: " + op + ": operands " + strings.Join(shapes, ", "))
	}
}

// constant is a scalar c of type e; floats are written as bits, so they are exact.
func (p *program) constant(e elem, c float64) value {
	text := fmt.Sprint(int64(c))
	switch e {
	case f32:
		text = fmt.Sprintf("0x%08X", math.Float32bits(float32(c)))
	case f64:
		text = fmt.Sprintf("0x%016X", math.Float64bits(c))
	case c64, c128:
		text = fmt.Sprintf("(%.1f, 0.0)", c)
	case i1:
		text = fmt.Sprint(c != 0)
	case bf16:
		bits := math.Float32bits(float32(c))
		if bits&0xffff != 0 {
			panic(fmt.Sprintf("xla: constant: %v is no bf16 number", c))
		}
		text = fmt.Sprintf("0x%04X", bits>>16)
	}
	return p.emit(e, nil, "stablehlo.constant dense<%s> : %s", text, tensorOf(e, nil))
}

// integers is the vector of the integers c.
func (p *program) integers(c ...int) value {
	return p.emit(i32, []int{len(c)}, "stablehlo.constant dense<%s> : %s", list(c), tensorOf(i32, []int{len(c)}))
}

// fill is the tensor of that shape with every value c.
func (p *program) fill(e elem, c float64, dims ...int) value {
	return p.broadcast(p.constant(e, c), dims)
}

// like is fill with the shape and type of v.
func (p *program) like(v value, c float64) value { return p.fill(v.elem, c, v.dims...) }

// binary is an elementwise operation on equal shapes.
func (p *program) binary(op string, a, b value) value {
	check(a.elem == b.elem && slices.Equal(a.dims, b.dims), op, a, b)
	return p.emit(a.elem, a.dims, "stablehlo.%s %s, %s : %s", op, a.id, b.id, a.tensor())
}

func (p *program) add(a, b value) value { return p.binary("add", a, b) }
func (p *program) sub(a, b value) value { return p.binary("subtract", a, b) }
func (p *program) mul(a, b value) value { return p.binary("multiply", a, b) }
func (p *program) div(a, b value) value { return p.binary("divide", a, b) }
func (p *program) max(a, b value) value { return p.binary("maximum", a, b) }
func (p *program) min(a, b value) value { return p.binary("minimum", a, b) }
func (p *program) and(a, b value) value { return p.binary("and", a, b) }
func (p *program) or(a, b value) value  { return p.binary("or", a, b) }
func (p *program) xor(a, b value) value { return p.binary("xor", a, b) }

// scale is c*a, addConst a+c, for a constant c.
func (p *program) scale(a value, c float64) value    { return p.mul(a, p.like(a, c)) }
func (p *program) addConst(a value, c float64) value { return p.add(a, p.like(a, c)) }

func (p *program) unary(op string, a value) value {
	return p.emit(a.elem, a.dims, "stablehlo.%s %s : %s", op, a.id, a.tensor())
}

// shift moves bits by a constant; op is shift_left or shift_right_logical.
func (p *program) shift(op string, a value, bits int) value {
	return p.binary(op, a, p.like(a, float64(bits)))
}

// compare is a boolean tensor; direction is EQ, NE, LT, LE, GT or GE.
func (p *program) compare(direction string, a, b value) value {
	check(a.elem == b.elem && slices.Equal(a.dims, b.dims), "compare", a, b)
	kind := "SIGNED"
	switch a.elem {
	case f32, f64, bf16:
		kind = "FLOAT"
	case ui8, ui32, ui64, i1:
		kind = "UNSIGNED"
	}
	return p.emit(i1, a.dims, "stablehlo.compare %s, %s, %s, %s : (%s, %s) -> %s", direction, a.id, b.id, kind, a.tensor(), b.tensor(), tensorOf(i1, a.dims))
}

// compareConst compares with a constant.
func (p *program) compareConst(direction string, a value, c float64) value {
	return p.compare(direction, a, p.like(a, c))
}

// choose is a where test holds, else b. test may be a scalar.
func (p *program) choose(test, a, b value) value {
	check(test.elem == i1 && a.elem == b.elem && slices.Equal(a.dims, b.dims) && (len(test.dims) == 0 || slices.Equal(test.dims, a.dims)), "select", test, a, b)
	return p.emit(a.elem, a.dims, "stablehlo.select %s, %s, %s : %s, %s", test.id, a.id, b.id, test.tensor(), a.tensor())
}

func (p *program) convert(a value, e elem) value {
	if a.elem == e {
		return a
	}
	return p.emit(e, a.dims, "stablehlo.convert %s : (%s) -> %s", a.id, a.tensor(), tensorOf(e, a.dims))
}

func (p *program) bitcast(a value, e elem) value {
	return p.emit(e, a.dims, "stablehlo.bitcast_convert %s : (%s) -> %s", a.id, a.tensor(), tensorOf(e, a.dims))
}

func (p *program) reshape(a value, dims ...int) value {
	r := value{"", a.elem, dims}
	check(r.len() == a.len(), "reshape", a, r)
	if slices.Equal(a.dims, dims) {
		return a
	}
	return p.emit(a.elem, slices.Clone(dims), "stablehlo.reshape %s : (%s) -> %s", a.id, a.tensor(), r.tensor())
}

// broadcast repeats a along new axes: axis k of a is axis at[k] of the result; without
// at, a is a scalar.
func (p *program) broadcast(a value, dims []int, at ...int) value {
	check(len(at) == len(a.dims), "broadcast_in_dim", a)
	for k, axis := range at {
		check(dims[axis] == a.dims[k], "broadcast_in_dim", a, value{"", a.elem, dims})
	}
	if slices.Equal(a.dims, dims) {
		return a
	}
	dims = slices.Clone(dims)
	return p.emit(a.elem, dims, "stablehlo.broadcast_in_dim %s, dims = %s : (%s) -> %s", a.id, list(at), a.tensor(), tensorOf(a.elem, dims))
}

// iota counts along an axis.
func (p *program) iota(e elem, axis int, dims ...int) value {
	return p.emit(e, slices.Clone(dims), "stablehlo.iota dim = %d : %s", axis, tensorOf(e, dims))
}

// slice takes [from, to) with a stride along every axis.
func (p *program) slice(a value, from, to, stride []int) value {
	check(len(from) == len(a.dims) && len(to) == len(a.dims) && len(stride) == len(a.dims), "slice", a)
	dims, parts := make([]int, len(from)), make([]string, len(from))
	whole := true
	for i := range from {
		check(0 <= from[i] && from[i] < to[i] && to[i] <= a.dims[i], "slice", a)
		dims[i] = (to[i] - from[i] + stride[i] - 1) / stride[i]
		parts[i] = fmt.Sprintf("%d:%d:%d", from[i], to[i], stride[i])
		whole = whole && dims[i] == a.dims[i]
	}
	if whole {
		return a
	}
	return p.emit(a.elem, dims, "stablehlo.slice %s [%s] : (%s) -> %s", a.id, strings.Join(parts, ", "), a.tensor(), tensorOf(a.elem, dims))
}

// sliceAxis takes [from, to) along one axis.
func (p *program) sliceAxis(a value, axis, from, to, stride int) value {
	lo, hi, by := make([]int, len(a.dims)), slices.Clone(a.dims), make([]int, len(a.dims))
	for i := range by {
		by[i] = 1
	}
	lo[axis], hi[axis], by[axis] = from, to, stride
	return p.slice(a, lo, hi, by)
}

// pad puts low and high values c at the ends of every axis and interior ones between; negative numbers cut.
func (p *program) pad(a value, c float64, low, high, interior []int) value {
	dims := make([]int, len(a.dims))
	for i, d := range a.dims {
		dims[i] = low[i] + high[i] + d + max(0, d-1)*interior[i]
	}
	if slices.Equal(dims, a.dims) {
		return a
	}
	filler := p.constant(a.elem, c)
	return p.emit(a.elem, dims, "stablehlo.pad %s, %s, low = %s, high = %s, interior = %s : (%s, %s) -> %s",
		a.id, filler.id, list(low), list(high), list(interior), a.tensor(), filler.tensor(), tensorOf(a.elem, dims))
}

// reverse turns axes around.
func (p *program) reverse(a value, axes ...int) value {
	return p.emit(a.elem, a.dims, "stablehlo.reverse %s, dims = %s : %s", a.id, list(axes), a.tensor())
}

func (p *program) concat(axis int, vs ...value) value {
	if len(vs) == 1 {
		return vs[0]
	}
	dims := slices.Clone(vs[0].dims)
	dims[axis] = 0
	var ids, types []string
	for _, v := range vs {
		check(v.elem == vs[0].elem && len(v.dims) == len(dims), "concatenate", vs[0], v)
		for i := range dims {
			check(i == axis || v.dims[i] == dims[i], "concatenate", vs[0], v)
		}
		dims[axis] += v.dims[axis]
		ids, types = append(ids, v.id), append(types, v.tensor())
	}
	return p.emit(vs[0].elem, dims, "stablehlo.concatenate %s, dim = %d : (%s) -> %s", strings.Join(ids, ", "), axis, strings.Join(types, ", "), tensorOf(vs[0].elem, dims))
}

// reduce folds axes with op (add, maximum, minimum) from init.
func (p *program) reduce(op string, a value, init float64, axes ...int) value {
	var dims []int
	for i, d := range a.dims {
		if !slices.Contains(axes, i) {
			dims = append(dims, d)
		}
	}
	zero := p.constant(a.elem, init)
	return p.emit(a.elem, dims, "stablehlo.reduce(%s init: %s) applies stablehlo.%s across dimensions = %s : (%s, %s) -> %s",
		a.id, zero.id, op, list(axes), a.tensor(), zero.tensor(), tensorOf(a.elem, dims))
}

// pair is the complex tensor with real parts a and imaginary parts b: what is added up once adds up both.
func (p *program) pair(a, b value) value {
	check(a.elem == b.elem && (a.elem == f32 || a.elem == f64) && slices.Equal(a.dims, b.dims), "complex", a, b)
	e := c64
	if a.elem == f64 {
		e = c128
	}
	return p.emit(e, a.dims, "stablehlo.complex %s, %s : %s", a.id, b.id, tensorOf(e, a.dims))
}

// parts takes a pair apart.
func (p *program) parts(a value) (real, imaginary value) {
	check(a.elem == c64 || a.elem == c128, "real", a)
	e := f32
	if a.elem == c128 {
		e = f64
	}
	part := func(op string) value {
		return p.emit(e, a.dims, "stablehlo.%s %s : (%s) -> %s", op, a.id, a.tensor(), tensorOf(e, a.dims))
	}
	return part("real"), part("imag")
}

// numbers is the f64 vector of these scalars, for the host.
func (p *program) numbers(scalars ...value) value {
	parts := make([]value, len(scalars))
	for i, v := range scalars {
		parts[i] = p.reshape(p.convert(v, f64), 1)
	}
	return p.concat(0, parts...)
}

// number is one of them.
func (p *program) number(vector value, at int, e elem) value {
	return p.convert(p.reshape(p.sliceAxis(vector, 0, at, at+1, 1)), e)
}

// dynamicSlice takes size elements of a vector from a scalar position.
func (p *program) dynamicSlice(a, at value, size int) value {
	check(len(a.dims) == 1 && len(at.dims) == 0 && size <= a.dims[0], "dynamic_slice", a, at)
	return p.emit(a.elem, []int{size}, "stablehlo.dynamic_slice %s, %s, sizes = [%d] : (%s, %s) -> %s", a.id, at.id, size, a.tensor(), at.tensor(), tensorOf(a.elem, []int{size}))
}

// rows gathers rows of a matrix (R, C): the result is index's shape with C appended.
// Indices out of range are clamped.
func (p *program) rows(matrix, index value) value {
	check(len(matrix.dims) == 2, "gather", matrix, index)
	n, c := len(index.dims), matrix.dims[1]
	dims := append(slices.Clone(index.dims), c)
	return p.emit(matrix.elem, dims, `"stablehlo.gather"(%s, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [%d], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = %d>, indices_are_sorted = false, slice_sizes = array<i64: 1, %d>}> : (%s, %s) -> %s`,
		matrix.id, index.id, n, n, c, matrix.tensor(), index.tensor(), tensorOf(matrix.elem, dims))
}

// dot contracts one axis of each matrix.
func (p *program) dot(a, b value, axisA, axisB int, precision string) value {
	check(len(a.dims) == 2 && len(b.dims) == 2 && a.elem == b.elem && a.dims[axisA] == b.dims[axisB], "dot_general", a, b)
	dims := []int{a.dims[1-axisA], b.dims[1-axisB]}
	return p.emit(f32, dims, "stablehlo.dot_general %s, %s, contracting_dims = [%d] x [%d], precision = [%s, %s] : (%s, %s) -> %s",
		a.id, b.id, axisA, axisB, precision, precision, a.tensor(), b.tensor(), tensorOf(f32, dims))
}

// window describes a convolution: strides, padding (may be negative) and dilations, the
// same along both axes except for the padding.
type window struct {
	stride, dilateIn, dilateKernel int
	pad                            [2][2]int
	numbers                        string // dim_numbers
	out                            []int  // result shape in the order of numbers
}

// convolution has a result of its operands' type. With bf16 factors and a float32 result XLA would widen the factors again, since its
// library has no such convolution; within the library, products of bf16 factors are added in float32.
func (p *program) convolution(x, w value, c window, precision string) value {
	check(x.elem == w.elem, "convolution", x, w)
	return p.emit(x.elem, c.out, "stablehlo.convolution(%s, %s) dim_numbers = %s, window = {stride = [%d, %d], pad = [[%d, %d], [%d, %d]], lhs_dilate = [%d, %d], rhs_dilate = [%d, %d]} "+
		"{batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision %s>, #stablehlo<precision %s>]} : (%s, %s) -> %s",
		x.id, w.id, c.numbers, c.stride, c.stride, c.pad[0][0], c.pad[0][1], c.pad[1][0], c.pad[1][1], c.dilateIn, c.dilateIn, c.dilateKernel, c.dilateKernel,
		precision, precision, x.tensor(), w.tensor(), tensorOf(x.elem, c.out))
}

// loop is a while loop over carried values; both functions get the loop's own names.
func (p *program) loop(carry []value, condition func([]value) value, body func([]value) []value) []value {
	inner := make([]value, len(carry))
	var assigned, types []string
	for i, v := range carry {
		inner[i] = value{p.fresh(), v.elem, v.dims}
		assigned = append(assigned, inner[i].id+" = "+v.id)
		types = append(types, v.tensor())
	}
	result := p.fresh()
	fmt.Fprintf(&p.b, "%s:%d = stablehlo.while(%s) : %s\ncond {\n", result, len(carry), strings.Join(assigned, ", "), strings.Join(types, ", "))
	more := condition(inner)
	check(more.elem == i1 && len(more.dims) == 0, "while", more)
	fmt.Fprintf(&p.b, "stablehlo.return %s : %s\n} do {\n", more.id, more.tensor())
	out := body(inner)
	var ids []string
	for i, v := range out {
		check(v.tensor() == carry[i].tensor(), "while", v, carry[i])
		ids = append(ids, v.id)
	}
	fmt.Fprintf(&p.b, "stablehlo.return %s : %s\n}\n", strings.Join(ids, ", "), strings.Join(types, ", "))
	results := make([]value, len(carry))
	for i, v := range carry {
		results[i] = value{fmt.Sprintf("%s#%d", result, i), v.elem, v.dims}
	}
	return results
}

// list writes [1, 2, 3].
func list(xs []int) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = fmt.Sprint(x)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// argument is a parameter of the main function.
type argument struct {
	elem   elem
	dims   []int
	donate int // 1 + the index of the result that takes over its memory; 0: none
}

// whole is the attribute of arguments and results: each device has all of it.
const whole = "mhlo.sharding = \"{replicated}\""

// shard asks XLA to cut a batch of images into equal parts, one for each device. XLA cuts what depends on it likewise and adds up over
// the devices where the program adds up over images: gradients, losses and batch norm's sums.
func (p *program) shard(a value, devices int) value {
	id, rest := p.fresh(), strings.Repeat(",1", len(a.dims)-1)
	fmt.Fprintf(&p.b, "%s = stablehlo.custom_call @Sharding(%s) {mhlo.sharding = \"{devices=[%d%s]<=[%d]}\"} : (%s) -> %s\n", id, a.id, devices, rest, devices, a.tensor(), a.tensor())
	return value{id, a.elem, a.dims}
}

// function writes the whole module: main maps the arguments to the results of body.
func function(name string, arguments []argument, body func(p *program, args []value) []value) string {
	p := &program{}
	args := make([]value, len(arguments))
	var heads []string
	for i, a := range arguments {
		args[i] = value{fmt.Sprintf("%%arg%d", i), a.elem, a.dims}
		attributes := whole
		if a.donate > 0 {
			attributes += fmt.Sprintf(", tf.aliasing_output = %d : i32", a.donate-1)
		}
		heads = append(heads, fmt.Sprintf("%s: %s {%s}", args[i].id, args[i].tensor(), attributes))
	}
	results := body(p, args)
	var ids, types, outs []string
	for _, r := range results {
		ids, types, outs = append(ids, r.id), append(types, r.tensor()), append(outs, fmt.Sprintf("%s {%s}", r.tensor(), whole))
	}
	return fmt.Sprintf("module @%s {\nfunc.func @main(%s) -> (%s) {\n%sreturn %s : %s\n}\n}\n",
		strings.ReplaceAll(name, "-", "_"), strings.Join(heads, ", "), strings.Join(outs, ", "), p.b.String(), strings.Join(ids, ", "), strings.Join(types, ", "))
}
