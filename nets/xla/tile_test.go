package xla

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tqn/pjrt"
	"tqn/quantize"
)

// machine runs the text of a kernel as the definitions of its operations say, one program after the other, so that a test without a GPU sees what the kernel computes,
// whether it reads or writes outside of its arguments, and whether it writes each result once. It computes in float64, and rounds only where the kernel converts to bfloat16.
type machine struct {
	arguments []*memory
	program   [3]int // the numbers of the program that runs
	lines     []string
	values    map[string]held
}

// memory is one argument of a kernel.
type memory struct {
	data    []float64
	written []int
}

func newMemory(data []float64) *memory { return &memory{data, make([]int, len(data))} }

// held is what a name stands for: integers (booleans as 0 and 1), numbers, or places in an argument.
type held struct {
	dims []int
	i    []int32
	f    []float64
	base *memory
}

var tensorType = regexp.MustCompile(`tensor<((?:\d+x)+)([^<>]+|!tt\.ptr<\w+>)>`)

// shapeOf is the dimensions of the last type in a line.
func shapeOf(line string) (dims []int) {
	all := tensorType.FindAllStringSubmatch(line, -1)
	if all == nil {
		return nil
	}
	for d := range strings.SplitSeq(strings.TrimSuffix(all[len(all)-1][1], "x"), "x") {
		n, _ := strconv.Atoi(d)
		dims = append(dims, n)
	}
	return dims
}

// unchanged runs a kernel as it is; a test with a planted defect changes its text.
func unchanged(k tileKernel) string { return k.text }

// compute runs a kernel on inputs. It returns an error if the kernel does not write each value of each result once.
func compute(k tileKernel, inputs [][]float64, results ...[]float64) error {
	var memories []*memory
	for _, data := range inputs {
		memories = append(memories, newMemory(data))
	}
	for _, data := range results {
		for i := range data {
			data[i] = math.NaN()
		}
		memories = append(memories, newMemory(data))
	}
	if err := runKernel(k, memories...); err != nil {
		return err
	}
	for i, m := range memories[len(inputs):] {
		if slices.ContainsFunc(m.written, func(n int) bool { return n != 1 }) {
			return fmt.Errorf("%s: a value of result %d is not written once", k.name, i)
		}
	}
	return nil
}

// runKernel runs all programs of a kernel.
func runKernel(k tileKernel, arguments ...*memory) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", k.name, r)
		}
	}()
	lines := strings.Split(strings.TrimSpace(k.text), "\n")
	for x := range k.grid[0] {
		for y := range k.grid[1] {
			m := &machine{arguments: arguments, program: [3]int{x, y, 0}, lines: lines, values: map[string]held{}}
			for i, a := range arguments {
				m.values[fmt.Sprintf("%%a%d", i)] = held{base: a, i: []int32{0}}
			}
			m.block(2, len(lines)-3)
		}
	}
	return nil
}

// block runs the lines from one up to another.
func (m *machine) block(from, to int) {
	for n := from; n < to; n++ {
		line := m.lines[n]
		if strings.Contains(line, "scf.for") {
			end := n
			for m.lines[end] != "}" {
				end++
			}
			m.loop(line, n+1, end-1)
			n = end
			continue
		}
		m.line(line)
	}
}

var names = regexp.MustCompile(`%\w+(?:#\d+)?`)

// loop runs the lines of a loop's body; the last one of them, behind to, is its yield.
func (m *machine) loop(line string, from, to int) {
	ids := names.FindAllString(line, -1) // result, counter, from, to, step, then each inner name and what it begins with
	if !strings.Contains(line, "iter_args") {
		ids = append([]string{""}, ids...)
	}
	carried := ids[5:]
	for n := 0; n < len(carried); n += 2 {
		m.values[carried[n]] = m.values[carried[n+1]]
	}
	for i := m.values[ids[2]].i[0]; i < m.values[ids[3]].i[0]; i += m.values[ids[4]].i[0] {
		m.values[ids[1]] = held{i: []int32{i}}
		m.block(from, to)
		for n, id := range names.FindAllString(m.lines[to], -1) {
			m.values[carried[2*n]] = m.values[id]
		}
	}
	for n := 0; n < len(carried); n += 2 {
		m.values[fmt.Sprintf("%s#%d", ids[0], n/2)] = m.values[carried[n]]
	}
}

