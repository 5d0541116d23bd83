package main

func avx2File(p *printer) {
	direct(p, "Y", 6, 2)
}
