package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// unpickle reads the part of Python's pickle format (protocols 0 to 5, binary
// opcodes; Lib/pickletools.py in CPython) that a batch of CIFAR is written in:
// dictionaries, lists, tuples, strings, integers and numpy arrays. It runs
// nothing: of the callables a pickle may name only those that build a numpy
// array are known, and any other is an error.
//
// Strings and array contents are slices of data, not copies, and every opcode
// consumes at least one byte and pushes at most one value, so memory is bounded
// by a constant times the length of data. (A Python 2 string written through
// _codecs.encode is decoded once per opcode that says so; such a call consumes
// its operands, and the sum of the results is capped at the length of data.)
func unpickle(name string, data []byte) (any, error) {
	p := &unpickler{name: name, data: data}
	return p.run()
}

type (
	pickleMark struct{}
	pickleList struct{ items []any }
	pickleDict struct{ keys, values []any }
	pickleFunc struct{ module, name string }
	// pickleType is a numpy dtype, by its code ("u1", "i8").
	pickleType struct{ code string }
	// pickleArray is a numpy array.
	pickleArray struct {
		shape   []int64
		dtype   string
		fortran bool
		data    []byte
	}
	pickleTuple []any
)

// get returns the last value of a string key, as Python would, or nil.
func (d *pickleDict) get(key string) any {
	for i := len(d.keys) - 1; i >= 0; i-- {
		switch k := d.keys[i].(type) {
		case string:
			if k == key {
				return d.values[i]
			}
		case []byte:
			if string(k) == key {
				return d.values[i]
			}
		}
	}
	return nil
}

func pickleKind(v any) string {
	switch v.(type) {
	case nil:
		return "missing value"
	case int64:
		return "number"
	case string, []byte:
		return "string"
	case *pickleList:
		return "list"
	case *pickleDict:
		return "dictionary"
	case *pickleArray:
		return "numpy array"
	case pickleTuple:
		return "tuple"
	}
	return fmt.Sprintf("%T", v)
}

type unpickler struct {
	name    string
	data    []byte
	at      int
	start   int // of the current opcode
	stack   []any
	memo    map[uint32]any
	encoded int // bytes made by _codecs.encode so far
}

func (p *unpickler) errorf(format string, args ...any) error {
	return fileError(p.name, int64(p.start), "pickle: "+format, args...)
}

func (p *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(p.data)-p.at) {
		return nil, p.errorf("an item of %d bytes, but only %d are left", n, len(p.data)-p.at)
	}
	b := p.data[p.at : p.at+int(n) : p.at+int(n)]
	p.at += int(n)
	return b, nil
}

// number reads an unsigned little-endian integer of n bytes.
func (p *unpickler) number(n int) (uint64, error) {
	b, err := p.take(uint64(n))
	if err != nil {
		return 0, err
	}
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:]), nil
}

// sized reads a length of n bytes and then as many bytes.
func (p *unpickler) sized(n int) ([]byte, error) {
	size, err := p.number(n)
	if err != nil {
		return nil, err
	}
	return p.take(size)
}

func (p *unpickler) line() (string, error) {
	for i := p.at; i < len(p.data); i++ {
		if p.data[i] == '\n' {
			s := string(p.data[p.at:i])
			p.at = i + 1
			return s, nil
		}
	}
	return "", p.errorf("a line without an end")
}

func (p *unpickler) push(v any) { p.stack = append(p.stack, v) }

func (p *unpickler) pop() (any, error) {
	if len(p.stack) == 0 {
		return nil, p.errorf("the stack is empty")
	}
	v := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	if _, ok := v.(pickleMark); ok {
		return nil, p.errorf("a mark where a value is needed")
	}
	return v, nil
}

// popMark returns what lies above the topmost mark, in order, and removes both.
func (p *unpickler) popMark() ([]any, error) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(pickleMark); ok {
			items := append([]any(nil), p.stack[i+1:]...)
			p.stack = p.stack[:i]
			return items, nil
		}
	}
	return nil, p.errorf("no mark on the stack")
}

func (p *unpickler) top() (any, error) {
	v, err := p.pop()
	if err == nil {
		p.push(v)
	}
	return v, err
}

func (p *unpickler) run() (any, error) {
	p.memo = map[uint32]any{}
	for {
		p.start = p.at
		if p.at >= len(p.data) {
			return nil, p.errorf("the file ends before the pickle does")
		}
		op := p.data[p.at]
		p.at++
		if op == '.' { // STOP
			return p.pop()
		}
		if err := p.step(op); err != nil {
			return nil, err
		}
	}
}

