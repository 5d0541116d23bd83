package pjrt

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bare leaves a test nothing that Find looks at but an empty PATH folder, which it returns; the test is skipped where the
// system's own folders hold a plug-in, since they come before PATH.
func bare(t *testing.T) (bin string) {
	t.Helper()
	if !built {
		t.Skip("this binary loads no plug-ins")
	}
	for _, variable := range []string{EnvPlugin, EnvPython, "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME"} {
		t.Setenv(variable, "")
	}
	os.Unsetenv("PYTHONHOME") // an empty one is not as none
	t.Setenv("HOME", t.TempDir())
	if found := installedIn(sitePackages()); len(found) > 0 {
		t.Skipf("%s is installed for the whole system", found[0])
	}
	bin = t.TempDir()
	t.Setenv("PATH", bin)
	return bin
}

// script writes an executable shell script and returns its path.
func script(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// plant puts an empty file where JAX's wheel has its CUDA plug-in.
func plant(t *testing.T, site string) string {
	t.Helper()
	path := filepath.Join(site, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFindAsksPython: a plug-in in a virtual environment that is not activated is found through its interpreter, which is
// on PATH as python3 or python, or which TQN_PYTHON names.
func TestFindAsksPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	venv := filepath.Join(t.TempDir(), "an environment")
	if out, err := exec.Command(python, "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
		t.Skipf("%s makes no virtual environment: %v: %s", python, err, out)
	}
	bin := bare(t)
	sites := below(venv)
	if len(sites) == 0 {
		t.Fatalf("no site-packages below %s", venv)
	}
	want := plant(t, sites[0])
	if got, err := Find(""); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), "no python3 or python is on PATH") {
		t.Errorf("with nothing on PATH: %q, %v", got, err)
	}
	for _, name := range []string{"python3", "python"} {
		link := filepath.Join(bin, name)
		if err := os.WriteFile(link, []byte("#!/bin/sh\necho noise; exec '"+venv+"/bin/python3' \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if got, err := Find(""); got != want || err != nil {
			t.Errorf("with %s on PATH: %q, %v; want %q", name, got, err, want)
		}
		os.Remove(link)
	}
	t.Setenv("PATH", filepath.Join(venv, "bin"))
	if got, err := Find(""); got != want || err != nil {
		t.Errorf("with the environment's own folder on PATH: %q, %v; want %q", got, err, want)
	}
	t.Setenv("PATH", bin)
	t.Setenv(EnvPython, filepath.Join(venv, "bin", "python3"))
	if got, err := Find(""); got != want || err != nil {
		t.Errorf("with %s: %q, %v; want %q", EnvPython, got, err, want)
	}
	t.Setenv(EnvPython, "/no/such/python")
	if got, err := Find(""); err == nil || !strings.Contains(err.Error(), "/no/such/python") || !strings.Contains(err.Error(), EnvPython) {
		t.Errorf("with a %s that is not there: %q, %v", EnvPython, got, err)
	}
}

// TestFindRunsNothingWithoutNeed: no interpreter is run for a plug-in that was given, or is in a known folder.
func TestFindRunsNothingWithoutNeed(t *testing.T) {
	bin := bare(t)
	ran := filepath.Join(t.TempDir(), "ran")
	site := t.TempDir()
	for _, name := range []string{"python3", "python", "named"} {
		script(t, filepath.Join(bin, name), fmt.Sprintf(`: > '%s'; printf '\0%s\0%s\0'`, ran, site, site))
	}
	environment := filepath.Join(t.TempDir(), "venv")
	inside := plant(t, filepath.Join(environment, "lib", "python3.13", "site-packages"))
	find := func(what, flag, want string, runs bool) {
		t.Helper()
		os.Remove(ran)
		got, err := Find(flag)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", what, got, err, want)
		}
		if _, err := os.Stat(ran); (err == nil) != runs {
			t.Errorf("%s: an interpreter was run: %v, want %v", what, err == nil, runs)
		}
	}
	find("nothing installed", "", "", true)
	find("a flag", "/from/flag.so", "/from/flag.so", false)
	t.Setenv("VIRTUAL_ENV", environment)
	find("an active environment", "", inside, false)
	t.Setenv(EnvPython, "named")
	find("a named interpreter without a plug-in", "", inside, true)
	t.Setenv(EnvPlugin, "/from/environment.so")
	find("a named plug-in", "", "/from/environment.so", false)
	t.Setenv(EnvPlugin, "")
	find("a named interpreter with a plug-in", "", plant(t, site), true)
}

// TestFindEndsAPythonThatHangs, and its children with it; one that answers nonsense or fails is passed over.
func TestFindEndsAPythonThatHangs(t *testing.T) {
	bin := bare(t)
	defer func(p time.Duration) { patience = p }(patience)
	patience = 300 * time.Millisecond
	child := filepath.Join(t.TempDir(), "child")
	script(t, filepath.Join(bin, "python3"), fmt.Sprintf(`/bin/sleep 100 & echo $! > '%s.new'; /bin/mv '%s.new' '%s'; wait`, child, child, child))
	script(t, filepath.Join(bin, "python"), "echo hello")
	start := time.Now()
	_, err := Find("")
	if took := time.Since(start); took > 50*time.Second {
		t.Errorf("took %v", took)
	}
	if !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), "python3 gave no answer in 300ms") || !strings.Contains(err.Error(), "is no Python interpreter") {
		t.Errorf("error %v", err)
	}
	pid, err := os.ReadFile(child)
	if err != nil {
		t.Skipf("the script was ended before it had a child: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); alive(strings.TrimSpace(string(pid))); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s, a child of the interpreter, still runs", pid)
		}
	}
}

// alive reports whether a process runs: one that has ended and that nobody has waited for does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
