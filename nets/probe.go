package nets

import (
	"math"
	"math/bits"
	"tqn/nets/network"
)

// probes watches the weights of convolutions and linear layers as Section 6 does: how many signs differ from the initial
// ones, from those ChangeEvery epochs before, and from those an epoch before.
type probes struct {
	params   []network.Param
	every    int
	initial  map[string][]byte // signs, see signsOf; a function of the Config
	window   map[string][]byte // at the last multiple of every epochs
	previous map[string][]byte // at the end of the epoch before
}

func newProbes(m network.Model, config Config, method Method) *probes {
	p := &probes{every: config.ChangeEvery, initial: map[string][]byte{}, window: map[string][]byte{}, previous: map[string][]byte{}}
	p.params = probed(m)
	for _, param := range p.params {
		signs := signsOf(config.start(method).Values(param))
		p.initial[param.Name], p.window[param.Name], p.previous[param.Name] = signs, signs, signs
	}
	return p
}

// probed are the tensors that probes watch: convolution and linear weights.
func probed(m network.Model) []network.Param {
	var ps []network.Param
	for _, p := range m.Params() {
		if p.Role == network.ConvWeight || p.Role == network.LinearWeight {
			ps = append(ps, p)
		}
	}
	return ps
}

// measure probes the weights at the end of an epoch counted from 1 and remembers their signs.
func (p *probes) measure(e network.Engine, epoch int) []Probe {
	var out []Probe
	for _, param := range p.params {
		w := make([]float32, param.Len())
		e.Get(param.Name, w)
		signs := signsOf(w)
		one := Probe{Layer: param.Layer, Weights: len(w),
			Changed:  percent(differing(signs, p.initial[param.Name]), len(w)),
			Flips:    percent(differing(signs, p.previous[param.Name]), len(w)),
			Distance: signDistance(w)}
		p.previous[param.Name] = signs
		if epoch%p.every == 0 {
			changed := percent(differing(signs, p.window[param.Name]), len(w))
			one.Window = &changed
			p.window[param.Name] = signs
		}
		out = append(out, one)
	}
	return out
}

// differing counts the signs that differ.
func differing(a, b []byte) int {
	n := 0
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

func percent(k, n int) float64 { return 100 * float64(k) / float64(n) }

// signDistance is the mean of |sign(w) - w|: |wb - wr| of bc (Figure 7), 0 for binary weights.
func signDistance(w []float32) float64 {
	sum := 0.0
	for _, v := range w {
		sum += math.Abs(math.Abs(float64(v)) - 1)
	}
	return sum / float64(len(w))
}

// save puts the remembered signs into a checkpoint; restore takes them out again and reports whether they fit the model.
func (p *probes) save(c *checkpoint) {
	for _, param := range p.params {
		for kind, signs := range map[string][]byte{"window/": p.window[param.Name], "previous/": p.previous[param.Name]} {
			c.signs[kind+param.Name] = signs
		}
		c.Signs = append(c.Signs, signsHeader{"window/" + param.Name, param.Len()}, signsHeader{"previous/" + param.Name, param.Len()})
	}
}

func (p *probes) restore(c *checkpoint) bool {
	for _, param := range p.params {
		window, previous := c.signs["window/"+param.Name], c.signs["previous/"+param.Name]
		if len(window) != (param.Len()+7)/8 || len(previous) != len(window) {
			return false
		}
		p.window[param.Name], p.previous[param.Name] = window, previous
	}
	return true
}
