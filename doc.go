// Package tqn is the front door of a toolkit that verifies the theory of "Training Quantized Nets: A Deeper Understanding"
// (Li, De, Xu, Studer, Samet, Goldstein, NIPS 2017) and trains its Table 1. It holds no code of its own: its tests state
// every claim of the paper (go test . -run Theorem).
//
// Where to go from here, in the order in which a reader of the paper meets the subjects:
//
//   - [tqn/quantize]: the grid, the roundings Q_d and Q_s, the update rules (equations 2, 4, 6, 7) and the random numbers
//   - [tqn/evidence]: verdicts on sampled numbers, with a stated chance of being wrong
//   - [tqn/bounds]: Lemma 1, Theorems 1 to 6 and Corollary 1 as functions of their constants, as printed and as proved
//   - [tqn/convex]: problems with certified constants, the exact law of SR and BinaryConnect (BC) on them
//   - [tqn/worst]: the largest gap that Theorems 1 to 4 allow, over all functions, with certificates
//   - [tqn/markov]: the Markov chains of Section 5 with certified stationary laws, mixing times and spectra
//   - [tqn/toy]: equation (8) and Figures 1 to 3
//   - [tqn/nets]: the networks of Section 6 and how they are trained
//   - [tqn/cluster]: Table 1 as a plan of training runs, on one machine or many
//   - [tqn/referee]: every claim of the paper with its measurement, its verdict and its planted defects
//   - [tqn/reports]: the pages and pictures made of all this
//   - tqn/cmd/tqn: the command
//
// docs/tutorial.md takes ten minutes and ends with the reader's own chain and data; docs/design.md says what stands where.
package tqn
