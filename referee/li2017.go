package referee

// li2017 is the paper this project is about.
func li2017() Paper {
	return Paper{
		Name:    "li2017",
		Title:   "Training Quantized Nets: A Deeper Understanding (Li, De, Xu, Studer, Samet, Goldstein, NIPS 2017)",
		Results: []Result{lemma1(), theorem1(), theorem2(), theorem3(), theorem4(), corollary1(), theorem5(), theorem6()},
	}
}
