package pjrt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"unsafe"
)

// Executable is a program compiled and loaded on one device.
type Executable struct {
	Outputs int // number of results

	client *Client
	handle uintptr
}

// CompileOnce is Compile for programs that live as long as the client: the same text is compiled once for a
// device, also when several goroutines ask at the same time. Nobody destroys the result.
func (c *Client) CompileOnce(stablehlo string, d Device) (*Executable, error) {
	key := programKey{sha256.Sum256([]byte(stablehlo)), d.handle}
	c.mu.Lock()
	compile, ok := c.programs[key]
	if !ok {
		compile = sync.OnceValues(func() (*Executable, error) { return c.Compile(stablehlo, d) })
		if c.programs == nil {
			c.programs = map[programKey]func() (*Executable, error){}
		}
		c.programs[key] = compile
	}
	c.mu.Unlock()
	return compile()
}

type programKey struct {
	text   [sha256.Size]byte
	device uintptr
}

// Compile compiles a StableHLO program in MLIR text (or bytecode) for one device.
// Arguments that the program marks with tf.aliasing_output or jax.buffer_donor are
// donated when it runs.
func (c *Client) Compile(stablehlo string, d Device) (*Executable, error) {
	device := slices.IndexFunc(c.Devices, func(x Device) bool { return x.handle == d.handle })
	if device < 0 {
		panic("pjrt: Compile: the device belongs to another client")
	}
	if stablehlo == "" {
		panic("pjrt: Compile: empty program")
	}
	// MLIR's lexer stops at a NUL, not at the size it is given: without one behind
	// the text it reads on through Go's heap, and an error message crashes.
	code, format, options := append([]byte(stablehlo), 0), []byte("mlir"), compileOptions(d.ID, c.Overrides)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&code[0])
	pin.Pin(&format[0])
	pin.Pin(&options[0])
	prog := &program{header: header{structSize: unsafe.Sizeof(program{})}, code: unsafe.Pointer(&code[0]), codeSize: uintptr(len(stablehlo)),
		format: unsafe.Pointer(&format[0]), formatSize: uintptr(len(format))}
	pin.Pin(prog)
	args := &clientCompileArgs{client: c.alive(), program: unsafe.Pointer(prog), options: unsafe.Pointer(&options[0]), optionsSize: uintptr(len(options))}
	if err := invoke(c.Plugin, fnClientCompile, "PJRT_Client_Compile", args); err != nil {
		return nil, err
	}
	e := &Executable{client: c, handle: args.executable}
	get := &loadedExecutableGetExecutableArgs{loaded: e.handle}
	if err := invoke(c.Plugin, fnLoadedExecutableGetExecutable, "PJRT_LoadedExecutable_GetExecutable", get); err != nil {
		e.Destroy()
		return nil, err
	}
	count := &executableNumOutputsArgs{executable: get.executable}
	err := invoke(c.Plugin, fnExecutableNumOutputs, "PJRT_Executable_NumOutputs", count)
	if destroyErr := invoke(c.Plugin, fnExecutableDestroy, "PJRT_Executable_Destroy", &executableArgs{executable: get.executable}); err == nil {
		err = destroyErr
	}
	if err != nil {
		e.Destroy()
		return nil, err
	}
	e.Outputs = int(count.numOutputs)
	return e, nil
}

// Run starts the program on the arguments and returns its results, which may not
// be computed yet ([Buffer.Await], [ToHost]). Arguments that the program donates
// are gone afterwards: their memory holds results, and only Destroy may be called on
// them. Several goroutines may run an Executable, each on arguments of its own.
func (e *Executable) Run(arguments ...*Buffer) ([]*Buffer, error) {
	if e.handle == 0 {
		panic("pjrt: Executable: used after Destroy")
	}
	handles, outputs := make([]uintptr, max(len(arguments), 1)), make([]uintptr, max(e.Outputs, 1))
	for i, b := range arguments {
		handles[i] = b.alive()
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&handles[0])
	pin.Pin(&outputs[0])
	argumentLists := &[1]unsafe.Pointer{unsafe.Pointer(&handles[0])}
	outputLists := &[1]unsafe.Pointer{unsafe.Pointer(&outputs[0])}
	options := &executeOptions{header: header{structSize: unsafe.Sizeof(executeOptions{})}}
	pin.Pin(argumentLists)
	pin.Pin(outputLists)
	pin.Pin(options)
	args := &loadedExecutableExecuteArgs{executable: e.handle, options: unsafe.Pointer(options), argumentLists: unsafe.Pointer(argumentLists),
		numDevices: 1, numArgs: uintptr(len(arguments)), outputLists: unsafe.Pointer(outputLists)}
	if err := invoke(e.client.Plugin, fnLoadedExecutableExecute, "PJRT_LoadedExecutable_Execute", args); err != nil {
		return nil, err
	}
	results := make([]*Buffer, e.Outputs)
	for i := range results {
		results[i] = &Buffer{e.client, outputs[i]}
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

// compileOptions is a serialised xla.CompileOptionsProto: executable_build_options
// (field 3) with device_ordinal (1), num_replicas (4), num_partitions (5) and the
// device assignment (9) that puts the one replica on the device; and
// env_option_overrides (7), a map from a flag's name to its value.
func compileOptions(device int, overrides map[string]string) []byte {
	// DeviceAssignmentProto: replica_count = 1, computation_count = 1,
	// computation_devices = {replica_device_ids = [device]}.
	assignment := slices.Concat([]byte{0x08, 1, 0x10, 1}, field(3, field(1, varint(uint64(device)))))
	build := slices.Concat([]byte{0x08}, varint(1<<64-1), // device_ordinal = -1: from the assignment
		[]byte{0x20, 1, 0x28, 1}, field(9, assignment))
	options := field(3, build)
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		value := field(1, []byte(overrides[name])) // OptionOverrideProto.string_field
		options = append(options, field(7, slices.Concat(field(1, []byte(name)), field(2, value)))...)
	}
	return options
}

// field is a length-delimited protobuf field.
func field(number int, content []byte) []byte {
	return slices.Concat([]byte{byte(number<<3 | 2)}, varint(uint64(len(content))), content)
}

func varint(x uint64) []byte { return binary.AppendUvarint(nil, x) }
