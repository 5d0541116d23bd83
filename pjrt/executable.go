package pjrt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// Executable is a program compiled and loaded on one device or, cut into partitions, on several.
type Executable struct {
	Outputs int // number of results
	Devices int // that it runs on

	client *Client
	handle uintptr
}

// CompileOnce is Compile for programs that live as long as the client: the same text is compiled once for the same
// devices, also when several goroutines ask at the same time. Nobody destroys the result.
func (c *Client) CompileOnce(stablehlo string, devices ...Device) (*Executable, error) {
	key := programKey{sha256.Sum256([]byte(stablehlo)), fmt.Sprint(devices)}
	c.mu.Lock()
	compile, ok := c.programs[key]
	if !ok {
		compile = sync.OnceValues(func() (*Executable, error) {
			if c.origin != nil {
				return c.loadFrom(c.origin, stablehlo, devices)
			}
			return c.Compile(stablehlo, devices...)
		})
		if c.programs == nil {
			c.programs = map[programKey]func() (*Executable, error){}
		}
		c.programs[key] = compile
	}
	c.mu.Unlock()
	return compile()
}

type programKey struct {
	text    [sha256.Size]byte
	devices string
}

// Compile compiles a StableHLO program in MLIR text (or bytecode) for one device, or for several: then XLA cuts it into as many
// partitions where the program asks for it (custom_call @Sharding) and puts in what they have to tell each other; arguments and
// results are whole on each device.
// Arguments that the program marks with tf.aliasing_output or jax.buffer_donor are
// donated when it runs.
func (c *Client) Compile(stablehlo string, devices ...Device) (*Executable, error) {
	var ids []int
	for _, d := range devices {
		if !slices.Contains(c.Devices, d) || slices.Contains(ids, d.ID) {
			panic("pjrt: Compile: a device of another client, or one twice")
		}
		ids = append(ids, d.ID)
	}
	if len(ids) == 0 {
		panic("pjrt: Compile: no device")
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	args := &clientCompileArgs{client: c.alive(), program: unsafe.Pointer(pinProgram(&pin, stablehlo))}
	if err := withOptions(ids, c.Overrides, func(options []byte) error {
		pin.Pin(&options[0])
		args.options, args.optionsSize = unsafe.Pointer(&options[0]), uintptr(len(options))
		return invoke(c.Plugin, fnClientCompile, "PJRT_Client_Compile", args)
	}); err != nil {
		return nil, err
	}
	e := &Executable{Devices: len(devices), client: c, handle: args.executable}
	if err := e.unloaded(func(executable uintptr) error {
		count := &executableNumOutputsArgs{executable: executable}
		err := invoke(c.Plugin, fnExecutableNumOutputs, "PJRT_Executable_NumOutputs", count)
		e.Outputs = int(count.numOutputs)
		return err
	}); err != nil {
		e.Destroy()
		return nil, err
	}
	return e, nil
}

// unloaded calls f with the program apart from the devices that it is loaded on.
func (e *Executable) unloaded(f func(executable uintptr) error) error {
	get := &loadedExecutableGetExecutableArgs{loaded: e.handle}
	if err := invoke(e.client.Plugin, fnLoadedExecutableGetExecutable, "PJRT_LoadedExecutable_GetExecutable", get); err != nil {
		return err
	}
	err := f(get.executable)
	if destroyErr := invoke(e.client.Plugin, fnExecutableDestroy, "PJRT_Executable_Destroy", &executableArgs{executable: get.executable}); err == nil {
		err = destroyErr
	}
	return err
}

// loadFrom loads a program that another client of the plug-in has compiled, or compiles now, on the same devices.
func (c *Client) loadFrom(other *Client, stablehlo string, devices []Device) (*Executable, error) {
	var theirs []Device
	for _, d := range devices {
		at := slices.Index(c.Devices, d)
		if at < 0 {
			panic("pjrt: CompileOnce: a device of another client")
		}
		theirs = append(theirs, other.Devices[at])
	}
	compiled, err := other.CompileOnce(stablehlo, theirs...)
	if err != nil {
		return nil, err
	}
	e := &Executable{Outputs: compiled.Outputs, Devices: compiled.Devices, client: c}
	err = compiled.unloaded(func(executable uintptr) error {
		code := &executableSerializeArgs{executable: executable}
		if err := invoke(c.Plugin, fnExecutableSerialize, "PJRT_Executable_Serialize", code); err != nil {
			return err
		}
		defer call(code.deleter, code.owner)
		load := &executableDeserializeAndLoadArgs{client: c.alive(), text: foreign(code.text), size: code.size}
		err := invoke(c.Plugin, fnExecutableDeserializeAndLoad, "PJRT_Executable_DeserializeAndLoad", load)
		e.handle = load.executable
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pjrt: the plug-in %s does not hand a program from one client to another: %w", c.Plugin.Path, err)
	}
	return e, nil
}

// pinProgram is StableHLO text (or bytecode) as the plug-in reads it.
func pinProgram(pin *runtime.Pinner, stablehlo string) *program {
	if stablehlo == "" {
		panic("pjrt: Compile: empty program")
	}
	// MLIR's lexer stops at a NUL, not at the size it is given: without one behind
	// the text it reads on through Go's heap, and an error message crashes.
	code, format := append([]byte(stablehlo), 0), []byte("mlir")
	pin.Pin(&code[0])
	pin.Pin(&format[0])
	p := &program{header: header{structSize: unsafe.Sizeof(program{})}, code: unsafe.Pointer(&code[0]), codeSize: uintptr(len(stablehlo)),
		format: unsafe.Pointer(&format[0]), formatSize: uintptr(len(format))}
	pin.Pin(p)
	return p
}

// Run starts the program on the arguments and returns its results, which may not
// be computed yet ([ToHost]). Arguments that the program donates
// are gone afterwards: their memory holds results, and only Destroy may be called on
// them. Several goroutines may run an Executable, each on arguments of its own.
func (e *Executable) Run(arguments ...*Buffer) ([]*Buffer, error) {
	if e.handle == 0 {
		panic("pjrt: Executable: used after Destroy")
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	// A list of arguments and one of results for each device.
	argumentLists, outputLists := make([]unsafe.Pointer, e.Devices), make([]unsafe.Pointer, e.Devices)
	outputs := make([][]uintptr, e.Devices)
	for d := range e.Devices {
		handles := make([]uintptr, max(len(arguments), 1))
		for i, b := range arguments {
			if len(b.copies) != e.Devices-1 {
				panic(fmt.Sprintf("pjrt: Executable.Run: argument %d is on %d devices, the program on %d", i, len(b.copies)+1, e.Devices))
			}
			if d > 0 {
				b = b.copies[d-1]
			}
			handles[i] = b.alive()
		}
		outputs[d] = make([]uintptr, max(e.Outputs, 1))
		pin.Pin(&handles[0])
		pin.Pin(&outputs[d][0])
		argumentLists[d], outputLists[d] = unsafe.Pointer(&handles[0]), unsafe.Pointer(&outputs[d][0])
	}
	options := &executeOptions{header: header{structSize: unsafe.Sizeof(executeOptions{})}}
	pin.Pin(&argumentLists[0])
	pin.Pin(&outputLists[0])
	pin.Pin(options)
	args := &loadedExecutableExecuteArgs{executable: e.handle, options: unsafe.Pointer(options), argumentLists: unsafe.Pointer(&argumentLists[0]),
		numDevices: uintptr(e.Devices), numArgs: uintptr(len(arguments)), outputLists: unsafe.Pointer(&outputLists[0])}
	if err := invoke(e.client.Plugin, fnLoadedExecutableExecute, "PJRT_LoadedExecutable_Execute", args); err != nil {
		return nil, err
	}
	results := make([]*Buffer, e.Outputs)
	for i := range results {
		results[i] = &Buffer{client: e.client, handle: outputs[0][i]}
		for _, other := range outputs[1:] {
			results[i].copies = append(results[i].copies, &Buffer{client: e.client, handle: other[i]})
		}
	}
	return results, nil
}

// Destroy unloads the program. A second call does nothing.
func (e *Executable) Destroy() {
	if e == nil || e.handle == 0 {
		return
	}
	args := &executableArgs{executable: e.handle}
	e.handle = 0
	if err := invoke(e.client.Plugin, fnLoadedExecutableDestroy, "PJRT_LoadedExecutable_Destroy", args); err != nil {
		panic(fmt.Sprintf("pjrt: Executable: Destroy: %v", err))
	}
}

// withOptions compiles with the overrides, and again without those of command buffers that the plug-in's error names, if it does not know them.
func withOptions(devices []int, overrides map[string]any, compile func(options []byte) error) error {
	for {
		err := compile(compileOptions(devices, overrides))
		unknown := slices.IndexFunc(graphFlags, func(name string) bool {
			return err != nil && overrides[name] != nil && strings.Contains(err.Error(), name)
		})
		if unknown < 0 {
			return err
		}
		overrides = maps.Clone(overrides)
		delete(overrides, graphFlags[unknown])
	}
}

// compileOptions is a serialised xla.CompileOptionsProto: executable_build_options
// (field 3) with device_ordinal (1), num_replicas (4), num_partitions (5), use_spmd_partitioning (6) if there are several, and the
// device assignment (9) that puts each partition of the one replica on its device; and
// env_option_overrides (7), a map from a flag's name to its value.
func compileOptions(devices []int, overrides map[string]any) []byte {
	partitions := varint(uint64(len(devices)))
	// DeviceAssignmentProto: replica_count = 1, computation_count, and for each
	// computation_devices = {replica_device_ids = [device]}.
	assignment := slices.Concat([]byte{0x08, 1, 0x10}, partitions)
	for _, d := range devices {
		assignment = append(assignment, field(3, field(1, varint(uint64(d))))...)
	}
	build := slices.Concat([]byte{0x08}, varint(1<<64-1), // device_ordinal = -1: from the assignment
		[]byte{0x20, 1, 0x28}, partitions)
	if len(devices) > 1 {
		build = append(build, 0x30, 1)
	}
	build = append(build, field(9, assignment)...)
	options := field(3, build)
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		var value []byte // OptionOverrideProto: string_field (1), bool_field (2)
		switch x := overrides[name].(type) {
		case string:
			value = field(1, []byte(x))
		case bool:
			value = []byte{0x10, 0}
			if x {
				value[1] = 1
			}
		default:
			panic(fmt.Sprintf("pjrt: Client.Overrides: %s has type %T: want string or bool", name, x))
		}
		options = append(options, field(7, slices.Concat(field(1, []byte(name)), field(2, value)))...)
	}
	return options
}

// field is a length-delimited protobuf field.
func field(number int, content []byte) []byte {
	return slices.Concat([]byte{byte(number<<3 | 2)}, varint(uint64(len(content))), content)
}

func varint(x uint64) []byte { return binary.AppendUvarint(nil, x) }
