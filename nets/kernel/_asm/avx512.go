package main

func avx512File(p *printer) {
	peak(p, "Z")
	peakDot(p)
	direct(p, "Z", 14, 2)
	direct(p, "Z", 28, 1)
	direct(p, "Z", 8, 2)
	direct(p, "Z", 16, 1)
	directDown(p, "Z", 14, 2)
	directDown(p, "Z", 28, 1)
	directDown(p, "Z", 8, 2)
	directDown(p, "Z", 24, 1)
	directDown(p, "Z", 21, 1)
	directDown(p, "Z", 16, 1)
	directDown(p, "Z", 9, 1)
	directRows(p, "directZ3x3x1", "Z", 9, 1, 3)
	directPairs(p, 16)
	directDownPairs(p, 8)
	winogradFile(p, "Z")
}
