package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestElementwiseAssemblyIsGenerated: the generator gives the committed bytes.
func TestElementwiseAssemblyIsGenerated(t *testing.T) {
	gocmd, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to run the generator")
	}
	out := t.TempDir()
	cmd := exec.Command(gocmd, "run", "./elementwise", "-out", out)
	cmd.Dir = "_asm"
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("generator: %v\n%s", err, msg)
	}
	for _, name := range []string{"elementwise_avx2_amd64.s", "elementwise_avx512_amd64.s"} {
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what nets/kernel/_asm/elementwise generates: run go generate ./nets/kernel", name)
		}
	}
}
