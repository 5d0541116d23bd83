package main

import (
	"os/exec"
	"testing"
)

// A printed command line, given to a shell, has the words it was made from.
func TestShellCommand(t *testing.T) {
	words := []string{"printf", "%s|", "my houses.csv", "median value", "y|z", "it's", "", "--box=-3,3", "a\nb", "$HOME `x` \"q\" \\", "~", "*"}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	out, err := exec.Command(shell, "-c", shellCommand(words...)).Output()
	want := ""
	for _, w := range words[2:] {
		want += w + "|"
	}
	if err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}
