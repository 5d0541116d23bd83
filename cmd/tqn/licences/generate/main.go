// Command generate writes notice.txt; `go generate ./cmd/tqn/licences` runs it.
package main

import (
	"fmt"
	"os"

	"tqn/cmd/tqn/licences"
)

func main() {
	text, err := licences.Generate("../../..")
	if err == nil {
		err = os.WriteFile("notice.txt", []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
