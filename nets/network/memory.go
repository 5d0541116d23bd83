package network

// ModelBytes estimates the largest resident memory of a process that trains a model on the CPU engine, without the data
// set: activations before and after every batch norm, two gradient buffers, weights with gradients, moments, packed copies
// and a checkpoint in the making, and what the kernels and the Go runtime need. A pool of processes plans with it; a test
// holds it above what is measured.
func ModelBytes(m Model, batch int) int64 {
	activations, largest := 0, 0
	m.Each(func(l Layer) {
		switch l.Kind {
		case ReLU, Residual: // in the batch norm's buffer
		default:
			activations += l.Out.Len()
		}
		largest = max(largest, l.Out.Len())
	})
	params := 0
	for _, p := range m.Params() {
		params += p.Len()
	}
	perImage := int64(activations+2*largest+8*m.Input.Len()) * 4 // the loader keeps a few batches ready
	const (
		perWeight = 4 * (1 + 1 + 2 + 2 + 3 + 3) // weight, gradient, moments, packed copies, a checkpoint's copy, one being read
		fixed     = 96 << 20                    // the Go runtime, the program, kernels' scratch
	)
	return int64(batch)*perImage*5/4 + int64(params)*perWeight + fixed
}