func (m *machine) line(line string) {
	ids := names.FindAllString(line, -1)
	var a []held
	for _, id := range ids {
		a = append(a, m.values[id])
	}
	if strings.HasPrefix(line, "tt.store") {
		for n, at := range a[0].i {
			if len(a) < 3 || a[2].i[n] != 0 {
				a[0].base.data[at] = a[1].f[n]
				a[0].base.written[at]++
			}
		}
		return
	}
	_, op, _ := strings.Cut(line, " = ")
	op, rest, _ := strings.Cut(op, " ")
	op, _, _ = strings.Cut(op, "(") // "tt.reduce"(%1)
	m.values[ids[0]] = m.operation(op, rest, line, a[1:])
}

// The elementwise operations on two integers, and on two numbers.
var (
	integerOperations = map[string]func(a, b int32) int32{
		"arith.addi":  func(a, b int32) int32 { return a + b },
		"arith.subi":  func(a, b int32) int32 { return a - b },
		"arith.muli":  func(a, b int32) int32 { return a * b },
		"arith.andi":  func(a, b int32) int32 { return a & b },
		"arith.divui": func(a, b int32) int32 { return int32(uint32(a) / uint32(b)) },
		"arith.remui": func(a, b int32) int32 { return int32(uint32(a) % uint32(b)) },
		"arith.cmpi":  func(a, b int32) int32 { return truth(uint32(a) < uint32(b)) }, // ult, the only comparison that kernels use
	}
	numberOperations = map[string]func(a, b float64) float64{
		"arith.addf":     func(a, b float64) float64 { return a + b },
		"arith.subf":     func(a, b float64) float64 { return a - b },
		"arith.mulf":     func(a, b float64) float64 { return a * b },
		"arith.divf":     func(a, b float64) float64 { return a / b },
		"arith.maximumf": func(a, b float64) float64 { return max(a, b) },
		"arith.maxnumf": func(a, b float64) float64 { // of a NaN and a number, the number
			if math.IsNaN(a) || b > a {
				return b
			}
			return a
		},
	}
)

