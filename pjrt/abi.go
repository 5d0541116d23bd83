package pjrt

import "unsafe"

// The argument structs below are those of pjrt_c_api.h, API version 0.81 (XLA,
// November 2025), for the calls this package makes; structs that have grown
// since carry the fields up to version 0.114 (September 2026). The C rules: every struct starts
// with its own size and an extension pointer, fields are only ever appended, and
// a plug-in accepts a struct at least as large as the one it was built with. So
// the sizes below may be larger than an older plug-in knows (it reads less), and a
// plug-in whose structs have grown beyond them refuses the call with an error.
//
// Handles (PJRT_Client*, PJRT_Buffer*, ...) are addresses of the plug-in's own
// memory, hence uintptr; pointers to Go memory are unsafe.Pointer and pinned for
// the duration of a call.
const (
	apiMajor    = 0  // a plug-in with another major version is refused
	apiMinorMin = 81 // the oldest header the structs have been compared with (testdata/abi-0.81.txt)
)

// apiTable is the start of PJRT_Api: sizes, version and the function pointers.
type apiTable struct {
	structSize     uintptr
	extensionStart uintptr
	version        struct {
		structSize     uintptr
		extensionStart uintptr
		major, minor   int32
	}
	fn [fnCount]uintptr
}

// Positions of functions in PJRT_Api, counted from PJRT_Error_Destroy. The order
// is frozen within a major version.
const (
	fnErrorDestroy                       = 0
	fnErrorMessage                       = 1
	fnErrorGetCode                       = 2
	fnPluginInitialize                   = 3
	fnPluginAttributes                   = 4
	fnEventDestroy                       = 5
	fnEventAwait                         = 8
	fnClientCreate                       = 10
	fnClientDestroy                      = 11
	fnClientPlatformName                 = 12
	fnClientPlatformVersion              = 14
	fnClientAddressableDevices           = 16
	fnClientCompile                      = 20
	fnClientBufferFromHostBuffer         = 22
	fnDeviceDescriptionID                = 23
	fnDeviceDescriptionKind              = 26
	fnDeviceGetDescription               = 29
	fnDeviceMemoryStats                  = 34
	fnExecutableDestroy                  = 40
	fnExecutableNumOutputs               = 44
	fnExecutableOptimizedProgram         = 48
	fnExecutableSerialize                = 49
	fnLoadedExecutableDestroy            = 50
	fnLoadedExecutableGetExecutable      = 51
	fnLoadedExecutableAddressableDevices = 52
	fnLoadedExecutableExecute            = 55
	fnExecutableDeserializeAndLoad       = 56
	fnBufferDestroy                      = 58
	fnBufferElementType                  = 59
	fnBufferDimensions                   = 60
	fnBufferOnDeviceSize                 = 64
	fnBufferIsDeleted                    = 68
	fnBufferToHostBuffer                 = 70
	fnBufferReadyEvent                   = 72
	fnTopologyDescriptionCreate          = 82
	fnTopologyDescriptionDestroy         = 83
	fnCompile                            = 89
	fnCount                              = 90
)

// header starts every argument struct.
type header struct {
	structSize     uintptr
	extensionStart uintptr
}

type errorArgs struct { // PJRT_Error_Destroy_Args
	header
	err uintptr
}

type errorMessageArgs struct { // PJRT_Error_Message_Args
	header
	err         uintptr
	message     uintptr // out
	messageSize uintptr // out
}

type errorCodeArgs struct { // PJRT_Error_GetCode_Args
	header
	err  uintptr
	code int32 // out
}

type namedValue struct { // PJRT_NamedValue
	header
	name      uintptr
	nameSize  uintptr
	kind      int32
	value     uint64 // union: string pointer, int64, int64 list pointer, float, bool
	valueSize uintptr
}

// The kinds of a namedValue.
const (
	namedString = iota
	namedInt64
	namedInt64List
	namedFloat
	namedBool
)

type pluginInitializeArgs struct{ header } // PJRT_Plugin_Initialize_Args

