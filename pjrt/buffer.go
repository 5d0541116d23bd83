package pjrt

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Element is the type of a buffer's elements, one of the Go types with an XLA
// counterpart that tqn uses.
type Element interface {
	~bool | ~int8 | ~uint8 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// Type is a PJRT_Buffer_Type.
type Type int32

// The element types of [Element].
const (
	Pred Type = 1
	S8   Type = 2
	S32  Type = 4
	S64  Type = 5
	U8   Type = 6
	U32  Type = 8
	U64  Type = 9
	F32  Type = 11
	F64  Type = 12
	BF16 Type = 13
)

var typeNames = map[Type]string{Pred: "pred", S8: "s8", S32: "s32", S64: "s64", U8: "u8", U32: "u32", U64: "u64", F32: "f32", F64: "f64", BF16: "bf16"}

func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("type %d", int32(t))
}

// TypeOf returns the buffer type of a Go element type.
func TypeOf[T Element]() Type {
	var x T
	switch any(x).(type) {
	case bool:
		return Pred
	case int8:
		return S8
	case uint8:
		return U8
	case int32:
		return S32
	case uint32:
		return U32
	case int64:
		return S64
	case uint64:
		return U64
	case float32:
		return F32
	case float64:
		return F64
	}
	panic(fmt.Sprintf("pjrt: TypeOf: %T is a named type: convert it first", x))
}

// Buffer is an array on a device, or the same array on each of several. Its owner destroys it once; donating it to an
// execution ends its life too.
type Buffer struct {
	client *Client
	handle uintptr
	copies []*Buffer // on the other devices
}

// Replicate copies data, dense and row-major with the given dimensions, to each of the devices: an argument of a
// program that was compiled for them. The data may be changed after the call.
func Replicate[T Element](c *Client, devices []Device, data []T, dims ...int) (*Buffer, error) {
	b, err := FromHost(c, devices[0], data, dims...)
	for _, d := range devices[1:] {
		if err != nil {
			break
		}
		var other *Buffer
		if other, err = FromHost(c, d, data, dims...); err == nil {
			b.copies = append(b.copies, other)
		}
	}
	if err != nil {
		b.Destroy()
		return nil, err
	}
	return b, nil
}

// FromHost is Replicate for one device.
func FromHost[T Element](c *Client, d Device, data []T, dims ...int) (*Buffer, error) {
	n := 1
	shape := make([]int64, len(dims))
	for i, d := range dims {
		n *= d
		shape[i] = int64(d)
	}
	if n != len(data) {
		panic(fmt.Sprintf("pjrt: FromHost: %d elements for dimensions %v", len(data), dims))
	}
	args := &clientBufferFromHostBufferArgs{client: c.alive(), kind: int32(TypeOf[T]()), numDims: uintptr(len(dims)),
		semantics: immutableOnlyDuringCall, device: d.handle}
	var pin runtime.Pinner
	defer pin.Unpin()
	if len(data) > 0 {
		pin.Pin(&data[0])
		args.data = unsafe.Pointer(&data[0])
	}
	if len(shape) > 0 {
		pin.Pin(&shape[0])
		args.dims = unsafe.Pointer(&shape[0])
	}
	if err := invoke(c.Plugin, fnClientBufferFromHostBuffer, "PJRT_Client_BufferFromHostBuffer", args); err != nil {
		return nil, err
	}
	b := &Buffer{client: c, handle: args.buffer}
	done := event{c.Plugin, args.doneWithHostBuffer}
	if err := done.await(); err != nil {
		b.Destroy()
		return nil, err
	}
	return b, nil
}

