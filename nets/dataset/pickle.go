package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxValues bounds the values that a pickle may make, and those that it may remember: CIFAR-100's training file has
// about 400,000.
const maxValues = 1 << 20

// unpickle reads the part of Python's pickle format (protocols 0 to 5; Lib/pickletools.py
// in CPython) that a batch of CIFAR is written in: dictionaries, lists, tuples, strings,
// integers and numpy arrays. It runs nothing: of the callables a pickle may name only those
// that build a numpy array are known, and any other is an error.
//
// Strings and array contents are slices of data, but for those that Python 3 writes at
// protocols 0 to 2: as a text, decoded at most once for each byte of data. With at most
// maxValues values, memory is at most three times the length of data and 256 bytes for
// each value.
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
	values  int // pushed so far
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

// unsigned reads an unsigned little-endian integer of n bytes.
func (p *unpickler) unsigned(n int) (uint64, error) {
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
	size, err := p.unsigned(n)
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

func (p *unpickler) push(v any) error {
	if p.values++; p.values > maxValues {
		return p.errorf("more than %d values: a batch of images has fewer", maxValues)
	}
	p.stack = append(p.stack, v)
	return nil
}

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
		p.stack = append(p.stack, v) // back
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
	for _, family := range []func(byte) (bool, error){p.number, p.text, p.container, p.remember, p.callable} {
		if known, err := family(op); known || err != nil {
			return err
		}
	}
	var err error
	switch op {
	case 0x80: // PROTO
		var n uint64
		if n, err = p.unsigned(1); err == nil && n > 5 {
			err = p.errorf("protocol %d, at most 5 is known", n)
		}
	case 0x95: // FRAME
		_, err = p.take(8)
	case 'N': // NONE
		err = p.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		err = p.push(op == 0x88)
	case '0': // POP
		if len(p.stack) == 0 {
			return p.errorf("the stack is empty")
		}
		p.stack = p.stack[:len(p.stack)-1]
	default:
		err = p.errorf("opcode %#02x is not one that a batch of images uses", op)
	}
	return err
}

// number executes the opcodes that push a number.
func (p *unpickler) number(op byte) (known bool, err error) {
	switch op {
	case 'K', 'M', 'J': // BININT1, BININT2, BININT
		n, err := p.unsigned(map[byte]int{'K': 1, 'M': 2, 'J': 4}[op])
		if err != nil {
			return true, err
		}
		v := int64(n)
		if op == 'J' {
			v = int64(int32(n))
		}
		return true, p.push(v)
	case 0x8a: // LONG1
		b, err := p.sized(1)
		if err != nil {
			return true, err
		}
		if len(b) > 8 {
			return true, p.errorf("an integer of %d bytes", len(b))
		}
		return true, p.push(signed(b))
	case 'I', 'L': // INT, LONG: decimal digits, LONG's with an L behind; 00 and 01 are the truth values
		s, err := p.line()
		if err != nil {
			return true, err
		}
		if op == 'I' && (s == "00" || s == "01") {
			return true, p.push(s == "01")
		}
		if op == 'L' {
			s = strings.TrimSuffix(s, "L")
		}
		v, bad := strconv.ParseInt(s, 10, 64)
		if bad != nil {
			return true, p.errorf("integer %.20q", s)
		}
		return true, p.push(v)
	case 'G': // BINFLOAT
		b, err := p.take(8)
		if err != nil {
			return true, err
		}
		return true, p.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
	return false, nil
}

// signed is a little-endian two's complement integer of at most 8 bytes.
func signed(b []byte) int64 {
	v := int64(0)
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	if k := len(b); k > 0 && k < 8 && b[k-1]&0x80 != 0 {
		v -= 1 << (8 * k)
	}
	return v
}

// text executes the opcodes that push a string or bytes.
func (p *unpickler) text(op byte) (known bool, err error) {
	size, utf := 0, false
	switch op {
	case 'U', 'C': // SHORT_BINSTRING, SHORT_BINBYTES
		size = 1
	case 'T', 'B': // BINSTRING, BINBYTES
		size = 4
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		size = 8
	case 0x8c: // SHORT_BINUNICODE
		size, utf = 1, true
	case 'X': // BINUNICODE
		size, utf = 4, true
	case 0x8d: // BINUNICODE8
		size, utf = 8, true
	case 'V': // UNICODE
		s, err := p.line()
		if err != nil {
			return true, err
		}
		if s, err = p.unescape(s); err != nil {
			return true, err
		}
		return true, p.push(s)
	default:
		return false, nil
	}
	b, err := p.sized(size)
	switch {
	case err != nil:
		return true, err
	case !utf:
		return true, p.push(b)
	case !utf8.Valid(b):
		return true, p.errorf("a text that is not UTF-8")
	}
	return true, p.push(string(b))
}

// unescape decodes Python's raw-unicode-escape, in which protocol 0 writes texts: a
// byte is a Latin-1 character, but for \uXXXX and \UXXXXXXXX.
func (p *unpickler) unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		digits := 0
		if s[i] == '\\' && i+1 < len(s) {
			digits = map[byte]int{'u': 4, 'U': 8}[s[i+1]]
		}
		if digits == 0 {
			b.WriteRune(rune(s[i]))
			continue
		}
		if i+2+digits > len(s) {
			return "", p.errorf("an escape that is cut short")
		}
		r, err := strconv.ParseUint(s[i+2:i+2+digits], 16, 32)
		if err != nil || r > utf8.MaxRune {
			return "", p.errorf("escape %.10q", s[i:i+2+digits])
		}
		b.WriteRune(rune(r))
		i += 1 + digits
	}
	return b.String(), nil
}

