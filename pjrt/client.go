package pjrt

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// Client is a running plug-in with its devices. It owns its devices; buffers and
// executables must be destroyed before it.
type Client struct {
	Plugin          *Plugin
	Platform        string // "cpu", "cuda", "rocm", "tpu"
	PlatformVersion string // for example the versions of CUDA and its libraries
	Devices         []Device

	// Overrides are XLA flags, without dashes, for this client's compilations; values are string or bool. NewClient sets, for GPUs,
	//   - xla_gpu_exclude_nondeterministic_ops, without which two runs of one program may differ in the last places;
	//   - for NVIDIA's, xla_gpu_enable_command_buffer, so that convolutions, too, are recorded in CUDA graphs: a training step is then one
	//     graph, which the host starts with one call; and xla_gpu_command_buffer_scheduling_mode, so that what does not depend on each other
	//     runs side by side in it, the two gradients of a convolution for example. A plug-in that does not know one of the names compiles without;
	//   - xla_gpu_cuda_data_dir where the plug-in's wheel stands beside NVIDIA's, as JAX does.
	//
	// A flag that the environment variable XLA_FLAGS names is left to it.
	Overrides map[string]any

	handle  uintptr
	options map[string]any // of NewClient
	origin  *Client        // of which this one was made by Beside

	mu       sync.Mutex
	programs map[programKey]func() (*Executable, error) // of CompileOnce
}

// Device is one addressable device of a client.
type Device struct {
	ID   int
	Kind string // for example "NVIDIA H100 80GB HBM3"

	handle uintptr
}

// NewClient starts the plug-in. options are the platform's own settings, for
// example {"preallocate": false} on a GPU; values are string, int64, float32 or bool.
func (p *Plugin) NewClient(options map[string]any) (*Client, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	named, err := pinOptions(&pin, options)
	if err != nil {
		return nil, err
	}
	create := &clientCreateArgs{createOptions: unsafe.Pointer(unsafe.SliceData(named)), numOptions: uintptr(len(named))}
	if err := invoke(p, fnClientCreate, "PJRT_Client_Create", create); err != nil {
		return nil, fmt.Errorf("the plug-in %s is there but finds no device it can use: %w", p.Path, err)
	}
	c := &Client{Plugin: p, handle: create.client, options: options, Overrides: p.overrides()}
	name := &clientStringArgs{client: c.handle}
	if err := invoke(p, fnClientPlatformName, "PJRT_Client_PlatformName", name); err != nil {
		return nil, err
	}
	c.Platform = foreignString(name.text, name.size)
	version := &clientStringArgs{client: c.handle}
	if err := invoke(p, fnClientPlatformVersion, "PJRT_Client_PlatformVersion", version); err != nil {
		return nil, err
	}
	c.PlatformVersion = foreignString(version.text, version.size)
	devices := &clientDevicesArgs{client: c.handle}
	if err := invoke(p, fnClientAddressableDevices, "PJRT_Client_AddressableDevices", devices); err != nil {
		return nil, err
	}
	if devices.numDevices == 0 {
		return nil, fmt.Errorf("pjrt: the plug-in %s has no addressable device", p.Path)
	}
	for _, handle := range unsafe.Slice((*uintptr)(foreign(devices.devices)), devices.numDevices) {
		d, err := p.describe(handle)
		if err != nil {
			return nil, err
		}
		c.Devices = append(c.Devices, d)
	}
	return c, nil
}

// Beside starts another client with c's options. On a GPU a client has one compute stream for each device, so that what two clients run can run side by side. What the other one's CompileOnce returns was
// compiled by c: both run the same code, and where XLA chose an algorithm by timing it, the same choice.
func (c *Client) Beside() (*Client, error) {
	other, err := c.Plugin.NewClient(c.options)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(c.Devices, other.Devices, func(a, b Device) bool { return a.ID == b.ID }) {
		other.Destroy()
		return nil, fmt.Errorf("pjrt: the plug-in %s shows a second client other devices", c.Plugin.Path)
	}
	other.origin = c
	return other, nil
}

// commandBuffers is the flag that says what XLA records in CUDA graphs: by default kernels, cuBLAS and more, but not convolutions.
const commandBuffers = "xla_gpu_enable_command_buffer"

// commandBufferScheduling is the flag that says which operations of a CUDA graph wait for each other: by default each for the one before it.
const commandBufferScheduling = "xla_gpu_command_buffer_scheduling_mode"

// graphFlags are the overrides without which a plug-in that does not know them still compiles.
var graphFlags = []string{commandBuffers, commandBufferScheduling}

