package main

func avx2File(p *printer) {
	peak(p, "Y")
	direct(p, "Y", 6, 2)
	winogradFile(p, "Y")
}
