package reports

import (
	"bytes"
	"os"
	"testing"

	"tqn/referee"
)

// docs/worst-cases.md is what `tqn verify --worst-cases docs/worst-cases.md` writes, byte for byte.
func TestWorstCasesIsUpToDate(t *testing.T) {
	rows, err := referee.WorstCases()
	if err != nil {
		t.Fatal(err)
	}
	rounded, err := referee.RoundedWorstCases()
	if err != nil {
		t.Fatal(err)
	}
	want, err := WorstCases(rows, rounded)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/worst-cases.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("docs/worst-cases.md is not what `tqn verify --worst-cases docs/worst-cases.md` writes")
	}
}
