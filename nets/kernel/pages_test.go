package kernel

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// TestArena: zeros that begin at a page, of a huge one where they fill two; and where the system gives huge pages to whoever asks, those are in use.
func TestArena(t *testing.T) {
	for _, n := range []int{1, 1000, 1 << 19, 4 << 20} {
		x := NewArena(n)
		at := uintptr(unsafe.Pointer(&x[0]))
		if len(x) != n || at%page != 0 || 4*n >= 2*hugePage && at%hugePage != 0 {
			t.Errorf("%d values: %d at %x", n, len(x), at)
		}
		for i, v := range x {
			if v != 0 {
				t.Fatalf("%d values: value %d is %v", n, i, v)
			}
		}
		if 4*n < 16<<20 || runtime.GOOS != "linux" {
			continue
		}
		allowed, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
		maps, err := os.ReadFile("/proc/self/smaps")
		if err != nil || len(allowed) == 0 || strings.Contains(string(allowed), "[never]") {
			t.Skip("no huge pages to be had here")
		}
		if !strings.Contains(string(maps), " hg") { // of VmFlags: advised
			t.Error("nothing is marked for huge pages")
		}
		runtime.KeepAlive(x)
	}
}