type pluginAttributesArgs struct { // PJRT_Plugin_Attributes_Args
	header
	attributes    uintptr // out
	numAttributes uintptr // out
}

type eventArgs struct { // PJRT_Event_Destroy_Args, PJRT_Event_Await_Args
	header
	event uintptr
}

type clientCreateArgs struct { // PJRT_Client_Create_Args
	header
	createOptions unsafe.Pointer
	numOptions    uintptr
	_             uintptr // kvGetCallback
	_             uintptr // kvGetUserArg
	_             uintptr // kvPutCallback
	_             uintptr // kvPutUserArg
	client        uintptr // out
	_             uintptr // kvTryGetCallback
	_             uintptr // kvTryGetUserArg
}

type clientArgs struct { // PJRT_Client_Destroy_Args
	header
	client uintptr
}

type clientStringArgs struct { // PJRT_Client_PlatformName_Args, PJRT_Client_PlatformVersion_Args
	header
	client uintptr
	text   uintptr // out
	size   uintptr // out
}

type clientDevicesArgs struct { // PJRT_Client_AddressableDevices_Args, PJRT_LoadedExecutable_AddressableDevices_Args
	header
	client     uintptr
	devices    uintptr // out
	numDevices uintptr // out
}

type program struct { // PJRT_Program
	header
	code       unsafe.Pointer
	codeSize   uintptr
	format     unsafe.Pointer
	formatSize uintptr
}

type clientCompileArgs struct { // PJRT_Client_Compile_Args
	header
	client      uintptr
	program     unsafe.Pointer
	options     unsafe.Pointer
	optionsSize uintptr
	executable  uintptr // out
}

type clientBufferFromHostBufferArgs struct { // PJRT_Client_BufferFromHostBuffer_Args
	header
	client             uintptr
	data               unsafe.Pointer
	kind               int32
	dims               unsafe.Pointer
	numDims            uintptr
	_                  uintptr // byteStrides
	_                  uintptr // numByteStrides
	semantics          int32
	device             uintptr
	_                  uintptr // memory
	_                  uintptr // deviceLayout
	doneWithHostBuffer uintptr // out
	buffer             uintptr // out
}

// immutableOnlyDuringCall is PJRT_HostBufferSemantics_kImmutableOnlyDuringCall:
// the plug-in keeps no pointer to our memory after the call.
const immutableOnlyDuringCall = 0

type deviceGetDescriptionArgs struct { // PJRT_Device_GetDescription_Args
	header
	device      uintptr
	description uintptr // out
}

type deviceDescriptionIDArgs struct { // PJRT_DeviceDescription_Id_Args
	header
	description uintptr
	id          int32 // out
}

type deviceDescriptionKindArgs struct { // PJRT_DeviceDescription_Kind_Args
	header
	description uintptr
	kind        uintptr // out
	kindSize    uintptr // out
}

// optionalInt64 is an int64 followed by "is_set".
type optionalInt64 struct {
	value int64
	isSet bool
}

type deviceMemoryStatsArgs struct { // PJRT_Device_MemoryStats_Args
	header
	device         uintptr
	bytesInUse     int64
	peakBytesInUse optionalInt64
	_              optionalInt64 // numAllocs
	_              optionalInt64 // largestAllocSize
	_              optionalInt64 // bytesLimit
	_              optionalInt64 // bytesReserved
	_              optionalInt64 // peakBytesReserved
	_              optionalInt64 // bytesReservableLimit
	_              optionalInt64 // largestFreeBlockBytes
	_              optionalInt64 // poolBytes
	_              optionalInt64 // peakPoolBytes
	_              optionalInt64 // peakAllocatedBytes
}

type executableArgs struct { // PJRT_Executable_Destroy_Args, PJRT_LoadedExecutable_Destroy_Args
	header
	executable uintptr
}

type loadedExecutableGetExecutableArgs struct { // PJRT_LoadedExecutable_GetExecutable_Args
	header
	loaded     uintptr
	executable uintptr // out
}

