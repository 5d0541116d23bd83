// Package nets trains the convolutional networks of Section 6 of Li et al., "Training Quantized Nets: A Deeper
// Understanding" (NIPS 2017), with the methods of its Table 1.
//
// [Train] is the training loop: it opens the data, runs the engine of package nets/network step by step, probes the weights
// after every epoch, and writes checkpoints and results into a run folder. It is determined by a [Config] alone: the same
// Config gives the same result.json, byte for byte, for any number of threads, interrupted or not.
//
// # Methods
//
// An optimiser proposes a step (Adam's, with learning rate alpha); a rule of package quantize says at which weights the
// gradient is taken and what is stored. On the binary grid {-1,+1}:
//
//	adam     float weights                                                           no quantisation
//	r        wb = w in {-1,+1};  w <- Q_d(w - step)                                  equation (4)
//	sr       wb = w in {-1,+1};  w <- Q_s(w - step)                                  equation (6)
//	big-sr   sr with the batch of Appendix H.1, eight times the default              Section 6.1
//	bc       wb = Q_d(w), w real in [-1,1];  w <- clip(w - step(wb))                 equation (7)
//
// Only convolution weights are binarised, and all of them; linear layers, batch-norm scales and shifts stay float
// (Section 6, after Rastegari et al.).
package nets
