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

// elementType is a PJRT_Buffer_Type.
type elementType int32

// The element types of [Element].
const (
	typePred elementType = 1
	typeS8   elementType = 2
	typeS32  elementType = 4
	typeS64  elementType = 5
	typeU8   elementType = 6
	typeU32  elementType = 8
	typeU64  elementType = 9
	typeF32  elementType = 11
	typeF64  elementType = 12
	typeBF16 elementType = 13
)

var typeNames = map[elementType]string{typePred: "pred", typeS8: "s8", typeS32: "s32", typeS64: "s64", typeU8: "u8", typeU32: "u32", typeU64: "u64", typeF32: "f32", typeF64: "f64", typeBF16: "bf16"}

func (t elementType) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("type %d", int32(t))
}

// typeOf returns the buffer type of a Go element type.
func typeOf[T Element]() elementType {
	var x T
	switch any(x).(type) {
	case bool:
		return typePred
	case int8:
		return typeS8
	case uint8:
		return typeU8
	case int32:
		return typeS32
	case uint32:
		return typeU32
	case int64:
		return typeS64
	case uint64:
		return typeU64
	case float32:
		return typeF32
	case float64:
		return typeF64
	}
	panic(fmt.Sprintf("pjrt: typeOf: %T is a named type: convert it first", x))
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
	args := &clientBufferFromHostBufferArgs{client: c.alive(), kind: int32(typeOf[T]()), numDims: uintptr(len(dims)),
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
	kind, dims, err := b.shape()
	if err != nil {
		return nil, err
	}
	if kind != typeOf[T]() {
		panic(fmt.Sprintf("pjrt: ToHost: the buffer holds %s, asked for %s", kind, typeOf[T]()))
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

// shape returns the element type and the dimensions.
func (b *Buffer) shape() (elementType, []int, error) {
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
	return elementType(kind.kind), dims, nil
}

// size returns the bytes the buffer takes on each device.
func (b *Buffer) size() (int64, error) {
	args := &bufferSizeArgs{buffer: b.alive()}
	err := invoke(b.client.Plugin, fnBufferOnDeviceSize, "PJRT_Buffer_OnDeviceSizeInBytes", args)
	return int64(args.size), err
}

// await waits until the buffer is computed and returns the error of the execution
// that computes it.
func (b *Buffer) await() error {
	args := &bufferReadyEventArgs{buffer: b.alive()}
	if err := invoke(b.client.Plugin, fnBufferReadyEvent, "PJRT_Buffer_ReadyEvent", args); err != nil {
		return err
	}
	ready := event{b.client.Plugin, args.event}
	err := ready.await()
	for _, other := range b.copies {
		if otherErr := other.await(); err == nil {
			err = otherErr
		}
	}
	return err
}

// donated reports whether an execution took the buffer's memory.
func (b *Buffer) donated() (bool, error) {
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
