package xla

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// A step of a compiled program, on a GPU, is a list of kernels and of calls of NVIDIA's libraries, one instruction of the program's
// entry computation each. These tests read them from the HloModuleProto that the compiler returns: how many are launched in a
// step, of what kind, and how many bytes they read and write.

// launches counts what a compiled program starts on the device in one run.
type launches struct {
	n     map[launchKind]int
	bytes map[launchKind]int64 // read and written, see [hloModule.traffic]
}

// ownKernel is what calls a kernel whose text the program contains.
const ownKernel = "__gpu$xla.gpu.triton"

// launchKind is what an instruction of the entry computation does.
type launchKind string

const (
	convolving  launchKind = "convolutions" // calls of cuDNN, and kernels of our own
	normalising launchKind = "batch norms"  // by kernels of our own, with what they take along
	multiplying launchKind = "matrix products"
	reducing    launchKind = "reductions"
	transposing launchKind = "transpositions"
	copying     launchKind = "copies" // also slices of a larger tensor
	elementwise launchKind = "elementwise"
)

var launchKinds = []launchKind{convolving, normalising, multiplying, reducing, elementwise, transposing, copying}

func (l launches) total() (n int, bytes int64) {
	for _, k := range launchKinds {
		n, bytes = n+l.n[k], bytes+l.bytes[k]
	}
	return n, bytes
}

func (l launches) String() string {
	n, bytes := l.total()
	s := fmt.Sprintf("%d launches, %.0f MB", n, float64(bytes)/1e6)
	for _, k := range launchKinds {
		s += fmt.Sprintf("; %d %s (%.0f MB)", l.n[k], k, float64(l.bytes[k])/1e6)
	}
	return s
}

// hloModule is the part of an HloModuleProto that the counts need.
type hloModule struct {
	entry        int64
	computations map[int64]hloComputation
}

type hloComputation struct {
	instructions []hloInstruction // in the order in which they run
	root         int64
}

type hloInstruction struct {
	id                     int64
	name, opcode, target   string // target of a custom call
	shape                  hloShape
	parameter              int64
	fusionKind             string
	operands, computations []int64
	config                 string
}

type hloShape struct {
	elem   int64 // xla.PrimitiveType
	dims   []int64
	tuple  []hloShape
	layout []int64 // minor to major
}

// size is the number of bytes.
func (s hloShape) size() int64 {
	if s.elem == 13 { // TUPLE
		n := int64(0)
		for _, part := range s.tuple {
			n += part.size()
		}
		return n
	}
	// PRED S8 S16 S32 S64 U8 U16 U32 U64 F16 F32 F64, BF16 is 16.
	bytes := map[int64]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 2, 8: 4, 9: 8, 10: 2, 11: 4, 12: 8, 15: 8, 16: 2, 18: 16}
	width, ok := bytes[s.elem]
	if !ok {
		panic(fmt.Sprintf("xla: element type %d of a compiled program", s.elem))
	}
	return width * s.len()
}

// len is the number of values.
func (s hloShape) len() int64 {
	n := int64(1)
	for _, d := range s.dims {
		n *= d
	}
	return n
}

// message calls f with every field of a serialised protobuf message: its number, and its value or its content.
func message(b []byte, f func(number int, value uint64, content []byte)) {
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			panic("xla: a compiled program that is no protobuf message")
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		key := next()
		switch number := int(key >> 3); key & 7 {
		case 0:
			f(number, next(), nil)
		case 1:
			f(number, binary.LittleEndian.Uint64(b), nil)
			b = b[8:]
		case 2:
			n := next()
			f(number, 0, b[:n])
			b = b[n:]
		case 5:
			f(number, uint64(binary.LittleEndian.Uint32(b)), nil)
			b = b[4:]
		default:
			panic(fmt.Sprintf("xla: a compiled program with wire type %d", key&7))
		}
	}
}

// numbers appends a repeated integer field, packed or not.
func numbers(to []int64, value uint64, content []byte) []int64 {
	if content == nil {
		return append(to, int64(value))
	}
	for len(content) > 0 {
		v, n := binary.Uvarint(content)
		to, content = append(to, int64(v)), content[n:]
	}
	return to
}

func parseShape(b []byte) (s hloShape) {
	message(b, func(number int, value uint64, content []byte) {
		switch number {
		case 2:
			s.elem = int64(value)
		case 3:
			s.dims = numbers(s.dims, value, content)
		case 4:
			s.tuple = append(s.tuple, parseShape(content))
		case 5:
			message(content, func(number int, value uint64, content []byte) {
				if number == 1 {
					s.layout = numbers(s.layout, value, content)
				}
			})
		}
	})
	return s
}

