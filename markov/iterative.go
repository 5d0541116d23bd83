package markov

import (
	"context"
	"fmt"
)

// iterative solves a chain that no elimination can.
func (c *Chain) iterative(ctx context.Context, best CertifiedLaw) (CertifiedLaw, error) {
	r, err := c.Multilevel(1e-12)
	if err != nil {
		return CertifiedLaw{}, err
	}
	return CertifiedLaw{}, fmt.Errorf("%w: residual %g", ErrUncertified, r.Residual)
}
