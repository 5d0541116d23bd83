package xla

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"tqn/quantize"
)

// machine runs the text of a kernel as the definitions of its operations say, one program after the other, so that a test without a GPU sees what the kernel computes,
// whether it reads or writes outside of its arguments, and whether it writes each result once. Sums are float64's.
type machine struct {
	arguments []*memory
	programs  [3]int // which program this is
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

// shape is the dimensions of the last type in a line.
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

func count(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
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
			m := &machine{arguments: arguments, programs: [3]int{x, y, 0}, lines: lines, values: map[string]held{}}
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

func (m *machine) operation(op, rest, line string, a []held) held {
	dims := shapeOf(line)
	r := held{dims: dims}
	size := count(dims)
	ints := func(f func(n int) int32) held {
		r.i = make([]int32, size)
		for n := range r.i {
			r.i[n] = f(n)
		}
		return r
	}
	floats := func(f func(n int) float64) held {
		r.f = make([]float64, size)
		for n := range r.f {
			r.f[n] = f(n)
		}
		return r
	}
	truth := func(b bool) int32 {
		if b {
			return 1
		}
		return 0
	}
	switch op {
	case "arith.constant":
		text := strings.TrimSuffix(strings.TrimPrefix(strings.Fields(rest)[0], "dense<"), ">")
		if strings.Contains(text, ".") {
			c, err := strconv.ParseFloat(text, 64)
			if err != nil {
				panic(line)
			}
			return floats(func(int) float64 { return c })
		}
		c, err := strconv.Atoi(text)
		if err != nil {
			panic(line)
		}
		return ints(func(int) int32 { return int32(c) })
	case "tt.get_program_id":
		return held{i: []int32{int32(m.programs[strings.Index("xyz", rest[:1])])}}
	case "tt.make_range":
		return ints(func(n int) int32 { return int32(n) })
	case "tt.splat":
		r.base = a[0].base
		return ints(func(int) int32 { return a[0].i[0] })
	case "tt.expand_dims":
		r.i, r.f = a[0].i, a[0].f
		return r
	case "tt.broadcast":
		from := func(n int) int {
			row, column := n/dims[1], n%dims[1]
			return row%a[0].dims[0]*a[0].dims[1] + column%a[0].dims[1]
		}
		if a[0].f != nil {
			return floats(func(n int) float64 { return a[0].f[from(n)] })
		}
		return ints(func(n int) int32 { return a[0].i[from(n)] })
	case "arith.addi":
		return ints(func(n int) int32 { return a[0].i[n] + a[1].i[n] })
	case "arith.muli":
		return ints(func(n int) int32 { return a[0].i[n] * a[1].i[n] })
	case "arith.andi":
		return ints(func(n int) int32 { return a[0].i[n] & a[1].i[n] })
	case "arith.divui":
		return ints(func(n int) int32 { return int32(uint32(a[0].i[n]) / uint32(a[1].i[n])) })
	case "arith.remui":
		return ints(func(n int) int32 { return int32(uint32(a[0].i[n]) % uint32(a[1].i[n])) })
	case "arith.cmpi":
		if !strings.HasPrefix(rest, "ult,") {
			panic(line)
		}
		return ints(func(n int) int32 { return truth(uint32(a[0].i[n]) < uint32(a[1].i[n])) })
	case "arith.cmpf":
		is := map[string]func(a, b float64) bool{"ogt,": func(a, b float64) bool { return a > b }, "oeq,": func(a, b float64) bool { return a == b }}[strings.Fields(rest)[0]]
		return ints(func(n int) int32 { return truth(is(a[0].f[n], a[1].f[n])) })
	case "arith.select":
		if a[1].f != nil {
			return floats(func(n int) float64 {
				if a[0].i[n] != 0 {
					return a[1].f[n]
				}
				return a[2].f[n]
			})
		}
		return ints(func(n int) int32 {
			if a[0].i[n] != 0 {
				return a[1].i[n]
			}
			return a[2].i[n]
		})
	case "tt.addptr":
		r.base = a[0].base
		return ints(func(n int) int32 { return a[0].i[n] + a[1].i[n] })
	case "tt.load":
		read := func(n int) float64 {
			if len(a) == 1 || a[1].i[n] != 0 {
				return a[0].base.data[a[0].i[n]]
			}
			return 0
		}
		if strings.HasSuffix(line, "!tt.ptr<i32>>") {
			return ints(func(n int) int32 { return int32(read(n)) })
		}
		return floats(read)
	case "tt.bitcast":
		if a[0].f != nil {
			return ints(func(n int) int32 { return int32(math.Float32bits(float32(a[0].f[n]))) })
		}
		return floats(func(n int) float64 { return float64(math.Float32frombits(uint32(a[0].i[n]))) })
	case "arith.truncf":
		if !strings.HasSuffix(line, "xbf16>") { // from float64, which all numbers here are
			r.f = a[0].f
			return r
		}
		return floats(func(n int) float64 { return toBF16(a[0].f[n]) })
	case "arith.extf":
		r.f = a[0].f
		return r
	case "arith.addf":
		return floats(func(n int) float64 { return a[0].f[n] + a[1].f[n] })
	case "arith.divf":
		return floats(func(n int) float64 { return a[0].f[n] / a[1].f[n] })
	case "arith.maximumf":
		return floats(func(n int) float64 { return max(a[0].f[n], a[1].f[n]) })
	case "math.sqrt":
		return floats(func(n int) float64 { return math.Sqrt(a[0].f[n]) })
	case "arith.subf":
		return floats(func(n int) float64 { return a[0].f[n] - a[1].f[n] })
	case "arith.mulf":
		return floats(func(n int) float64 { return a[0].f[n] * a[1].f[n] })
	case `"tt.reduce"`:
		return floats(func(n int) float64 {
			sum := 0.0
			for at := n; at < len(a[0].f); at += size {
				sum += a[0].f[at]
			}
			return sum
		})
	case "tt.dot":
		inner := a[0].dims[1]
		return floats(func(n int) float64 {
			row, column := n/dims[1], n%dims[1]
			sum := a[2].f[n]
			for k := range inner {
				sum += a[0].f[row*inner+k] * a[1].f[k*dims[1]+column]
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

// values are n numbers of a type, uniform from -1 to 1.
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
