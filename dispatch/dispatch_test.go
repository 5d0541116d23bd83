package dispatch

import (
	"strings"
	"testing"
)

func TestEnvironmentBoundsTheVectors(t *testing.T) {
	t.Setenv(Variable, "")
	most := Vectors()
	if !Has(most) || Check() != nil {
		t.Fatalf("without a request: %s, %v", most, Check())
	}
	for _, name := range []string{Generic, AVX2, AVX512} {
		t.Setenv(Variable, name)
		switch got, err := Vectors(), Check(); {
		case Has(name) && (got != name || err != nil):
			t.Errorf("%s: %s, %v", name, got, err)
		case !Has(name) && (got == name || err == nil || !strings.Contains(err.Error(), most)):
			t.Errorf("%s, which is not here: %s, %v", name, got, err)
		}
	}
	for _, name := range []string{AMX, Mixed} { // the vectors beside the tiles
		t.Setenv(Variable, name)
		if got, err := Vectors(), Check(); got != most || (err == nil) != (most == AVX512) {
			t.Errorf("%s: %s, %v; without a request %s", name, got, err, most)
		}
	}
	t.Setenv(Variable, "sse9")
	if got, err := Vectors(), Check(); got != Generic || err == nil || !strings.Contains(err.Error(), `TQN_KERNEL is "sse9"; want one of generic, avx2`) {
		t.Errorf("a name that means nothing: %s, %v", got, err)
	}
}
