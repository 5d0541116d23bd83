package kernel

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"tqn/dispatch"
)

// Workers is a pool of goroutines and their scratch memory. Every operation
// cuts its work into parts that depend on shapes only; a worker takes the next
// free part. Hence results do not depend on the number of workers.
//
// A Workers and everything built on it is used by one goroutine at a time.
type Workers struct {
	impl      implementation
	precision Precision
	threads   int

	job     func(part, worker int)
	_       [64]byte      // what the workers share in a job lies on cache lines of its own
	tickets atomic.Uint64 // upper half: the job's parts; lower half: how many are taken, or more once all are
	_       [56]byte
	left    atomic.Int64 // parts of the job that are not done
	_       [56]byte
	caller  sleeper   // who called Do
	helpers []sleeper // workers 1, 2, ...
	closed  atomic.Bool

	scratch [][]byte // one per worker, grown when an operation is built
	shared  []byte   // one for all: partial results by part

	elementwise
}

// Implementations names the implementations that this machine can run, the
// default last: generic (always), avx2, avx512, amx, and mixed, which takes the fastest of the last two
// for each layer and pass.
func Implementations() []string {
	var names []string
	for i := generic; i <= mixed; i++ {
		if available(i) {
			names = append(names, i.String())
		}
	}
	return names
}

type implementation int

const (
	generic implementation = iota
	avx2
	avx512
	amx
	mixed
)

func (i implementation) String() string {
	return [...]string{dispatch.Generic, dispatch.AVX2, dispatch.AVX512, dispatch.AMX, dispatch.Mixed}[i]
}

// NewWorkers returns a pool of that many workers (0: one for each CPU that Go
// uses). The implementation is one of [Implementations]; the empty string means
// the environment's TQN_KERNEL, and without it the last of them. An unknown or
// unavailable one is an error.
func NewWorkers(threads int, name string) (*Workers, error) {
	if threads < 0 {
		return nil, fmt.Errorf("kernel: %d threads: want 0 (all CPUs) or more", threads)
	}
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	names := Implementations()
	from := ""
	if name == "" {
		name, from = dispatch.Requested(), dispatch.Variable+": "
	}
	if name == "" {
		name = names[len(names)-1]
	}
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("kernel: %simplementation %q: this machine has %s", from, name, strings.Join(names, ", "))
	}
	ws := &Workers{threads: threads, scratch: make([][]byte, threads)}
	for i := generic; i <= mixed; i++ {
		if i.String() == name {
			ws.impl = i
		}
	}
	patience := mostPatience
	if threads > min(runtime.GOMAXPROCS(0), runtime.NumCPU()) { // who looks would keep another worker from running
		patience = 0
	}
	ws.caller = sleeper{wake: make(chan struct{}, 1), patience: patience}
	ws.helpers = make([]sleeper, threads-1)
	for i := range ws.helpers {
		ws.helpers[i] = sleeper{wake: make(chan struct{}, 1), patience: patience}
	}
	for i := range ws.helpers {
		go ws.help(&ws.helpers[i], i+1)
	}
	ws.elementwise.init(ws)
	return ws, nil
}

// Precision is that of the factors of products, in convolutions and linear layers, and of the activations of convolutions and their gradients ([Values]). Everything else is float32: the sums of products, statistics,
// gradients of weights, Adam, weights.
type Precision int

const (
	F32  Precision = iota // float32
	BF16                  // 8 bits, rounded to nearest, ties to even; numbers below 2^-126 count as zero. +-1 is exact
)

// ParsePrecision reads f32 or bf16; empty is f32.
func ParsePrecision(name string) (Precision, error) {
	switch name {
	case "", "f32":
		return F32, nil
	case "bf16":
		return BF16, nil
	}
	return 0, fmt.Errorf("kernel: precision %q; want f32 or bf16", name)
}

// SetPrecision sets the precision of all that the workers compute. It must be set before anything is built on them.
func (ws *Workers) SetPrecision(p Precision) { ws.precision = p }

// Precision is what [Workers.SetPrecision] has set.
func (ws *Workers) Precision() Precision { return ws.precision }

// Implementation names what runs: generic, avx2, avx512, amx or mixed, with -bf16 behind it at that precision. It determines the bits of results.
func (ws *Workers) Implementation() string {
	if ws.precision == BF16 {
		if ws.impl == mixed { // there is nothing to choose: one product by tiles is the fastest for every layer
			return amx.String() + "-bf16"
		}
		return ws.impl.String() + "-bf16"
	}
	return ws.impl.String()
}