func truth(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// integers is n integers, numbers n numbers, of the shape that r has.
func (r held) integers(f func(n int) int32) held {
	r.i = make([]int32, value{dims: r.dims}.len())
	for n := range r.i {
		r.i[n] = f(n)
	}
	return r
}

func (r held) numbers(f func(n int) float64) held {
	r.f = make([]float64, value{dims: r.dims}.len())
	for n := range r.f {
		r.f[n] = f(n)
	}
	return r
}

// pick takes from[n](a) for each n: numbers if a tile of them is given, integers otherwise.
func (r held) pick(numbers bool, from func(n int) (held, int)) held {
	if numbers {
		return r.numbers(func(n int) float64 { a, at := from(n); return a.f[at] })
	}
	return r.integers(func(n int) int32 { a, at := from(n); return a.i[at] })
}

// operation is the result of one line.
func (m *machine) operation(op, rest, line string, a []held) held {
	r := held{dims: shapeOf(line)}
	if f := integerOperations[op]; f != nil {
		if op == "arith.cmpi" && !strings.HasPrefix(rest, "ult,") {
			panic("no such comparison: " + line)
		}
		return r.integers(func(n int) int32 { return f(a[0].i[n], a[1].i[n]) })
	}
	if f := numberOperations[op]; f != nil {
		return r.numbers(func(n int) float64 { return f(a[0].f[n], a[1].f[n]) })
	}
	switch op {
	case "arith.constant":
		return r.constant(rest, line)
	case "tt.get_program_id":
		return held{i: []int32{int32(m.program[strings.Index("xyz", rest[:1])])}}
	case "tt.make_range":
		return r.integers(func(n int) int32 { return int32(n) })
	case "arith.cmpf":
		is := map[string]func(a, b float64) bool{"ogt,": func(a, b float64) bool { return a > b }, "oge,": func(a, b float64) bool { return a >= b },
			"oeq,": func(a, b float64) bool { return a == b }}[strings.Fields(rest)[0]]
		return r.integers(func(n int) int32 { return truth(is(a[0].f[n], a[1].f[n])) })
	case "arith.select":
		if a[1].base != nil {
			return a[2-a[0].i[0]]
		}
		return r.pick(a[1].f != nil, func(n int) (held, int) { return a[2-a[0].i[n]], n })
	case "arith.truncf":
		return r.numbers(func(n int) float64 { return toBF16(a[0].f[n]) })
	case "arith.extf":
		r.f = a[0].f
		return r
	case "math.sqrt":
		return r.numbers(func(n int) float64 { return math.Sqrt(a[0].f[n]) })
	}
	return r.tileOperation(op, line, a)
}

// constant is the result of arith.constant: a number if there is a point in it, else an integer.
func (r held) constant(rest, line string) held {
	text := strings.TrimSuffix(strings.TrimPrefix(strings.Fields(rest)[0], "dense<"), ">")
	number, err := strconv.ParseFloat(text, 64)
	if strings.Contains(text, ".") && err == nil {
		return r.numbers(func(int) float64 { return number })
	}
	integer, err := strconv.Atoi(text)
	if err != nil {
		panic("no such constant: " + line)
	}
	return r.integers(func(int) int32 { return int32(integer) })
}

// tileOperation is the result of an operation of Triton's own.
func (r held) tileOperation(op, line string, a []held) held {
	switch op {
	case "tt.splat":
		r.base = a[0].base
		return r.integers(func(int) int32 { return a[0].i[0] })
	case "tt.expand_dims":
		r.i, r.f = a[0].i, a[0].f
		return r
	case "tt.broadcast":
		rows, columns := a[0].dims[0], a[0].dims[1]
		return r.pick(a[0].f != nil, func(n int) (held, int) { return a[0], n/r.dims[1]%rows*columns + n%r.dims[1]%columns })
	case "tt.addptr":
		r.base = a[0].base
		return r.integers(func(n int) int32 { return a[0].i[n] + a[1].i[n] })
	case "tt.load":
		read := func(n int) float64 {
			if len(a) == 1 || a[1].i[n] != 0 {
				return a[0].base.data[a[0].i[n]]
			}
			return 0
		}
		if strings.HasSuffix(line, "!tt.ptr<i32>>") {
			return r.integers(func(n int) int32 { return int32(read(n)) })
		}
		return r.numbers(read)
	case "tt.bitcast":
		if a[0].f != nil {
			return r.integers(func(n int) int32 { return int32(math.Float32bits(float32(a[0].f[n]))) })
		}
		return r.numbers(func(n int) float64 { return float64(math.Float32frombits(uint32(a[0].i[n]))) })
	case `"tt.reduce"`: // the sums of columns
		columns := r.dims[0]
		return r.numbers(func(n int) (sum float64) {
			for at := n; at < len(a[0].f); at += columns {
				sum += a[0].f[at]
			}
			return sum
		})
	case "tt.dot":
		inner, columns := a[0].dims[1], r.dims[1]
		return r.numbers(func(n int) float64 {
			row, column := n/columns, n%columns
			sum := a[2].f[n]
			for k := range inner {
				sum += a[0].f[row*inner+k] * a[1].f[k*columns+column]
			}
			return sum
		})
	}
	panic("no such operation: " + line)
}

// toBF16 rounds to the nearest bfloat16, ties to even.
func toBF16(x float64) float64 {
	b := math.Float32bits(float32(x))
	b += 0x7fff + b>>16&1
	return float64(math.Float32frombits(b &^ 0xffff))
}

// toTF32 rounds to the nearest number with 10 bits of fraction, ties away from zero.
func toTF32(x float64) float64 {
	return float64(math.Float32frombits((math.Float32bits(float32(x)) + 1<<12) &^ (1<<13 - 1)))
}

// valuesOf is n numbers of a type, uniform from -1 to 1.
func valuesOf(e elem, stream uint32, n int) []float64 {
	words, out := quantize.NewNoise(7).At(stream, 0), make([]float64, n)
	for i := range out {
		out[i] = float64(float32(words.Bits(i))/(1<<31) - 1)
		if e == bf16 {
			out[i] = toBF16(out[i])
		}
	}
	return out
}

// farthest is the largest difference in units of the largest value wanted.
func farthest(got, want []float64) float64 {
	d, size := 0.0, 0.0
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= d) {
			d = math.Abs(got[i] - want[i])
		}
		size = max(size, math.Abs(want[i]))
	}
	return d / size
}