type executableNumOutputsArgs struct { // PJRT_Executable_NumOutputs_Args
	header
	executable uintptr
	numOutputs uintptr // out
}

type executableOptimizedProgramArgs struct { // PJRT_Executable_OptimizedProgram_Args
	header
	executable uintptr
	program    unsafe.Pointer // out
}

type executableSerializeArgs struct { // PJRT_Executable_Serialize_Args
	header
	executable uintptr
	text       uintptr // out
	size       uintptr // out
	owner      uintptr // out: what the text belongs to
	deleter    uintptr // out: a function that frees the owner
}

type executableDeserializeAndLoadArgs struct { // PJRT_Executable_DeserializeAndLoad_Args
	header
	client     uintptr
	text       unsafe.Pointer
	size       uintptr
	executable uintptr // out
	_          uintptr // overriddenSerializedCompileOptions
	_          uintptr // overriddenSerializedCompileOptionsSize
	// Room for what versions after 0.115 append, all zero.
	_ [2]uintptr
}

type topologyCreateArgs struct { // PJRT_TopologyDescription_Create_Args
	header
	_          unsafe.Pointer // name
	_          uintptr        // nameSize
	options    unsafe.Pointer
	numOptions uintptr
	topology   uintptr // out
}

type topologyArgs struct { // PJRT_TopologyDescription_Destroy_Args
	header
	topology uintptr
}

type compileArgs struct { // PJRT_Compile_Args
	header
	topology    uintptr
	program     unsafe.Pointer
	options     unsafe.Pointer
	optionsSize uintptr
	_           uintptr // client
	executable  uintptr // out
}

type executeOptions struct { // PJRT_ExecuteOptions
	header
	sendCallbacks       uintptr
	recvCallbacks       uintptr
	numSendOps          uintptr
	numRecvOps          uintptr
	launchID            int32
	nonDonatableIndices unsafe.Pointer
	numNonDonatable     uintptr
	context             uintptr
	callLocation        uintptr
	numTasks            uintptr
	taskIDs             uintptr
	incarnationIDs      uintptr
	_                   uintptr // multiSliceConfig
	_                   bool    // useMajorToMinorDataLayoutForCallbacks
	_                   uintptr // hloOutputCallbacks
	_                   uintptr // numHLOOutputCallbacks
	// Room for what versions after 0.114 append, all zero.
	reserved [4]uintptr
}

type loadedExecutableExecuteArgs struct { // PJRT_LoadedExecutable_Execute_Args
	header
	executable    uintptr
	options       unsafe.Pointer
	argumentLists unsafe.Pointer
	numDevices    uintptr
	numArgs       uintptr
	outputLists   unsafe.Pointer
	_             unsafe.Pointer // deviceCompleteEvents
	_             uintptr        // executeDevice
}

type bufferArgs struct { // PJRT_Buffer_Destroy_Args
	header
	buffer uintptr
}

type bufferElementTypeArgs struct { // PJRT_Buffer_ElementType_Args
	header
	buffer uintptr
	kind   int32 // out
}

type bufferDimensionsArgs struct { // PJRT_Buffer_Dimensions_Args
	header
	buffer  uintptr
	dims    uintptr // out
	numDims uintptr // out
}

type bufferSizeArgs struct { // PJRT_Buffer_OnDeviceSizeInBytes_Args
	header
	buffer uintptr
	size   uintptr // out
}

type bufferIsDeletedArgs struct { // PJRT_Buffer_IsDeleted_Args
	header
	buffer    uintptr
	isDeleted bool // out
}

type bufferToHostBufferArgs struct { // PJRT_Buffer_ToHostBuffer_Args
	header
	src     uintptr
	_       unsafe.Pointer // hostLayout
	dst     unsafe.Pointer
	dstSize uintptr
	event   uintptr // out
}

type bufferReadyEventArgs struct { // PJRT_Buffer_ReadyEvent_Args
	header
	buffer uintptr
	event  uintptr // out
}
