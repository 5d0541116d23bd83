package pjrt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// EnvPython names the environment variable that holds the Python interpreter to use: a path, or a name on PATH.
const EnvPython = "TQN_PYTHON"

// patience is how long an interpreter may take to say where its packages are; a variable for the tests.
var patience = 10 * time.Second

// whereabouts prints the interpreter's prefix and import path, each between two NUL bytes, so that nothing that a
// site's start-up files print is taken for a folder.
const whereabouts = `import os, sys
sys.stdout.buffer.write(b"\0" + b"\0".join(os.fsencode(p) for p in [sys.prefix] + sys.path) + b"\0")`

// pythonFolders asks a Python interpreter for the folders that it imports packages from. They are those of the virtual
// environment that the interpreter belongs to, activated or not. An interpreter that gives no answer in time is ended.
func pythonFolders(python string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", whereabouts)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	endWithChildren(cmd)
	cmd.WaitDelay = time.Second // for a child of a child that holds the pipes
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s gave no answer in %v", python, patience)
		}
		lines := strings.Split(strings.TrimSpace(complaint.String()), "\n")
		return nil, errors.New(strings.TrimSuffix(fmt.Sprintf("%s cannot be asked: %v: %s", python, err, lines[len(lines)-1]), ": "))
	}
	parts := strings.Split(out.String(), "\x00")
	if len(parts) < 4 { // what precedes the first NUL, the prefix, a folder, what follows the last NUL
		return nil, fmt.Errorf("%s is no Python interpreter: it does not say where its packages are", python)
	}
	folders := below(parts[1])
	for _, folder := range parts[2 : len(parts)-1] {
		if filepath.IsAbs(folder) {
			folders = append(folders, folder)
		}
	}
	return folders, nil
}

// onPath are the interpreters python3 and python on PATH.
func onPath() []string {
	var found []string
	for _, name := range []string{"python3", "python"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	return found
}