// needKernels is a GPU whose plug-in compiles kernels of our own.
func needKernels(t *testing.T) *pjrt.Client {
	t.Helper()
	client := need(t)
	if client.Platform != "cuda" || !compilesKernels(client, client.Devices[0]) {
		t.Skipf("%s compiles no kernels of our own", client.Platform)
	}
	return client
}

// runProgram compiles a program of float32 arguments for a device and runs it there once.
func runProgram(t *testing.T, client *pjrt.Client, data [][]float64, dims [][]int, body func(p *program, a []value) []value) (results [][]float64) {
	t.Helper()
	return compiled(t, client, function("test", float32Arguments(dims), body))(data, dims)
}

func float32Arguments(dims [][]int) (arguments []argument) {
	for _, d := range dims {
		arguments = append(arguments, argument{elem: f32, dims: d})
	}
	return arguments
}

// compiled is a program of float32 arguments and results for a device: a function that runs it there.
func compiled(t *testing.T, client *pjrt.Client, text string) func(data [][]float64, dims [][]int) (results [][]float64) {
	t.Helper()
	program, err := client.Compile(text, client.Devices[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Destroy() })
	return func(data [][]float64, dims [][]int) (results [][]float64) {
		t.Helper()
		var buffers []*pjrt.Buffer
		defer func() { destroy(buffers...) }()
		for i, numbers := range data {
			single := make([]float32, len(numbers))
			for j, v := range numbers {
				single[j] = float32(v)
			}
			b, err := pjrt.Replicate(client, client.Devices[:1], single, dims[i]...)
			if err != nil {
				t.Fatal(err)
			}
			buffers = append(buffers, b)
		}
		out, err := program.Run(buffers...)
		if err != nil {
			t.Fatal(err)
		}
		defer destroy(out...)
		for _, b := range out {
			single, err := pjrt.ToHost[float32](b)
			if err != nil {
				t.Fatal(err)
			}
			numbers := make([]float64, len(single))
			for j, v := range single {
				numbers[j] = float64(v)
			}
			results = append(results, numbers)
		}
		return results
	}
}

// TestRunProgram: the tests of kernels on a GPU hand over data and get results as this does on any device.
func TestRunProgram(t *testing.T) {
	got := runProgram(t, need(t), [][]float64{{1, 2, 3, 4}, {5, 6}}, [][]int{{2, 2}, {2}}, func(p *program, a []value) []value {
		return []value{p.add(a[0], p.broadcast(a[1], a[0].dims, 1)), a[1]}
	})
	if want := [][]float64{{6, 8, 8, 10}, {5, 6}}; len(got) != 2 || !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestPowerOfTwo: the largest power of two that divides a number, up to a limit.
func TestPowerOfTwo(t *testing.T) {
	for _, c := range [][3]int{{1, 128, 1}, {96, 128, 32}, {96, 16, 16}, {1024, 128, 128}, {1024, 48, 32}, {1025, 128, 1}, {8, 0, 1}} {
		if got := powerOfTwo(c[0], c[1]); got != c[2] {
			t.Errorf("powerOfTwo(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// TestShares: blocks are divided so that no part but the last has fewer turns than it could have, and none has nothing to do.
func TestShares(t *testing.T) {
	for blocks := range 600 {
		for _, most := range []int{1, 3, 32, 128} {
			if parts, turns := shares(blocks+1, most); parts > most || parts*turns < blocks+1 || (parts-1)*turns >= blocks+1 || turns > 1 && (turns-1)*most >= blocks+1 {
				t.Fatalf("%d blocks, at most %d parts: %d parts of %d turns", blocks+1, most, parts, turns)
			}
		}
	}
}
