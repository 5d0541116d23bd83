package markov

// denseLimit is the number of states up to which dense algorithms of order n^3
// are used where nothing cheaper fits: 4096 states are 128 MiB and 46 GFLOP.
const denseLimit = 4096

// Stationary returns the stationary law pi, pi P = pi, of a chain with one closed
// class; transient states have probability zero. It is ErrReducible if there are
// several closed classes: see StationaryLaws.
//
// Bands and dense matrices up to 4096 states are solved by GTH, entry by entry
// accurate; larger sparse chains by Multilevel with a residual of 1e-12.
func (c *Chain) Stationary() ([]float64, error) {
	class, err := c.closed()
	if err != nil {
		return nil, err
	}
	return c.onClass(class)
}

// ExtremeLaw is the stationary law that lives on one closed class.
type ExtremeLaw struct {
	Class Class
	Law   []float64 // over all states of the chain
}

// StationaryLaws returns one law a closed class, in the order of Classes. The
// stationary laws of the chain are exactly their mixtures.
func (c *Chain) StationaryLaws() ([]ExtremeLaw, error) {
	var laws []ExtremeLaw
	for _, class := range c.Classes() {
		if !class.Closed {
			continue
		}
		pi, err := c.onClass(class)
		if err != nil {
			return nil, err
		}
		laws = append(laws, ExtremeLaw{class, pi})
	}
	return laws, nil
}

func (c *Chain) onClass(class Class) ([]float64, error) {
	if len(class.States) == c.n {
		return c.stationary()
	}
	part, err := c.sub(class.States).stationary()
	if err != nil {
		return nil, err
	}
	pi := make([]float64, c.n)
	for i, x := range class.States {
		pi[x] = part[i]
	}
	return pi, nil
}

// stationary solves an irreducible chain.
func (c *Chain) stationary() ([]float64, error) {
	var pi []float64
	var ok bool
	below, above := c.bandwidth()
	switch {
	case c.n == 1:
		return []float64{1}, nil
	case below*above < c.n*c.n/16 && float64(c.n)*float64(below)*float64(above) < 1e11 && c.n*(below+above+1) < 1<<27:
		pi, ok = gthBand(c, below, above)
	case c.n <= denseLimit:
		pi, ok = gth(c.denseRates(), c.n)
	default:
		r, err := c.Multilevel(1e-12)
		return r.Law, err
	}
	if !ok {
		return nil, errRange
	}
	return pi, nil
}
