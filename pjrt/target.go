package pjrt

import (
	"runtime"
	"unsafe"
)

// Target is a device that programs are compiled for without having one: a plug-in's compiler says what it makes of a
// program on a machine without the device.
type Target struct {
	Overrides map[string]any // XLA flags, as [Client] has them

	plugin *Plugin
	handle uintptr
}

// NewTarget describes the device by the platform's own options: for CUDA target_config, the text of an XLA GpuTargetConfigProto,
// and topology, "1x1x1" for one device. The types of values are those of [Plugin.NewClient].
func (p *Plugin) NewTarget(options map[string]any) (*Target, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	named, err := pinOptions(&pin, options)
	if err != nil {
		return nil, err
	}
	args := &topologyCreateArgs{options: unsafe.Pointer(unsafe.SliceData(named)), numOptions: uintptr(len(named))}
	if err := invoke(p, fnTopologyDescriptionCreate, "PJRT_TopologyDescription_Create", args); err != nil {
		return nil, err
	}
	return &Target{p.overrides(), p, args.topology}, nil
}

// Compile returns what the compiler made of a StableHLO program for one device: a serialised HloModuleProtoWithConfig.
func (t *Target) Compile(stablehlo string) ([]byte, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	args := &compileArgs{topology: t.handle, program: unsafe.Pointer(pinProgram(&pin, stablehlo))}
	if err := withOptions([]int{0}, t.Overrides, func(options []byte) error {
		pin.Pin(&options[0])
		args.options, args.optionsSize = unsafe.Pointer(&options[0]), uintptr(len(options))
		return invoke(t.plugin, fnCompile, "PJRT_Compile", args)
	}); err != nil {
		return nil, err
	}
	defer void(t.plugin, fnExecutableDestroy, &executableArgs{executable: args.executable})
	// The first call gives the size.
	optimized := &program{header: header{structSize: unsafe.Sizeof(program{})}}
	pin.Pin(optimized)
	get := &executableOptimizedProgramArgs{executable: args.executable, program: unsafe.Pointer(optimized)}
	if err := invoke(t.plugin, fnExecutableOptimizedProgram, "PJRT_Executable_OptimizedProgram", get); err != nil {
		return nil, err
	}
	code := make([]byte, optimized.codeSize)
	optimized.code = unsafe.Pointer(unsafe.SliceData(code))
	pin.Pin(optimized.code)
	return code, invoke(t.plugin, fnExecutableOptimizedProgram, "PJRT_Executable_OptimizedProgram", get)
}

// Destroy frees the description. A second call does nothing.
func (t *Target) Destroy() {
	if t.handle != 0 {
		void(t.plugin, fnTopologyDescriptionDestroy, &topologyArgs{topology: t.handle})
		t.handle = 0
	}
}