// step executes one opcode; names as in pickletools.
func (p *unpickler) step(op byte) error {
	var err error
	var n uint64
	var b []byte
	switch op {
	case 0x80: // PROTO
		if n, err = p.number(1); err == nil && n > 5 {
			err = p.errorf("protocol %d, at most 5 is known", n)
		}
	case 0x95: // FRAME
		_, err = p.take(8)
	case '(': // MARK
		p.push(pickleMark{})
	case '}': // EMPTY_DICT
		p.push(&pickleDict{})
	case ']': // EMPTY_LIST
		p.push(&pickleList{})
	case ')': // EMPTY_TUPLE
		p.push(pickleTuple{})
	case 'N': // NONE
		p.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		p.push(op == 0x88)
	case '0': // POP
		if len(p.stack) == 0 {
			return p.errorf("the stack is empty")
		}
		p.stack = p.stack[:len(p.stack)-1]

	case 'K', 'M': // BININT1, BININT2
		if n, err = p.number(map[byte]int{'K': 1, 'M': 2}[op]); err == nil {
			p.push(int64(n))
		}
	case 'J': // BININT
		if n, err = p.number(4); err == nil {
			p.push(int64(int32(n)))
		}
	case 0x8a: // LONG1: little-endian two's complement
		if b, err = p.sized(1); err == nil {
			if len(b) > 8 {
				return p.errorf("an integer of %d bytes", len(b))
			}
			v := int64(0)
			for i := len(b) - 1; i >= 0; i-- {
				v = v<<8 | int64(b[i])
			}
			if k := len(b); k > 0 && k < 8 && b[k-1]&0x80 != 0 {
				v -= 1 << (8 * k)
			}
			p.push(v)
		}
	case 'I': // INT
		var s string
		if s, err = p.line(); err == nil {
			v, bad := strconv.ParseInt(s, 10, 64)
			if bad != nil {
				return p.errorf("integer %.20q", s)
			}
			p.push(v)
		}
	case 'G': // BINFLOAT
		if b, err = p.take(8); err == nil {
			p.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}

	case 'U', 'C': // SHORT_BINSTRING, SHORT_BINBYTES
		if b, err = p.sized(1); err == nil {
			p.push(b)
		}
	case 'T', 'B': // BINSTRING, BINBYTES
		if b, err = p.sized(4); err == nil {
			p.push(b)
		}
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		if b, err = p.sized(8); err == nil {
			p.push(b)
		}
	case 0x8c, 'X', 0x8d: // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
		if b, err = p.sized(map[byte]int{0x8c: 1, 'X': 4, 0x8d: 8}[op]); err == nil {
			if !utf8.Valid(b) {
				return p.errorf("a text that is not UTF-8")
			}
			p.push(string(b))
		}

	case 'q': // BINPUT
		if n, err = p.number(1); err == nil {
			err = p.put(uint32(n))
		}
	case 'r': // LONG_BINPUT
		if n, err = p.number(4); err == nil {
			err = p.put(uint32(n))
		}
	case 0x94: // MEMOIZE
		err = p.put(uint32(len(p.memo)))
	case 'h', 'j': // BINGET, LONG_BINGET
		if n, err = p.number(map[byte]int{'h': 1, 'j': 4}[op]); err == nil {
			v, ok := p.memo[uint32(n)]
			if !ok {
				return p.errorf("memo %d is not set", n)
			}
			p.push(v)
		}

	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		k := int(op - 0x84)
		t := make(pickleTuple, k)
		for i := k - 1; i >= 0; i-- {
			if t[i], err = p.pop(); err != nil {
				return err
			}
		}
		p.push(t)
	case 't': // TUPLE
		items, err := p.popMark()
		if err != nil {
			return err
		}
		p.push(pickleTuple(items))
	case 'a': // APPEND
		v, err := p.pop()
		if err != nil {
			return err
		}
		return p.extend([]any{v})
	case 'e': // APPENDS
		items, err := p.popMark()
		if err != nil {
			return err
		}
		return p.extend(items)
	case 's': // SETITEM
		v, err := p.pop()
		if err != nil {
			return err
		}
		k, err := p.pop()
		if err != nil {
			return err
		}
		return p.set([]any{k, v})
	case 'u': // SETITEMS
		items, err := p.popMark()
		if err != nil {
			return err
		}
		return p.set(items)

	case 'c': // GLOBAL
		var f pickleFunc
		if f.module, err = p.line(); err != nil {
			return err
		}
		if f.name, err = p.line(); err != nil {
			return err
		}
		return p.global(f)
	case 0x93: // STACK_GLOBAL
		name, err := p.pop()
		if err != nil {
			return err
		}
		module, err := p.pop()
		if err != nil {
			return err
		}
		m, ok1 := module.(string)
		s, ok2 := name.(string)
		if !ok1 || !ok2 {
			return p.errorf("a callable whose name is not a text")
		}
		return p.global(pickleFunc{m, s})
	case 'R': // REDUCE
		args, err := p.pop()
		if err != nil {
			return err
		}
		f, err := p.pop()
		if err != nil {
			return err
		}
		return p.call(f, args)
	case 'b': // BUILD
		state, err := p.pop()
		if err != nil {
			return err
		}
		v, err := p.top()
		if err != nil {
			return err
		}
		return p.build(v, state)
	default:
		return p.errorf("opcode %#02x is not one that a batch of images uses", op)
	}
	return err
}

