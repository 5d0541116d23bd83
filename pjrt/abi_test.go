package pjrt

import (
	"bufio"
	"embed"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Headers of which a C compiler printed sizes and offsets (testdata/abi-*.txt).
var headers = []string{"testdata/abi-0.81.txt", "testdata/abi-0.94.txt", "testdata/abi-0.98.txt", "testdata/abi-0.114.txt"}

// The compiled test holds them, so that it runs in any folder.
//
//go:embed testdata/abi-*.txt
var tables embed.FS

// What [Client.Beside] needs stands in the table of 0.94 only, and nothing else does.
var besideOnly = []string{"PJRT_Executable_Serialize_Args", "PJRT_Executable_DeserializeAndLoad_Args"}

// What [Target] needs stands in the last table only; the C rules forbid that it was otherwise before.
var targetOnly = []string{"PJRT_Executable_OptimizedProgram_Args", "PJRT_TopologyDescription_Create_Args", "PJRT_TopologyDescription_Destroy_Args", "PJRT_Compile_Args",
	"PJRT_TopologyDescription_Create", "PJRT_TopologyDescription_Destroy", "PJRT_Compile"}

var structs = map[string]any{
	"PJRT_Error_Destroy_Args": errorArgs{}, "PJRT_Error_Message_Args": errorMessageArgs{}, "PJRT_Error_GetCode_Args": errorCodeArgs{},
	"PJRT_NamedValue": namedValue{}, "PJRT_Plugin_Initialize_Args": pluginInitializeArgs{}, "PJRT_Plugin_Attributes_Args": pluginAttributesArgs{},
	"PJRT_Event_Destroy_Args": eventArgs{}, "PJRT_Event_Await_Args": eventArgs{},
	"PJRT_Client_Create_Args": clientCreateArgs{}, "PJRT_Client_Destroy_Args": clientArgs{}, "PJRT_Client_PlatformName_Args": clientStringArgs{},
	"PJRT_Client_PlatformVersion_Args": clientStringArgs{}, "PJRT_Client_AddressableDevices_Args": clientDevicesArgs{}, "PJRT_Program": program{},
	"PJRT_Client_Compile_Args": clientCompileArgs{}, "PJRT_Client_BufferFromHostBuffer_Args": clientBufferFromHostBufferArgs{},
	"PJRT_Device_GetDescription_Args": deviceGetDescriptionArgs{}, "PJRT_DeviceDescription_Id_Args": deviceDescriptionIDArgs{},
	"PJRT_DeviceDescription_Kind_Args": deviceDescriptionKindArgs{}, "PJRT_Device_MemoryStats_Args": deviceMemoryStatsArgs{},
	"PJRT_Executable_Destroy_Args": executableArgs{}, "PJRT_LoadedExecutable_Destroy_Args": executableArgs{},
	"PJRT_LoadedExecutable_GetExecutable_Args": loadedExecutableGetExecutableArgs{}, "PJRT_Executable_NumOutputs_Args": executableNumOutputsArgs{},
	"PJRT_Executable_Serialize_Args": executableSerializeArgs{}, "PJRT_Executable_DeserializeAndLoad_Args": executableDeserializeAndLoadArgs{},
	"PJRT_Executable_OptimizedProgram_Args": executableOptimizedProgramArgs{}, "PJRT_TopologyDescription_Create_Args": topologyCreateArgs{},
	"PJRT_TopologyDescription_Destroy_Args": topologyArgs{}, "PJRT_Compile_Args": compileArgs{},
	"PJRT_ExecuteOptions": executeOptions{}, "PJRT_LoadedExecutable_Execute_Args": loadedExecutableExecuteArgs{},
	"PJRT_Buffer_Destroy_Args": bufferArgs{}, "PJRT_Buffer_ElementType_Args": bufferElementTypeArgs{}, "PJRT_Buffer_Dimensions_Args": bufferDimensionsArgs{},
	"PJRT_Buffer_OnDeviceSizeInBytes_Args": bufferSizeArgs{}, "PJRT_Buffer_IsDeleted_Args": bufferIsDeletedArgs{},
	"PJRT_Buffer_ToHostBuffer_Args": bufferToHostBufferArgs{}, "PJRT_Buffer_ReadyEvent_Args": bufferReadyEventArgs{},
}

var functions = map[string]int{
	"PJRT_Error_Destroy": fnErrorDestroy, "PJRT_Error_Message": fnErrorMessage, "PJRT_Error_GetCode": fnErrorGetCode,
	"PJRT_Plugin_Initialize": fnPluginInitialize, "PJRT_Plugin_Attributes": fnPluginAttributes, "PJRT_Event_Destroy": fnEventDestroy,
	"PJRT_Event_Await": fnEventAwait, "PJRT_Client_Create": fnClientCreate,
	"PJRT_Client_Destroy": fnClientDestroy, "PJRT_Client_PlatformName": fnClientPlatformName, "PJRT_Client_PlatformVersion": fnClientPlatformVersion,
	"PJRT_Client_AddressableDevices": fnClientAddressableDevices, "PJRT_Client_Compile": fnClientCompile,
	"PJRT_Client_BufferFromHostBuffer": fnClientBufferFromHostBuffer, "PJRT_DeviceDescription_Id": fnDeviceDescriptionID,
	"PJRT_DeviceDescription_Kind": fnDeviceDescriptionKind, "PJRT_Device_GetDescription": fnDeviceGetDescription,
	"PJRT_Device_MemoryStats": fnDeviceMemoryStats, "PJRT_Executable_Destroy": fnExecutableDestroy, "PJRT_Executable_NumOutputs": fnExecutableNumOutputs,
	"PJRT_Executable_Serialize": fnExecutableSerialize, "PJRT_Executable_DeserializeAndLoad": fnExecutableDeserializeAndLoad,
	"PJRT_LoadedExecutable_Destroy": fnLoadedExecutableDestroy, "PJRT_LoadedExecutable_GetExecutable": fnLoadedExecutableGetExecutable,
	"PJRT_LoadedExecutable_Execute": fnLoadedExecutableExecute, "PJRT_Buffer_Destroy": fnBufferDestroy, "PJRT_Buffer_ElementType": fnBufferElementType,
	"PJRT_Buffer_Dimensions": fnBufferDimensions, "PJRT_Buffer_OnDeviceSizeInBytes": fnBufferOnDeviceSize, "PJRT_Buffer_IsDeleted": fnBufferIsDeleted,
	"PJRT_Executable_OptimizedProgram": fnExecutableOptimizedProgram, "PJRT_TopologyDescription_Create": fnTopologyDescriptionCreate,
	"PJRT_TopologyDescription_Destroy": fnTopologyDescriptionDestroy, "PJRT_Compile": fnCompile,
	"PJRT_Buffer_ToHostBuffer": fnBufferToHostBuffer, "PJRT_Buffer_ReadyEvent": fnBufferReadyEvent,
}

// TestABI compares every argument struct and function number with the C headers:
// each C field must sit at the offset of the Go field in the same place, and the
// Go struct must be at least as large.
func TestABI(t *testing.T) {
	for i, header := range headers {
		f, err := tables.Open(header)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		seen := 0
		for s := bufio.NewScanner(f); s.Scan(); {
			words := strings.Fields(s.Text())
			switch words[0] {
			case "struct":
				goStruct, ok := structs[words[1]]
				if !ok {
					t.Errorf("%s: %s has no Go struct", header, words[1])
					continue
				}
				seen++
				if err := sameLayout(goStruct, words[2:]); err != nil {
					t.Errorf("%s: %s: %v", header, words[1], err)
				}
			case "function":
				if number, ok := functions[words[2]]; ok {
					seen++
					if fmt.Sprint(number) != words[1] {
						t.Errorf("%s: %s is entry %s, not %d", header, words[2], words[1], number)
					}
				}
			}
		}
		want := len(structs) + len(functions) - len(besideOnly)
		switch {
		case strings.Contains(header, "0.94"):
			want = len(besideOnly)
		case i < len(headers)-1:
			want -= len(targetOnly)
		}
		if seen != want {
			t.Errorf("%s: compared %d structs and functions, want %d", header, seen, want)
		}
	}
	// Planted: a struct with two fields exchanged must be refused.
	if err := sameLayout(bufferIsDeletedArgs{}, []string{"32", "struct_size:0", "extension_start:8", "is_deleted:16", "buffer:17"}); err == nil {
		t.Error("planted exchange of fields was not seen")
	}
}

// sameLayout compares the offsets of a Go struct's leaves, in order, with "size name:offset ...".
func sameLayout(goStruct any, c []string) error {
	var offsets []string
	var walk func(at uintptr, t reflect.Type)
	walk = func(at uintptr, t reflect.Type) {
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				walk(at+t.Field(i).Offset, t.Field(i).Type)
			}
		case reflect.Array:
			for i := range t.Len() {
				walk(at+uintptr(i)*t.Elem().Size(), t.Elem())
			}
		default:
			offsets = append(offsets, fmt.Sprint(at))
		}
	}
	walk(0, reflect.TypeOf(goStruct))
	fields := c[1:]
	if len(offsets) < len(fields) {
		return fmt.Errorf("%d fields in Go, %d in C", len(offsets), len(fields))
	}
	for i, field := range fields {
		if name, want, _ := strings.Cut(field, ":"); offsets[i] != want {
			return fmt.Errorf("field %d (%s) is at %s in Go and at %s in C", i, name, offsets[i], want)
		}
	}
	var size uintptr
	if _, err := fmt.Sscan(c[0], &size); err != nil {
		return err
	}
	if got := reflect.TypeOf(goStruct).Size(); got < size {
		return fmt.Errorf("%d bytes in Go, %d in C", got, size)
	}
	return nil
}
