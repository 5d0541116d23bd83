package main

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/nets/xla"
	"tqn/pjrt"
)

// engineChoice is the flags --engine, --plugin and --precision.
type engineChoice struct {
	engine, plugin, precision string
	share                     int // devices that share a run's batches
	streams                   int // runs that compute on a device at once, each with a stream of its own; 0 is 1
	memory                    pjrt.Memory

	client func() (*pjrt.Client, error)
	beside []*pjrt.Client // further ones, see clients
}

// engineFlags declares them on a command that trains.
func engineFlags(cmd *cobra.Command) *engineChoice {
	c := &engineChoice{}
	cmd.Flags().StringVar(&c.engine, "engine", "cpu", "cpu: tqn's own kernels; pjrt: an XLA device through a PJRT plug-in")
	c.pluginFlags(cmd, "cpu", "pjrt")
	return c
}

// pluginFlags declares --plugin and --precision, and completes --engine with its values.
func (c *engineChoice) pluginFlags(cmd *cobra.Command, engines ...string) {
	f := cmd.Flags()
	f.StringVar(&c.plugin, "plugin", "", "the PJRT plug-in's .so; default: $"+pjrt.EnvPlugin+", or one in an installed JAX wheel of $"+pjrt.EnvPython+", the active environment, the system or the python3 on PATH")
	f.StringVar(&c.precision, "precision", "", "precision of the layers' products: f32 (default), bf16 or, with --engine pjrt, tf32; bf16 is also that of what lies between layers")
	f.IntVar(&c.share, "devices", 1, "with --engine pjrt: devices that share each batch's images")
	f.Float64Var(&c.memory.Fraction, "memory-fraction", 0, "most of a card's memory that a CUDA plug-in takes, as the run needs it; 0: three quarters")
	f.BoolVar(&c.memory.Preallocate, "preallocate", false, "a CUDA plug-in takes --memory-fraction of the card at its start")
	for flag, values := range map[string][]string{"engine": engines, "precision": {"f32", "tf32", "bf16"}} {
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // a flag declared above
		}
	}
	c.client = sync.OnceValues(func() (*pjrt.Client, error) {
		c.memory.Clients = c.streams
		return xla.OpenClient(c.plugin, c.memory)
	})
}

// streamsFlag declares --streams on a command that makes several runs.
func (c *engineChoice) streamsFlag(cmd *cobra.Command, what string) {
	cmd.Flags().IntVar(&c.streams, "streams", 1, "with --engine pjrt: "+what+" each with a stream and an equal part of the memory of its own")
}

// device is the plug-in's client, nil for the CPU's engine and where it cannot be started, which factory reports.
func (c *engineChoice) device() *pjrt.Client {
	if c.engine != "pjrt" {
		return nil
	}
	client, err := c.client()
	if err != nil {
		return nil
	}
	return client
}

// groups is the number of runs that have devices of their own: 0 for the CPU's engine.
func (c *engineChoice) groups() int {
	if client := c.device(); client != nil {
		return len(client.Devices) / c.share
	}
	return 0
}

// places is the number of runs that have devices, and streams on them, of their own.
func (c *engineChoice) places() int { return c.groups() * max(1, c.streams) }

// unhindered is how many of so many runs at once are known to be as fast as one alone: of those on devices one on each.
func (c *engineChoice) unhindered(jobs int) int {
	if groups := c.groups(); groups > 0 {
		return min(jobs, groups)
	}
	return jobs
}

// clients are as many as there are streams on each device.
func (c *engineChoice) clients() ([]*pjrt.Client, error) {
	first, err := c.client()
	if err != nil {
		return nil, err
	}
	for len(c.beside)+1 < c.streams {
		client, err := first.Beside()
		if err != nil {
			return nil, err
		}
		c.beside = append(c.beside, client)
	}
	return append([]*pjrt.Client{first}, c.beside...), nil
}

