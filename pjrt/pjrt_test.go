package pjrt

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// client is one client for all tests: a plug-in may be started once per process.
var client = sync.OnceValues(func() (*Client, error) {
	path, err := Find("")
	if err != nil {
		return nil, err
	}
	p, err := Open(path)
	if err != nil {
		return nil, err
	}
	return p.NewClient(nil)
})

// need skips the test where no plug-in is installed. TQN_REQUIRE_PJRT turns that
// into a failure, so that CI states that a plug-in must be there.
func need(t *testing.T) *Client {
	t.Helper()
	c, err := client()
	if errors.Is(err, ErrNoPlugin) && os.Getenv("TQN_REQUIRE_PJRT") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compile(t *testing.T, c *Client, program string) *Executable {
	t.Helper()
	e, err := c.Compile(program, c.Devices[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Destroy)
	return e
}

func upload[T Element](t *testing.T, c *Client, data []T, dims ...int) *Buffer {
	t.Helper()
	b, err := FromHost(c, c.Devices[0], data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Destroy)
	return b
}

// addOne returns (a + 1, sum of a) and donates a.
const addOne = `module @add_one {
  func.func @main(%a: tensor<64x256xf32> {tf.aliasing_output = 0 : i32}) -> (tensor<64x256xf32>, tensor<f32>) {
    %one = stablehlo.constant dense<1.0> : tensor<64x256xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %b = stablehlo.add %a, %one : tensor<64x256xf32>
    %s = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [0, 1] : (tensor<64x256xf32>, tensor<f32>) -> tensor<f32>
    return %b, %s : tensor<64x256xf32>, tensor<f32>
  }
}`

func TestRunAndDonate(t *testing.T) {
	c := need(t)
	t.Logf("%s: %s, platform %s, device %q", filepath.Base(c.Plugin.Path), c.Plugin.Version(), c.Platform, c.Devices[0].Kind)
	e := compile(t, c, addOne)
	if e.Outputs != 2 {
		t.Fatalf("%d outputs, want 2", e.Outputs)
	}
	a := upload(t, c, make([]float32, 64*256), 64, 256)
	for step := range 5 {
		results, err := e.Run(a)
		if err != nil {
			t.Fatal(err)
		}
		donated, err := a.donated()
		if err != nil || !donated {
			t.Errorf("step %d: the argument was not donated (error %v)", step, err)
		}
		sum, err := ToHost[float32](results[1])
		if err != nil || sum[0] != float32(step*64*256) {
			t.Fatalf("step %d: sum %v (error %v), want %d", step, sum, err, step*64*256)
		}
		a.Destroy()
		results[1].Destroy()
		a = results[0]
	}
	if err := a.await(); err != nil {
		t.Error(err)
	}
	kind, dims, err := a.shape()
	if err != nil || kind != typeF32 || !reflect.DeepEqual(dims, []int{64, 256}) {
		t.Errorf("shape %v %v (error %v), want f32 [64 256]", kind, dims, err)
	}
	if size, err := a.size(); err != nil || size != 64*256*4 {
		t.Errorf("size %d (error %v), want %d", size, err, 64*256*4)
	}
	values, err := ToHost[float32](a)
	if err != nil || values[17] != 5 {
		t.Errorf("value %v (error %v), want 5", values[17], err)
	}
	a.Destroy()
}

func TestRoundTrip(t *testing.T) {
	c := need(t)
	roundTrip(t, c, []bool{true, false, true})
	roundTrip(t, c, []int8{-128, 0, 127})
	roundTrip(t, c, []uint8{0, 1, 255})
	roundTrip(t, c, []int32{-1 << 31, 1<<31 - 1})
	roundTrip(t, c, []uint32{0, 1<<32 - 1})
	roundTrip(t, c, []int64{-1 << 63, 1<<63 - 1})
	roundTrip(t, c, []uint64{0, 1<<64 - 1})
	roundTrip(t, c, []float32{-1.5, 0, 3e38})
	roundTrip(t, c, []float64{-1.5, 0, 1e308})
	roundTrip(t, c, []float32{}) // no elements
}

func roundTrip[T Element](t *testing.T, c *Client, data []T) {
	t.Helper()
	want := append([]T{}, data...)
	b, err := FromHost(c, c.Devices[0], data, len(data))
	if err != nil {
		t.Fatalf("%T: %v", data, err)
	}
	defer b.Destroy()
	for i := range data {
		data[i] = want[0] // the upload must not look at our memory any more
	}
	got, err := ToHost[T](b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%T: got %v (error %v), want %v", data, got, err, want)
	}
}

func TestErrors(t *testing.T) {
	c := need(t)
	var e *Error
	for _, bad := range []string{"nonsense", "module @m {}", `module @m { func.func @main(%a: tensor<2xf32>) -> tensor<3xf32> { return %a : tensor<3xf32> } }`} {
		x, err := c.Compile(bad, c.Devices[0])
		if !errors.As(err, &e) || e.Message == "" || e.Call != "PJRT_Client_Compile" {
			t.Errorf("Compile(%q) = %v, %v; want an *Error", bad, x, err)
		}
	}
	x := compile(t, c, addOne)
	small := upload(t, c, make([]float32, 4), 4)
	if _, err := x.Run(small); !errors.As(err, &e) {
		t.Errorf("Run with a 4-vector for a 64x256 matrix: %v; want an *Error", err)
	}
	if _, err := x.Run(); !errors.As(err, &e) {
		t.Errorf("Run without its argument: %v; want an *Error", err)
	}
	a := upload(t, c, make([]float32, 64*256), 64, 256)
	results, err := x.Run(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Run(a); !errors.As(err, &e) {
		t.Errorf("Run with a donated argument: %v; want an *Error", err)
	}
	for _, r := range results {
		r.Destroy()
	}
	if Code(8).String() != "resource exhausted" || Code(99).String() != "code 99" {
		t.Error("names of codes")
	}
}

// TestOverrides: XLA must see the flags: it refuses an unknown one and takes a known one.
func TestOverrides(t *testing.T) {
	c := need(t)
	defer func() { c.Overrides = map[string]any{} }()
	c.Overrides = map[string]any{"xla_no_such_flag": "1"}
	if _, err := c.Compile(addOne, c.Devices[0]); err == nil {
		t.Error("an unknown flag was accepted")
	} else {
		t.Log(err)
	}
	c.Overrides = map[string]any{"xla_dump_to": "", "xla_gpu_cuda_data_dir": "/nowhere"}
	compile(t, c, addOne)
	c.Overrides = map[string]any{commandBuffers: "FUSION,NO_SUCH_COMMAND"}
	compile(t, c, addOne) // again, without it
	c.Overrides = map[string]any{commandBuffers: "FUSION,NO_SUCH_COMMAND", "xla_no_such_flag": "1"}
	if _, err := c.Compile(addOne, c.Devices[0]); err == nil {
		t.Error("an unknown flag was accepted beside names that the plug-in does not know")
	}

	site := t.TempDir()
	plugin := filepath.Join(site, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so")
	if got := cudaToolkit(plugin); got != "" {
		t.Errorf("toolkit %q where there is none", got)
	}
	want := filepath.Join(site, "nvidia", "cu13")
	if err := os.MkdirAll(want, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := cudaToolkit(plugin); got != want {
		t.Errorf("toolkit %q, want %q", got, want)
	}
	if got := cudaToolkit(filepath.Join(site, "xla_plugins", "xla_cpu_pjrt", "xla_cpu_pjrt.so")); got != "" {
		t.Errorf("toolkit %q for a CPU", got)
	}
}

// TestFlagsOfTheEnvironment: what the user sets in XLA_FLAGS is not overridden.
func TestFlagsOfTheEnvironment(t *testing.T) {
	p := &Plugin{Path: "/lib/xla_cuda_plugin.so"}
	t.Setenv("XLA_FLAGS", "")
	if names, _ := p.overrides()[commandBuffers].(string); !strings.Contains(names, "CONVOLUTION") {
		t.Errorf("commands recorded in graphs: %q; want the convolutions among them", names)
	}
	t.Setenv("XLA_FLAGS", "--xla_gpu_enable_command_buffer=")
	if flags := p.overrides(); flags[commandBuffers] != nil || flags["xla_gpu_exclude_nondeterministic_ops"] != true {
		t.Errorf("with command buffers in XLA_FLAGS the overrides are %v", flags)
	}
	if flags := (&Plugin{Path: "/lib/pjrt_c_api_cpu_plugin.so"}).overrides(); len(flags) != 0 {
		t.Errorf("overrides %v for a CPU", flags)
	}
}

func TestDestroyTwiceAndUseAfter(t *testing.T) {
	c := need(t)
	b := upload(t, c, []float32{1, 2}, 2)
	b.Destroy()
	b.Destroy() // must not reach the plug-in
	mustPanic(t, "used after Destroy", func() { b.shape() })
	mustPanic(t, "used after Destroy", func() { b.await() })
	e := compile(t, c, addOne)
	e.Destroy()
	e.Destroy()
	mustPanic(t, "used after Destroy", func() { e.Run() })
	mustPanic(t, "4 elements for dimensions [3]", func() { FromHost(c, c.Devices[0], make([]float32, 4), 3) })
	x := upload(t, c, []float32{1}, 1)
	mustPanic(t, "holds f32, asked for s32", func() { ToHost[int32](x) })
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
			t.Errorf("panic %q, want one with %q", got, want)
		}
	}()
	f()
}

// TestNoLeak runs 10,000 steps with an upload, a donated argument, a result read back and
// failed calls, and watches the resident memory of the process (XLA's CPU
// buffers live there). One 64 KiB buffer leaked per step would be 640 MiB; errors or
// events leaked (about 100 bytes each) would be a few MiB and are not seen here.
func TestNoLeak(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 steps")
	}
	c := need(t)
	if c.Platform != "cpu" {
		t.Skipf("buffers of platform %s are not in this process's resident memory", c.Platform)
	}
	const limit = 64 << 20
	if grown := growth(t, c, 10_000, false); grown > limit {
		t.Errorf("resident memory grew by %d MiB in 10,000 steps", grown>>20)
	}
	if grown := growth(t, c, 3_000, true); grown < limit {
		t.Errorf("planted leak of 3,000 buffers of 64 KiB was not seen: %d MiB", grown>>20)
	}
}

func growth(t *testing.T, c *Client, steps int, leak bool) int64 {
	e := compile(t, c, addOne)
	host := make([]float32, 64*256)
	var leaked []*Buffer
	step := func() {
		a, err := FromHost(c, c.Devices[0], host, 64, 256)
		if err != nil {
			t.Fatal(err)
		}
		results, err := e.Run(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.memoryStats(c.Devices[0]); err == nil { // the CPU has none: an error a step
			t.Fatal("memory statistics of a CPU")
		}
		if _, err := ToHost[float32](results[0]); err != nil {
			t.Fatal(err)
		}
		a.Destroy()
		results[1].Destroy()
		if leak {
			leaked = append(leaked, results[0])
		} else {
			results[0].Destroy()
		}
	}
	for range 200 { // allocators warm up
		step()
	}
	runtime.GC()
	before := resident(t)
	for range steps {
		step()
	}
	runtime.GC()
	grown := resident(t) - before
	for _, b := range leaked {
		b.Destroy()
	}
	t.Logf("%d steps, planted leak %v: resident memory grew by %d KiB", steps, leak, grown>>10)
	return grown
}

// resident returns VmRSS in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skip("no /proc/self/status here")
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func TestOpenSaysWhatToInstall(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "no.so")); !errors.Is(err, ErrNoPlugin) && built || !strings.Contains(err.Error(), "jax-cuda13-pjrt") {
		t.Errorf("missing file: %v", err)
	}
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(text); err == nil || !strings.Contains(err.Error(), "cannot be loaded") || !strings.Contains(err.Error(), "jax-cuda13-pjrt") {
		t.Errorf("no library: %v", err)
	}
	if runtime.GOOS == "linux" && built {
		if _, err := Open("/lib/x86_64-linux-gnu/libm.so.6"); err == nil || !strings.Contains(err.Error(), "GetPjrtApi") && !errors.Is(err, ErrNoPlugin) {
			t.Errorf("another library: %v", err)
		}
	}
	size := uintptr(1 << 12)
	for _, v := range []struct {
		major, minor int
		size         uintptr
		fits         bool
	}{{0, 81, size, true}, {0, 200, size, true}, {1, 0, size, false}, {0, 80, size, false}, {0, 90, 64, false}} {
		err := checkVersion("p.so", v.major, v.minor, v.size)
		if (err == nil) != v.fits {
			t.Errorf("version %d.%d with a table of %d bytes: %v", v.major, v.minor, v.size, err)
		}
		if err != nil && (strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "install")) {
			t.Errorf("not one sentence: %v", err)
		}
	}
}

