// Package referee judges what a paper claims. It knows, for every result of
// "Training Quantized Nets: A Deeper Understanding" (Li et al., NIPS 2017), what is
// claimed, how the left side of the claim is measured, on which instances a printed
// statement is false, which planted defects have to be caught, which series its
// picture shows and what it all means in a sentence. [Run] does the work and returns
// a [Verification], plain data, which package reports turns into pages and the
// command into JSON.
//
// # One result, one file
//
// lemma1.go, theorem1.go, ..., theorem6.go and corollary1.go hold one [Result] each,
// in the paper's order; section4.go has the measurements that several of them share,
// theorem5.go and theorem6.go work on Markov chains. table1.go and section6.go judge the
// paper's experiments on trained networks, sentence by sentence ([Section6]); choices.go is the
// study of what the paper leaves open; laws.go has what the probes of networks are compared with. errata.go computes the numbers
// of docs/errata.md. The mathematics itself is elsewhere: bounds in package
// bounds, algorithms and counterexamples in convex, chains in markov.
//
// # How to add
//
//   - A result: write its file with a [Result] value and add the value to the list
//     of its [Paper] (li2017.go). Everything else follows: --claim, its completion, the
//     report, the tests that every claim is measured and every result has a control.
//   - A claim of a result that exists (a line of a proof, a consequence): add a
//     [Claim] to its Claims and a measurement to its Plan.
//   - A counterexample: add a convex.Exhibit to convex.Exhibits; its claim's result
//     takes it up through Plan's method exhibits.
//   - A picture: a Figure function, which returns series and no colours; the role of a
//     series says what it shows, and package reports knows how that looks.
//   - A paper: a file with a [Paper] value and a line in [Papers].
//
// Measurements are numbered. The number is the place of a record among the others
// and decides which random numbers a sampled one draws; so a new measurement takes a
// free number ([Plan.From]) and changes nothing that exists. Taken are 0 to 129 by
// Section 4, 1000 to 1999 by the counterexamples, 2000 to 2299 by Theorems 5 and 6, and
// 3000 to 3799 by the worst cases of Theorems 1 to 4.
package referee
