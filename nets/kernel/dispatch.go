package kernel

//go:generate sh -c "cd _asm && go run . -out .."

// newConvAlgorithm builds the convolution of the workers' implementation.
func newConvAlgorithm(ws *Workers, s ConvShape) convAlgorithm {
	if c := newFastConv(ws, s); c != nil {
		return c
	}
	if ws.precision == BF16 {
		return newBF16Conv(ws, s)
	}
	return newGenericConv(ws, s)
}

// newLinearAlgorithm likewise.
func newLinearAlgorithm(ws *Workers, rows, in, out int) linearAlgorithm {
	if l := newFastLinear(ws, rows, in, out); l != nil {
		return l
	}
	if ws.precision == BF16 {
		return newBF16Linear(ws, rows, in, out)
	}
	return newGenericLinear(ws, in, out)
}