// platform is the plug-in's, "" for the CPU's engine.
func (c *engineChoice) platform() string {
	if client := c.device(); client != nil {
		return client.Platform
	}
	return ""
}

// products is the precision of the CPU engine's products, once factory has found nothing wrong.
func (c *engineChoice) products() kernel.Precision {
	p, err := kernel.ParsePrecision(c.precision)
	if err != nil { // tf32, for an accelerator
		return kernel.F32
	}
	return p
}

// check says what is wrong with the flags, as far as that can be known without a device.
func (c *engineChoice) check() error {
	switch c.engine {
	case "cpu":
		if _, err := kernel.ParsePrecision(c.precision); err != nil {
			return fmt.Errorf("--precision %s: the CPU's products are f32 or bf16", c.precision)
		}
	case "pjrt":
		if _, err := xla.ParsePrecision(c.precision); err != nil {
			return fmt.Errorf("--precision: %w", err)
		}
	default:
		return fmt.Errorf("--engine %q; want cpu or pjrt", c.engine)
	}
	return nil
}

// factory returns what builds engines for nets.Where.NewEngine: nil for the CPU. With pjrt, the
// plug-in is started here, so that a missing one is an error at once, and all engines of the
// process share it.
func (c *engineChoice) factory() (func(network.Model, network.Hyper) (network.Engine, error), error) {
	if err := c.check(); err != nil || c.engine == "cpu" {
		return nil, err
	}
	precision, err := xla.ParsePrecision(c.precision)
	if err != nil {
		return nil, err
	}
	clients, err := c.clients()
	if err != nil {
		return nil, err
	}
	client := clients[0]
	if c.share < 1 || c.share > len(client.Devices) {
		return nil, fmt.Errorf("--devices %d; the plug-in %s has 1 to %d", c.share, client.Plugin.Path, len(client.Devices))
	}
	free := newPlaces(clients, c.share)
	return func(m network.Model, h network.Hyper) (network.Engine, error) {
		p, leave := free.take()
		e, err := xla.New(p.client, p.devices, m, h, precision)
		if err != nil {
			leave()
			return nil, err
		}
		return placed{e, leave}, nil
	}, nil
}

// place is where a run computes: on some devices, by a client, which has a stream of its own on each.
type place struct {
	client  *pjrt.Client
	devices []pjrt.Device
	runs    int // that are there now
}

// places are those of a process.
type places struct {
	mu  sync.Mutex
	all []*place
}

// newPlaces are groups of so many devices for each client, the first client's first.
func newPlaces(clients []*pjrt.Client, share int) *places {
	var p places
	for _, c := range clients {
		for first := 0; first+share <= len(c.Devices); first += share {
			p.all = append(p.all, &place{client: c, devices: c.Devices[first:][:share]})
		}
	}
	return &p
}

// take is the first of the places that have the fewest runs, which has one more until leave is called.
func (p *places) take() (to *place, leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to = slices.MinFunc(p.all, func(a, b *place) int { return cmp.Compare(a.runs, b.runs) })
	to.runs++
	return to, sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		to.runs--
	})
}

// placed is an engine that leaves its place when it is closed.
type placed struct {
	*xla.Engine
	leave func()
}

func (e placed) Close() error {
	defer e.leave()
	return e.Engine.Close()
}

// memoryLimit is the flag --memory of a command that trains in this process.
type memoryLimit struct{ mib int64 }

// memoryFlag declares it.
func memoryFlag(cmd *cobra.Command) *memoryLimit {
	m := &memoryLimit{}
	cmd.Flags().Int64Var(&m.mib, "memory", 0, "MiB that this may use; what needs more, by its estimate, is refused before it starts; 0 is what is free now")
	return m
}

// bytes is what the process may use; 0 where that is not known.
func (m *memoryLimit) bytes() int64 {
	if m.mib > 0 {
		return m.mib << 20
	}
	n, _ := cluster.AvailableMemory()
	return n
}