func TestFindPrefersFlagThenEnvironmentThenWheels(t *testing.T) {
	if !built {
		if _, err := Find("p.so"); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), "without dynamic loading") {
			t.Errorf("in a static binary: %v", err)
		}
		return
	}
	site := t.TempDir()
	place := func(path string) string {
		full := filepath.Join(site, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return full
	}
	cpu := place("lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so")
	xla := place("xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so")
	rocm := place("jax_plugins/xla_rocm7/xla_rocm_plugin.so")
	cuda := place("jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	if got, want := installedIn([]string{site}), []string{cuda, rocm, xla, cpu}; !reflect.DeepEqual(got, want) {
		t.Errorf("installedIn = %v, want %v", got, want)
	}
	t.Setenv(EnvPlugin, "/from/environment.so")
	if got, err := Find("/from/flag.so"); got != "/from/flag.so" || err != nil {
		t.Errorf("with a flag: %q, %v", got, err)
	}
	if got, err := Find(""); got != "/from/environment.so" || err != nil {
		t.Errorf("with the environment: %q, %v", got, err)
	}
	t.Setenv(EnvPlugin, "")
	t.Setenv("VIRTUAL_ENV", filepath.Join(site, "venv"))
	inVenv := place("venv/lib/python3.13/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	if got, err := Find(""); got != inVenv || err != nil {
		t.Errorf("with a virtual environment: %q, %v; want %q", got, err, inVenv)
	}
}