// overrides are the XLA flags that suit the plug-in, see [Client].
func (p *Plugin) overrides() map[string]any {
	flags := map[string]any{}
	base := filepath.Base(p.Path)
	if strings.Contains(base, "cuda") || strings.Contains(base, "rocm") {
		flags["xla_gpu_exclude_nondeterministic_ops"] = true
	}
	if strings.Contains(base, "cuda") {
		flags[commandBuffers] = "FUSION,CUBLAS,CUBLASLT,CUDNN,CONVOLUTION,CUSTOM_CALL,DYNAMIC_SLICE_FUSION"
		flags[commandBufferScheduling] = "CONCURRENT"
	}
	if dir := cudaToolkit(p.Path); dir != "" {
		flags["xla_gpu_cuda_data_dir"] = dir
	}
	for name := range flags {
		if strings.Contains(os.Getenv("XLA_FLAGS"), name) {
			delete(flags, name)
		}
	}
	return flags
}

func (p *Plugin) describe(handle uintptr) (Device, error) {
	d := Device{handle: handle}
	description := &deviceGetDescriptionArgs{device: handle}
	if err := invoke(p, fnDeviceGetDescription, "PJRT_Device_GetDescription", description); err != nil {
		return d, err
	}
	id := &deviceDescriptionIDArgs{description: description.description}
	if err := invoke(p, fnDeviceDescriptionID, "PJRT_DeviceDescription_Id", id); err != nil {
		return d, err
	}
	d.ID = int(id.id)
	kind := &deviceDescriptionKindArgs{description: description.description}
	if err := invoke(p, fnDeviceDescriptionKind, "PJRT_DeviceDescription_Kind", kind); err != nil {
		return d, err
	}
	d.Kind = foreignString(kind.kind, kind.kindSize)
	return d, nil
}

// memoryStats returns the bytes in use on a device and the peak, -1 where the
// plug-in does not count. It is an [Error] if the
// platform has no statistics (the CPU).
func (c *Client) memoryStats(d Device) (inUse, peak int64, err error) {
	args := &deviceMemoryStatsArgs{device: d.handle}
	if err := invoke(c.Plugin, fnDeviceMemoryStats, "PJRT_Device_MemoryStats", args); err != nil {
		return 0, 0, err
	}
	peak = -1
	if args.peakBytesInUse.isSet {
		peak = args.peakBytesInUse.value
	}
	return args.bytesInUse, peak, nil
}

// Destroy shuts the client down. A second call does nothing.
func (c *Client) Destroy() error {
	if c.handle == 0 {
		return nil
	}
	for _, program := range c.programs {
		if e, err := program(); err == nil {
			e.Destroy()
		}
	}
	args := &clientArgs{client: c.handle}
	c.handle = 0
	return invoke(c.Plugin, fnClientDestroy, "PJRT_Client_Destroy", args)
}

// alive returns the handle; using a destroyed client is a programmer error.
func (c *Client) alive() uintptr {
	if c.handle == 0 {
		panic("pjrt: Client: used after Destroy")
	}
	return c.handle
}

// pinString pins the bytes of s and returns their address, 0 for the empty string.
func pinString(pin *runtime.Pinner, s string) uintptr {
	if s == "" {
		return 0
	}
	b := []byte(s)
	pin.Pin(&b[0])
	return uintptr(unsafe.Pointer(&b[0]))
}

// pinOptions are settings as the plug-in reads them, pinned; the slice is nil if there are none.
func pinOptions(pin *runtime.Pinner, options map[string]any) ([]namedValue, error) {
	var named []namedValue
	for name, value := range options {
		v := namedValue{header: header{structSize: unsafe.Sizeof(namedValue{})}, name: pinString(pin, name), nameSize: uintptr(len(name)), valueSize: 1}
		switch x := value.(type) {
		case string:
			v.kind, v.valueSize, v.value = namedString, uintptr(len(x)), uint64(pinString(pin, x))
		case int64:
			v.kind, v.value = namedInt64, uint64(x)
		case float32:
			v.kind = namedFloat
			*(*float32)(unsafe.Pointer(&v.value)) = x
		case bool:
			v.kind = namedBool
			if x {
				v.value = 1
			}
		default:
			return nil, fmt.Errorf("pjrt: option %s has type %T: want string, int64, float32 or bool", name, value)
		}
		named = append(named, v)
	}
	if named != nil {
		pin.Pin(&named[0])
	}
	return named, nil
}
