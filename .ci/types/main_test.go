package main

import (
	"strings"
	"testing"
)

// A package whose types do not agree on one platform is found there and only there; so are a platform and a pattern that do not exist.
func TestOtherPlatformsErrorsAreSeen(t *testing.T) {
	for _, c := range []struct{ platform, pattern, want string }{
		{"linux/amd64", "./testdata/wrong", ""},
		{"windows/amd64", "./testdata/wrong", "cannot use lines"},
		{"windows", "./testdata/wrong", "want GOOS/GOARCH"},
		{"windows/none", "./testdata/wrong", "unsupported GOOS/GOARCH"},
		{"linux/amd64", "./testdata/nothing/...", "no such file"},
	} {
		if _, err := check(c.platform, c.pattern); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.platform, c.pattern, err, c.want)
		}
	}
}