// TestCompileOnce: one program for all who ask with the same text, at the same time too; each runs it on arguments of its own.
func TestCompileOnce(t *testing.T) {
	c := need(t)
	var users sync.WaitGroup
	programs := make([]*Executable, 8)
	for i := range programs {
		users.Go(func() {
			e, err := c.CompileOnce(addOne, c.Devices[0])
			if err != nil {
				t.Error(err)
				return
			}
			programs[i] = e
		})
	}
	users.Wait()
	for _, e := range programs {
		if e == nil || e != programs[0] {
			t.Fatalf("programs %p and %p of the same text", programs[0], e)
		}
	}
	if other, err := c.CompileOnce(addOne+"\n", c.Devices[0]); err != nil || other == programs[0] {
		t.Errorf("another text gave %p, %v", other, err)
	}
	if _, err := c.CompileOnce("not a program", c.Devices[0]); err == nil {
		t.Error("no error for what is not a program")
	}
}

// TestBeside: another client of the same devices runs what the first one has compiled, at the same time as the first, and compiles nothing itself.
func TestBeside(t *testing.T) {
	c := need(t)
	other, err := c.Beside()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Destroy()
	other.Overrides = map[string]any{"no_such_flag": true} // with which it can compile nothing
	if e, err := other.Compile(addOne, other.Devices[0]); err == nil {
		e.Destroy()
		t.Fatal("a flag that no plug-in knows does not keep a client from compiling")
	}
	var clients sync.WaitGroup
	for _, client := range []*Client{c, other, c, other} {
		clients.Go(func() {
			e, err := client.CompileOnce(addOne, client.Devices[0])
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 20 {
				x, err := FromHost(client, client.Devices[0], slices.Repeat([]float32{float32(i)}, 64*256), 64, 256)
				if err != nil {
					t.Error(err)
					return
				}
				results, err := e.Run(x)
				x.Destroy()
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := ToHost[float32](results[0]); err != nil || got[7] != float32(i)+1 {
					t.Errorf("%v, %v; want %d", got[7], err, i+1)
				}
				results[0].Destroy()
				results[1].Destroy()
			}
		})
	}
	clients.Wait()
	if _, err := other.CompileOnce("not a program", other.Devices[0]); err == nil {
		t.Error("no error for what is not a program")
	}
}
