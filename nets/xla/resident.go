package xla

import "tqn/pjrt"

type resident struct{ buffers []*pjrt.Buffer }

func (r *resident) destroy() { destroy(r.buffers...) }
