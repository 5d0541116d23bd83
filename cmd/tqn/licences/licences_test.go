package licences

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The notice is what the module cache says now: after a change of go.mod, go generate makes it anew.
func TestNoticeIsUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("lists the program's packages for four platforms")
	}
	want, err := Generate("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if Notice != want {
		t.Error("notice.txt is not what go generate ./cmd/tqn/licences makes")
	}
	for _, title := range []string{"Go's runtime", "Fashion-MNIST", "gonum.org/v1/gonum v", "github.com/spf13/cobra v", "golang.org/x/sys v", "Redistribution and use", "Zalando"} {
		if !strings.Contains(Notice, title) {
			t.Errorf("the notice lacks %q", title)
		}
	}
}

func TestAModuleWithoutALicenceIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "license.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if files, err := notices(dir); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
	for _, name := range []string{"LICENSE", "License.txt", "NOTICE", "COPYING.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := notices(dir); err != nil || len(files) != 4 {
		t.Errorf("%v, %v", files, err)
	}
}
