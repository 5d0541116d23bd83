package runfolder_test

import (
	"fmt"
	"os"
	"path/filepath"

	"tqn/runfolder"
)

// WriteFile replaces a file whole: a reader sees the old contents or the new ones, never a part.
func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "tqn")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "result.json")
	for _, text := range []string{"{}\n", "{\"error\": 7.05}\n"} {
		if err := runfolder.WriteFile(path, []byte(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	data, err := os.ReadFile(path)
	fmt.Print(string(data), err, "\n")
	// Output:
	// {"error": 7.05}
	// <nil>
}