func (p *unpickler) put(i uint32) error {
	v, err := p.top()
	if err == nil {
		p.memo[i] = v
	}
	return err
}

func (p *unpickler) extend(items []any) error {
	v, err := p.top()
	if err != nil {
		return err
	}
	l, ok := v.(*pickleList)
	if !ok {
		return p.errorf("appending to a %s", pickleKind(v))
	}
	l.items = append(l.items, items...)
	return nil
}

func (p *unpickler) set(items []any) error {
	v, err := p.top()
	if err != nil {
		return err
	}
	d, ok := v.(*pickleDict)
	if !ok || len(items)%2 != 0 {
		return p.errorf("setting %d items of a %s", len(items), pickleKind(v))
	}
	for i := 0; i < len(items); i += 2 {
		d.keys = append(d.keys, items[i])
		d.values = append(d.values, items[i+1])
	}
	return nil
}

// numpyCore is the module's name before and after NumPy 2.
func numpyCore(module, sub string) bool {
	return module == "numpy.core."+sub || module == "numpy._core."+sub
}

func (p *unpickler) global(f pickleFunc) error {
	switch {
	case numpyCore(f.module, "multiarray") && f.name == "_reconstruct",
		numpyCore(f.module, "numeric") && f.name == "_frombuffer",
		f.module == "numpy" && (f.name == "ndarray" || f.name == "dtype"),
		f.module == "_codecs" && f.name == "encode",
		(f.module == "__builtin__" || f.module == "builtins") && f.name == "bytes":
		p.push(f)
		return nil
	}
	return p.errorf("the file asks to run %s.%s; only numpy arrays are read", f.module, f.name)
}

func (p *unpickler) call(f, args any) error {
	fn, ok := f.(pickleFunc)
	t, ok2 := args.(pickleTuple)
	if !ok || !ok2 {
		return p.errorf("calling a %s with a %s", pickleKind(f), pickleKind(args))
	}
	switch {
	case fn.name == "_reconstruct":
		p.push(&pickleArray{})
		return nil
	case fn.name == "dtype" && len(t) >= 1:
		code, ok := pickleText(t[0])
		if ok {
			p.push(&pickleType{code})
			return nil
		}
	case fn.name == "bytes" && len(t) == 0:
		p.push([]byte(nil))
		return nil
	case fn.name == "encode" && len(t) == 2:
		s, ok := t[0].(string)
		enc, ok2 := pickleText(t[1])
		if ok && ok2 && enc == "latin1" {
			if p.encoded += len(s); p.encoded > len(p.data) {
				return p.errorf("more text is encoded than the file holds")
			}
			b := make([]byte, 0, len(s))
			for _, r := range s {
				if r > 255 {
					return p.errorf("character %q is not Latin-1", r)
				}
				b = append(b, byte(r))
			}
			p.push(b)
			return nil
		}
	case fn.name == "_frombuffer" && len(t) == 4:
		a := &pickleArray{}
		data, ok1 := t[0].([]byte)
		dtype, ok2 := t[1].(*pickleType)
		shape, ok3 := pickleShape(t[2])
		order, ok4 := pickleText(t[3])
		if ok1 && ok2 && ok3 && ok4 {
			a.data, a.dtype, a.shape, a.fortran = data, dtype.code, shape, order == "F"
			p.push(a)
			return nil
		}
	}
	return p.errorf("%s.%s is called with arguments that make no array", fn.module, fn.name)
}

// build sets the state of a numpy array, (version, shape, dtype, fortran, bytes),
// or of a dtype, whose state matters only for byte order and records.
func (p *unpickler) build(v, state any) error {
	t, ok := state.(pickleTuple)
	if !ok {
		return p.errorf("a state that is a %s", pickleKind(state))
	}
	switch v := v.(type) {
	case *pickleType:
		if len(t) >= 2 {
			if order, ok := pickleText(t[1]); ok && order == ">" {
				return p.errorf("an array of big-endian numbers")
			}
		}
		return nil
	case *pickleArray:
		if len(t) == 5 {
			shape, ok1 := pickleShape(t[1])
			dtype, ok2 := t[2].(*pickleType)
			fortran, ok3 := pickleTruth(t[3])
			data, ok4 := t[4].([]byte)
			if ok1 && ok2 && ok3 && ok4 {
				v.shape, v.dtype, v.fortran, v.data = shape, dtype.code, fortran, data
				return nil
			}
		}
	}
	return p.errorf("setting the state of a %s", pickleKind(v))
}

func pickleText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		if len(v) <= 64 {
			return string(v), true
		}
	}
	return "", false
}

func pickleTruth(v any) (bool, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v != 0, true
	}
	return false, false
}

func pickleShape(v any) ([]int64, bool) {
	t, ok := v.(pickleTuple)
	if !ok || len(t) > 8 {
		return nil, false
	}
	shape := make([]int64, len(t))
	for i := range t {
		if shape[i], ok = t[i].(int64); !ok {
			return nil, false
		}
	}
	return shape, true
}
