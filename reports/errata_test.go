package reports

import (
	"bytes"
	"context"
	"os"
	"testing"

	"tqn/referee"
)

// docs/errata.md is what `tqn verify --errata docs/errata.md` writes, byte for byte.
func TestErrataIsUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("computes every number of docs/errata.md")
	}
	numbers, err := referee.NewErrata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want, err := Errata(numbers)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/errata.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		for i, line := range bytes.Split(want, []byte("\n")) {
			if lines := bytes.Split(got, []byte("\n")); i >= len(lines) || !bytes.Equal(lines[i], line) {
				t.Fatalf("docs/errata.md line %d is not what `tqn verify --errata` writes, which is\n%s", i+1, line)
			}
		}
		t.Fatal("docs/errata.md has more lines than `tqn verify --errata` writes")
	}
}