// ToHost waits until the buffer is computed and returns a copy, row-major, of the one on the first device.
func ToHost[T Element](b *Buffer) ([]T, error) {
	kind, dims, err := b.Shape()
	if err != nil {
		return nil, err
	}
	if kind != TypeOf[T]() {
		panic(fmt.Sprintf("pjrt: ToHost: the buffer holds %s, asked for %s", kind, TypeOf[T]()))
	}
	n := 1
	for _, d := range dims {
		n *= d
	}
	data := make([]T, n)
	if n == 0 {
		return data, nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&data[0])
	args := &bufferToHostBufferArgs{src: b.handle, dst: unsafe.Pointer(&data[0]), dstSize: uintptr(n) * unsafe.Sizeof(data[0])}
	if err := invoke(b.client.Plugin, fnBufferToHostBuffer, "PJRT_Buffer_ToHostBuffer", args); err != nil {
		return nil, err
	}
	done := event{b.client.Plugin, args.event}
	if err := done.await(); err != nil {
		return nil, err
	}
	return data, nil
}

// Shape returns the element type and the dimensions.
func (b *Buffer) Shape() (Type, []int, error) {
	p := b.client.Plugin
	kind := &bufferElementTypeArgs{buffer: b.alive()}
	if err := invoke(p, fnBufferElementType, "PJRT_Buffer_ElementType", kind); err != nil {
		return 0, nil, err
	}
	shape := &bufferDimensionsArgs{buffer: b.handle}
	if err := invoke(p, fnBufferDimensions, "PJRT_Buffer_Dimensions", shape); err != nil {
		return 0, nil, err
	}
	dims := make([]int, shape.numDims)
	if len(dims) > 0 {
		for i, d := range unsafe.Slice((*int64)(foreign(shape.dims)), shape.numDims) {
			dims[i] = int(d)
		}
	}
	return Type(kind.kind), dims, nil
}

// Size returns the bytes the buffer takes on each device.
func (b *Buffer) Size() (int64, error) {
	args := &bufferSizeArgs{buffer: b.alive()}
	err := invoke(b.client.Plugin, fnBufferOnDeviceSize, "PJRT_Buffer_OnDeviceSizeInBytes", args)
	return int64(args.size), err
}

// Await waits until the buffer is computed and returns the error of the execution
// that computes it.
func (b *Buffer) Await() error {
	args := &bufferReadyEventArgs{buffer: b.alive()}
	if err := invoke(b.client.Plugin, fnBufferReadyEvent, "PJRT_Buffer_ReadyEvent", args); err != nil {
		return err
	}
	ready := event{b.client.Plugin, args.event}
	err := ready.await()
	for _, other := range b.copies {
		if otherErr := other.Await(); err == nil {
			err = otherErr
		}
	}
	return err
}

// Donated reports whether an execution took the buffer's memory.
func (b *Buffer) Donated() (bool, error) {
	args := &bufferIsDeletedArgs{buffer: b.alive()}
	err := invoke(b.client.Plugin, fnBufferIsDeleted, "PJRT_Buffer_IsDeleted", args)
	return args.isDeleted, err
}

// Destroy frees the buffer. A second call does nothing: the handle is forgotten
// with the first.
func (b *Buffer) Destroy() {
	if b == nil || b.handle == 0 {
		return
	}
	for _, other := range b.copies {
		other.Destroy()
	}
	args := &bufferArgs{buffer: b.handle}
	b.handle = 0
	if err := invoke(b.client.Plugin, fnBufferDestroy, "PJRT_Buffer_Destroy", args); err != nil {
		panic("pjrt: Buffer: Destroy: " + err.Error()) // only a wrong struct size fails: abi.go is then wrong
	}
}

func (b *Buffer) alive() uintptr {
	if b.handle == 0 {
		panic("pjrt: Buffer: used after Destroy")
	}
	return b.handle
}

// event is a PJRT_Event, owned.
type event struct {
	plugin *Plugin
	handle uintptr
}

// await waits for the event and frees it; a null event is ready.
func (e *event) await() error {
	if e.handle == 0 {
		return nil
	}
	args := &eventArgs{event: e.handle}
	err := invoke(e.plugin, fnEventAwait, "PJRT_Event_Await", args)
	destroy := &eventArgs{event: e.handle}
	e.handle = 0
	if destroyErr := invoke(e.plugin, fnEventDestroy, "PJRT_Event_Destroy", destroy); err == nil {
		err = destroyErr
	}
	return err
}