// container executes the opcodes that make and fill dictionaries, lists and tuples.
func (p *unpickler) container(op byte) (known bool, err error) {
	switch op {
	case '(': // MARK
		return true, p.push(pickleMark{})
	case '}': // EMPTY_DICT
		return true, p.push(&pickleDict{})
	case ']': // EMPTY_LIST
		return true, p.push(&pickleList{})
	case ')': // EMPTY_TUPLE
		return true, p.push(pickleTuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		t := make(pickleTuple, int(op-0x84))
		for i := len(t) - 1; i >= 0; i-- {
			if t[i], err = p.pop(); err != nil {
				return true, err
			}
		}
		return true, p.push(t)
	case 't', 'l', 'd', 'e', 'u': // TUPLE, LIST, DICT, APPENDS, SETITEMS: of what lies above the mark
		items, err := p.popMark()
		if err != nil {
			return true, err
		}
		switch op {
		case 't':
			return true, p.push(pickleTuple(items))
		case 'l':
			return true, p.push(&pickleList{items})
		case 'e':
			return true, p.extend(items)
		case 'd':
			if err := p.push(&pickleDict{}); err != nil {
				return true, err
			}
		}
		return true, p.set(items)
	case 'a': // APPEND
		v, err := p.pop()
		if err != nil {
			return true, err
		}
		return true, p.extend([]any{v})
	case 's': // SETITEM
		v, err := p.pop()
		if err != nil {
			return true, err
		}
		k, err := p.pop()
		if err != nil {
			return true, err
		}
		return true, p.set([]any{k, v})
	}
	return false, nil
}

// remember executes the opcodes of the memo.
func (p *unpickler) remember(op byte) (known bool, err error) {
	var i uint64
	switch op {
	case 'q', 'h': // BINPUT, BINGET
		i, err = p.unsigned(1)
	case 'r', 'j': // LONG_BINPUT, LONG_BINGET
		i, err = p.unsigned(4)
	case 0x94: // MEMOIZE
		i = uint64(len(p.memo))
	case 'p', 'g': // PUT, GET
		var s string
		if s, err = p.line(); err == nil {
			var bad error
			if i, bad = strconv.ParseUint(s, 10, 32); bad != nil {
				err = p.errorf("memo %.20q", s)
			}
		}
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if op != 'h' && op != 'j' && op != 'g' {
		return true, p.put(uint32(i))
	}
	v, ok := p.memo[uint32(i)]
	if !ok {
		return true, p.errorf("memo %d is not set", i)
	}
	return true, p.push(v)
}

// callable executes the opcodes that name, call and build.
func (p *unpickler) callable(op byte) (known bool, err error) {
	var f pickleFunc
	switch op {
	case 'c': // GLOBAL
		if f.module, err = p.line(); err != nil {
			return true, err
		}
		if f.name, err = p.line(); err != nil {
			return true, err
		}
		return true, p.global(f)
	case 0x93, 'R', 'b': // STACK_GLOBAL, REDUCE, BUILD: of the two values on top
	default:
		return false, nil
	}
	second, err := p.pop()
	if err != nil {
		return true, err
	}
	first, err := p.pop()
	if err != nil {
		return true, err
	}
	switch op {
	case 'R':
		return true, p.call(first, second)
	case 'b':
		if err := p.build(first, second); err != nil {
			return true, err
		}
		return true, p.push(first)
	}
	var ok1, ok2 bool
	f.module, ok1 = first.(string)
	f.name, ok2 = second.(string)
	if !ok1 || !ok2 {
		return true, p.errorf("a callable whose name is not a text")
	}
	return true, p.global(f)
}

func (p *unpickler) put(i uint32) error {
	v, err := p.top()
	if err != nil {
		return err
	}
	if _, again := p.memo[i]; !again && len(p.memo) == maxValues {
		return p.errorf("more than %d values are remembered: a batch of images has fewer", maxValues)
	}
	p.memo[i] = v
	return nil
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
	if !ok {
		return p.errorf("setting items of a %s", pickleKind(v))
	}
	if len(items)%2 != 0 {
		return p.errorf("a key without a value, in a list of %d keys and values", len(items))
	}
	for i := 0; i < len(items); i += 2 {
		d.keys = append(d.keys, items[i])
		d.values = append(d.values, items[i+1])
	}
	return nil
}

// numpyCore reports whether a module is the one that NumPy calls numpy.core.SUB, or since version 2 numpy._core.SUB.
func numpyCore(module, sub string) bool {
	return module == "numpy.core."+sub || module == "numpy._core."+sub
}

// integers returns the little-endian numbers in data; ok is false if the type is not one of integers.
func (t *pickleType) integers(data []byte) ([]int64, bool) {
	size, ok := map[string]int{"i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4}[t.code]
	if !ok || len(data)%size != 0 {
		return nil, false
	}
	v := make([]int64, len(data)/size)
	for i := range v {
		b := data[i*size:][:size]
		if v[i] = signed(b); t.code[0] == 'u' && v[i] < 0 {
			v[i] += 1 << (8 * size)
		}
	}
	return v, true
}

func (p *unpickler) global(f pickleFunc) error {
	switch {
	case numpyCore(f.module, "multiarray") && f.name == "_reconstruct",
		numpyCore(f.module, "multiarray") && f.name == "scalar",
		numpyCore(f.module, "numeric") && f.name == "_frombuffer",
		f.module == "numpy" && (f.name == "ndarray" || f.name == "dtype"),
		f.module == "_codecs" && f.name == "encode",
		(f.module == "__builtin__" || f.module == "builtins") && f.name == "bytes":
		return p.push(f)
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
		return p.push(&pickleArray{})
	case fn.name == "dtype" && len(t) >= 1:
		code, ok := pickleText(t[0])
		if ok {
			return p.push(&pickleType{code})
		}
	case fn.name == "bytes" && len(t) == 0:
		return p.push([]byte(nil))
	case fn.name == "encode" && len(t) == 2:
		s, ok := t[0].(string)
		enc, ok2 := pickleText(t[1])
		if ok && ok2 && enc == "latin1" {
			if p.encoded += utf8.RuneCountInString(s); p.encoded > len(p.data) {
				return p.errorf("more text is encoded than the file holds")
			}
			b := make([]byte, 0, utf8.RuneCountInString(s))
			for _, r := range s {
				if r > 255 {
					return p.errorf("character %q is not Latin-1", r)
				}
				b = append(b, byte(r))
			}
			return p.push(b)
		}
	case fn.name == "scalar" && len(t) == 2:
		dtype, ok1 := t[0].(*pickleType)
		data, ok2 := t[1].([]byte)
		if ok1 && ok2 {
			if v, ok := dtype.integers(data); ok && len(v) == 1 {
				return p.push(v[0])
			}
		}
	case fn.name == "_frombuffer" && len(t) == 4:
		a := &pickleArray{}
		data, ok1 := t[0].([]byte)
		dtype, ok2 := t[1].(*pickleType)
		shape, ok3 := pickleShape(t[2])
		order, ok4 := pickleText(t[3])
		if ok1 && ok2 && ok3 && ok4 {
			a.data, a.dtype, a.shape, a.fortran = data, dtype.code, shape, order == "F"
			return p.push(a)
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

// pickleNumbers returns the integers of a list, a tuple or a numpy array of one dimension; ok is false for anything else.
func pickleNumbers(v any) ([]int64, bool) {
	var items []any
	switch v := v.(type) {
	case *pickleList:
		items = v.items
	case pickleTuple:
		items = v
	case *pickleArray:
		if len(v.shape) != 1 {
			return nil, false
		}
		n, ok := (&pickleType{v.dtype}).integers(v.data)
		return n, ok && int64(len(n)) == v.shape[0]
	default:
		return nil, false
	}
	n := make([]int64, len(items))
	for i, item := range items {
		k, ok := item.(int64)
		if !ok {
			return nil, false
		}
		n[i] = k
	}
	return n, true
}