// Threads is the number of workers.
func (ws *Workers) Threads() int { return ws.threads }

// Close ends the pool's goroutines. The pool must be idle.
func (ws *Workers) Close() {
	ws.closed.Store(true)
	for i := range ws.helpers {
		ws.helpers[i].rouse()
	}
	ws.helpers, ws.threads = nil, 1
}

// Do calls f(part, worker) for each part in [0, parts), in any order and on any
// worker, and returns when all are done. It does not allocate; f allocates
// itself if it is a literal that captures variables.
func (ws *Workers) Do(parts int, f func(part, worker int)) {
	if parts <= 0 {
		return
	}
	helpers := min(len(ws.helpers), parts-1)
	if helpers == 0 {
		for part := range parts {
			f(part, 0)
		}
		return
	}
	ws.job = f // nobody reads it: all parts of the last job are taken and done
	ws.left.Store(int64(parts))
	ws.tickets.Store(uint64(parts) << 32)
	for i := range helpers {
		ws.helpers[i].rouse()
	}
	ws.work(0)
	ws.caller.wait(func() bool { return ws.left.Load() == 0 })
	ws.job = nil
}

// work does parts of the job until none is left to take. A worker that comes
// too late finds all taken, does not look at the job, which may be over, and is
// not waited for.
func (ws *Workers) work(worker int) {
	done := int64(0)
	for {
		ticket := ws.tickets.Add(1) - 1
		parts, part := ticket>>32, ticket&(1<<32-1)
		if part >= parts {
			break
		}
		ws.job(int(part), worker)
		done++
	}
	if done > 0 && ws.left.Add(-done) == 0 {
		ws.caller.rouse()
	}
}

// help is the life of a worker other than the caller.
func (ws *Workers) help(me *sleeper, worker int) {
	for {
		me.wait(func() bool {
			ticket := ws.tickets.Load()
			return ticket&(1<<32-1) < ticket>>32 || ws.closed.Load()
		})
		if ws.closed.Load() {
			return
		}
		ws.work(worker)
	}
}

// A sleeper waits for what another goroutine brings about: first it looks again
// and again, then it sleeps. To fall asleep and be woken costs about 50
// microseconds, more than many a job; but who looks takes a processor from
// other programs, and may take it from the very worker that is waited for.
// Hence looking that was in vain halves the time for which the next wait looks,
// and looking that was not lengthens it by an eighth.
type sleeper struct {
	asleep   atomic.Bool
	patience time.Duration // for how long the next wait looks; 0: never look
	wake     chan struct{}
	_        [40]byte // the next sleeper is on another cache line
}

const (
	leastPatience = 50 * time.Microsecond
	mostPatience  = time.Millisecond
)

// wait returns when ready returns true. Who makes it so calls rouse afterwards.
func (s *sleeper) wait(ready func() bool) {
	if s.patience > 0 {
		for start := time.Now(); time.Since(start) < s.patience; {
			for range 100 {
				if ready() {
					s.patience = min(s.patience+s.patience/8, mostPatience)
					return
				}
			}
		}
		s.patience = max(s.patience/2, leastPatience)
	}
	for !ready() {
		s.asleep.Store(true)
		if ready() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.wake // rouse has taken asleep back, or will, and sends then
	}
}

// rouse wakes s if it sleeps.
func (s *sleeper) rouse() {
	if s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

// reserve makes each worker's scratch at least n bytes and the shared scratch
// at least m bytes, both aligned to 4096 bytes.
func (ws *Workers) reserve(n, m int) {
	for i := range ws.scratch {
		if len(ws.scratch[i]) < n {
			ws.scratch[i] = alignedBytes(n)
		}
	}
	if len(ws.shared) < m {
		ws.shared = alignedBytes(m)
	}
}

// take cuts n values of type T from the front of b, whose length stays a multiple of 64.
func take[T any](b *[]byte, n int) []T {
	var t T
	size := roundUp(n*int(unsafe.Sizeof(t)), 64)
	s := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData((*b)[:size]))), n)
	*b = (*b)[size:]
	return s
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// span is the part'th of parts nearly equal pieces of [0, n), cut at multiples of unit.
func span(n, unit, part, parts int) (from, to int) {
	units := (n + unit - 1) / unit
	return min(n, units*part/parts*unit), min(n, units*(part+1)/parts*unit)
}

func checkLen(what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("kernel: %s has %d values, want %d", what, got, want))
	}
}