// parseModule reads an HloModuleProtoWithConfig, whose first field is the module.
func parseModule(b []byte) hloModule {
	var module []byte
	message(b, func(number int, value uint64, content []byte) {
		if number == 1 {
			module = content
		}
	})
	m := hloModule{computations: map[int64]hloComputation{}}
	message(module, func(number int, value uint64, content []byte) {
		switch number {
		case 6:
			m.entry = int64(value)
		case 3:
			var c hloComputation
			var id int64
			message(content, func(number int, value uint64, content []byte) {
				switch number {
				case 2:
					c.instructions = append(c.instructions, parseInstruction(content))
				case 5:
					id = int64(value)
				case 6:
					c.root = int64(value)
				}
			})
			m.computations[id] = c
		}
	})
	return m
}

func parseInstruction(b []byte) (i hloInstruction) {
	message(b, func(number int, value uint64, content []byte) {
		switch number {
		case 1:
			i.name = string(content)
		case 2:
			i.opcode = string(content)
		case 3:
			i.shape = parseShape(content)
		case 9:
			i.parameter = int64(value)
		case 11:
			i.fusionKind = string(content)
		case 28:
			i.target = string(content)
		case 35:
			i.id = int64(value)
		case 36:
			i.operands = numbers(i.operands, value, content)
		case 38:
			i.computations = numbers(i.computations, value, content)
		case 43:
			i.config = string(content)
		}
	})
	return i
}

// calls says whether an instruction calls a kernel of our own whose name begins so.
func (i hloInstruction) calls(prefix string) bool {
	return i.target == ownKernel && strings.Contains(i.config, `"`+prefix)
}

// kind says what an instruction of the entry computation starts, "" if nothing.
func (m hloModule) kind(i hloInstruction) launchKind {
	switch i.opcode {
	case "parameter", "constant", "tuple", "get-tuple-element", "bitcast":
		return ""
	case "copy":
		return copying
	case "custom-call":
		switch {
		case i.calls("norm_"):
			return normalising
		case i.calls("pieces_take"):
			return copying
		case i.calls("pieces_finite"):
			return reducing
		}
		if i.target == ownKernel || strings.HasPrefix(i.target, "__cudnn$conv") {
			return convolving
		}
		if strings.HasPrefix(i.target, "__cublas$") {
			return multiplying
		}
	case "fusion":
		has := map[string]bool{}
		for _, j := range m.computations[i.computations[0]].instructions {
			has[j.opcode] = true
		}
		switch {
		case has["dot"]:
			return multiplying
		case has["reduce"]:
			return reducing
		case has["transpose"]:
			return transposing
		}
		delete(has, "parameter")
		delete(has, "slice")
		delete(has, "bitcast")
		if len(has) == 0 {
			return copying
		}
		return elementwise
	}
	panic(fmt.Sprintf("xla: a compiled step starts %s (%s %s)", i.name, i.opcode, i.target))
}

// traffic is how many bytes an instruction reads and writes: its operands and its results, each once, as if caches held what is
// read twice. Of an operand of which only slices are used, it is the slices; of a vector, which kernels of our own read a few numbers of, it is nothing; and of the state, out of which a kernel of our own
// takes weights, it is those weights.
func (m hloModule) traffic(i hloInstruction, shapes map[int64]hloShape) int64 {
	bytes := i.shape.size()
	if i.calls("pieces_take") {
		for _, weights := range i.shape.tuple {
			bytes += weights.len() * 4
		}
	}
	for n, operand := range i.operands {
		whole := shapes[operand].size()
		if i.target == ownKernel && len(shapes[operand].dims) == 1 && !i.calls("pieces_finite") {
			whole = 0
		}
		if i.opcode == "fusion" {
			whole = min(whole, m.computations[i.computations[0]].used(int64(n), whole))
		}
		bytes += whole
	}
	return bytes
}

// used is how many bytes of a parameter are read: all, or what its users cut out of it.
func (c hloComputation) used(parameter, all int64) int64 {
	var id int64
	for _, i := range c.instructions {
		if i.opcode == "parameter" && i.parameter == parameter {
			id = i.id
		}
	}
	bytes := int64(0)
	for _, i := range c.instructions {
		if !slices.Contains(i.operands, id) {
			continue
		}
		if (i.opcode != "slice" && i.opcode != "dynamic-slice" && i.opcode != "gather") || i.operands[0] != id {
			return all
		}
		bytes += i.shape.size()
	}
	return bytes
}

func countLaunches(code []byte) launches {
	m := parseModule(code)
	entry := m.computations[m.entry]
	shapes := map[int64]hloShape{}
	for _, i := range entry.instructions {
		shapes[i.id] = i.shape
	}
	l := launches{map[launchKind]int{}, map[launchKind]int64{}}
	for _, i := range entry.instructions {
		if k := m.kind(i); k != "" {
			l.n[k]++
			l.bytes[k] += m.traffic(i, shapes)
		}
	}
	return l
}
