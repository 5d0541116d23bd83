package pjrt

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Plugin is a loaded PJRT plug-in. Plug-ins are never unloaded: XLA starts threads
// that do not stop.
type Plugin struct {
	Path         string
	Major, Minor int // version of the PJRT C API the plug-in was built with
	Attributes   map[string]string

	api *apiTable
}

// ErrNoPlugin is wrapped by errors that say that no plug-in is there.
var ErrNoPlugin = errors.New("no PJRT plug-in")

var plugins struct {
	sync.Mutex
	loaded map[string]*Plugin
}

// Open loads the plug-in at path and initialises it; a plug-in already loaded by
// this process is returned again. XLA then logs errors only, unless TF_CPP_MIN_LOG_LEVEL is set: Open sets it to 2
// in this process's environment, and so in its children's. The error says what to install if the
// file is missing, is no plug-in, or speaks another major version of the API.
func Open(path string) (*Plugin, error) {
	plugins.Lock()
	defer plugins.Unlock()
	if p := plugins.loaded[path]; p != nil {
		return p, nil
	}
	if built {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("pjrt: %w at %s: %s", ErrNoPlugin, path, install)
		}
	}
	if err := quieten(); err != nil {
		return nil, err
	}
	library, err := dlopen(path)
	if err != nil {
		return nil, fmt.Errorf("pjrt: plug-in %s cannot be loaded (%v): %s", path, err, install)
	}
	getAPI, err := dlsym(library, "GetPjrtApi")
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s is a shared library but no PJRT plug-in (it has no symbol GetPjrtApi): %s", path, install)
	}
	p := &Plugin{Path: path, Attributes: map[string]string{}}
	p.api = (*apiTable)(foreign(call(getAPI)))
	if p.api == nil {
		return nil, fmt.Errorf("pjrt: GetPjrtApi of %s returned nothing: %s", path, install)
	}
	p.Major, p.Minor = int(p.api.version.major), int(p.api.version.minor)
	if err := checkVersion(path, p.Major, p.Minor, p.api.structSize); err != nil {
		return nil, err
	}
	var init pluginInitializeArgs
	if err := invoke(p, fnPluginInitialize, "PJRT_Plugin_Initialize", &init); err != nil {
		return nil, err
	}
	var attributes pluginAttributesArgs
	if err := invoke(p, fnPluginAttributes, "PJRT_Plugin_Attributes", &attributes); err != nil {
		return nil, err
	}
	for i := range attributes.numAttributes {
		// Elements are as far apart as their own struct_size says, rounded up to the
		// alignment, since a newer plug-in may have appended fields.
		first := (*namedValue)(foreign(attributes.attributes))
		stride := (max(first.structSize, unsafe.Sizeof(namedValue{})) + 7) &^ 7
		v := (*namedValue)(foreign(attributes.attributes + i*stride))
		p.Attributes[foreignString(v.name, v.nameSize)] = v.String()
	}
	if plugins.loaded == nil {
		plugins.loaded = map[string]*Plugin{}
	}
	plugins.loaded[path] = p
	return p, nil
}

// envLogLevel is the variable from which XLA's libraries read, at their first line, the least severity that they log.
const envLogLevel = "TF_CPP_MIN_LOG_LEVEL"

// quieten keeps XLA's notes and warnings off the terminal, and its errors on it, unless the user chose a level.
// [os.Setenv] reaches the C library's environment, which XLA reads, since purego hooks it as cgo does.
func quieten() error {
	if _, chosen := os.LookupEnv(envLogLevel); chosen {
		return nil
	}
	return os.Setenv(envLogLevel, "2") // 0 notes, 1 warnings, 2 errors, 3 what ends the process
}

// checkVersion refuses API versions whose function table or structs differ from
// what abi.go pins.
func checkVersion(path string, major, minor int, tableSize uintptr) error {
	need := unsafe.Offsetof(apiTable{}.fn) + fnCount*unsafe.Sizeof(uintptr(0))
	if major != apiMajor || minor < apiMinorMin || tableSize < need {
		return fmt.Errorf("pjrt: plug-in %s speaks version %d.%d of the PJRT C API and tqn speaks %d.%d or later: %s",
			path, major, minor, apiMajor, apiMinorMin, install)
	}
	return nil
}

// Version names the plug-in for a manifest: API version and the XLA version if the
// plug-in states it.
func (p *Plugin) Version() string {
	s := fmt.Sprintf("PJRT C API %d.%d", p.Major, p.Minor)
	for _, key := range []string{"xla_version", "stablehlo_current_version"} {
		if v, ok := p.Attributes[key]; ok {
			s += ", " + strings.ReplaceAll(key, "_", " ") + " " + v
		}
	}
	return s
}

// String returns the value as text.
func (v *namedValue) String() string {
	switch v.kind {
	case namedString:
		return foreignString(uintptr(v.value), v.valueSize)
	case namedInt64:
		return fmt.Sprint(int64(v.value))
	case namedInt64List:
		if v.valueSize == 0 {
			return ""
		}
		parts := make([]string, v.valueSize)
		for i, x := range unsafe.Slice((*int64)(foreign(uintptr(v.value))), v.valueSize) {
			parts[i] = fmt.Sprint(x)
		}
		return strings.Join(parts, ".")
	case namedFloat:
		return fmt.Sprint(*(*float32)(unsafe.Pointer(&v.value)))
	case namedBool:
		return fmt.Sprint(v.value&0xff != 0)
	}
	return fmt.Sprintf("value of unknown kind %d", v.kind)
}

// argsOf is implemented by every argument struct through its embedded header.
type argsOf[T any] interface {
	*T
	setSize(uintptr)
}

func (h *header) setSize(n uintptr) { h.structSize = n }

// invoke calls entry fn of the plug-in's table with args and returns its error.
// Go pointers stored inside args must be pinned by the caller.
func invoke[T any, A argsOf[T]](p *Plugin, fn int, name string, args A) error {
	args.setSize(unsafe.Sizeof(*args))
	var pin runtime.Pinner // moves args to the heap: C must not see the moving Go stack
	pin.Pin(args)
	e := call(p.api.fn[fn], uintptr(unsafe.Pointer(args)))
	pin.Unpin()
	return p.take(name, e)
}

// foreign turns an address in the plug-in's memory into a pointer.
func foreign(address uintptr) unsafe.Pointer {
	// Through a pointer to the address: vet's unsafeptr check is about Go memory,
	// which the collector may move; this memory is not Go's.
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}

// foreignString copies n bytes of the plug-in's memory.
func foreignString(address, n uintptr) string {
	if address == 0 || n == 0 {
		return ""
	}
	return strings.Clone(unsafe.String((*byte)(foreign(address)), n))
}

// void calls an entry whose result is not an error to be handled (the error
// functions themselves, and destructors).
func void[T any, A argsOf[T]](p *Plugin, fn int, args A) {
	args.setSize(unsafe.Sizeof(*args))
	var pin runtime.Pinner
	pin.Pin(args)
	call(p.api.fn[fn], uintptr(unsafe.Pointer(args)))
	pin.Unpin()
}
