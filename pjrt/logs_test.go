package pjrt

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"testing"
)

// TestLogLevelReachesTheCLibrary: what quieten sets is what a library reads with getenv; a user's own level stays.
func TestLogLevelReachesTheCLibrary(t *testing.T) {
	if !built || runtime.GOOS != "linux" {
		t.Skip("reads libc.so.6's environment")
	}
	libc, err := dlopen("libc.so.6")
	if err != nil {
		t.Skip(err)
	}
	getenv, err := dlsym(libc, "getenv")
	if err != nil {
		t.Fatal(err)
	}
	level := func() string {
		var pin runtime.Pinner
		defer pin.Unpin()
		at := call(getenv, pinString(&pin, envLogLevel+"\x00"))
		if at == 0 {
			return ""
		}
		n := uintptr(0)
		for *(*byte)(foreign(at + n)) != 0 {
			n++
		}
		return foreignString(at, n)
	}
	for _, users := range []string{"0", "3"} {
		t.Setenv(envLogLevel, users)
		if err := quieten(); err != nil || level() != users {
			t.Errorf("%s=%s became %q (error %v)", envLogLevel, users, level(), err)
		}
	}
	os.Unsetenv(envLogLevel)
	if got := level(); got != "" {
		t.Errorf("%s is %q after it was unset", envLogLevel, got)
	}
	if err := quieten(); err != nil || level() != "2" {
		t.Errorf("%s became %q (error %v), want 2: errors only", envLogLevel, level(), err)
	}
}

// TestPluginLogsNothing: TF_CPP_MAX_VLOG_LEVEL has XLA's CPU plug-in write notes as the CUDA plug-in does unasked;
// they stay off the terminal unless the user's TF_CPP_MIN_LOG_LEVEL asks for them.
func TestPluginLogsNothing(t *testing.T) {
	const inside = "TQN_TEST_LOGS"
	if os.Getenv(inside) != "" {
		need(t)
		return
	}
	if _, err := client(); errors.Is(err, ErrNoPlugin) && os.Getenv("TQN_REQUIRE_PJRT") == "" {
		t.Skip(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	notes := func(level ...string) int {
		t.Helper()
		cmd := exec.Command(exe, "-test.run=^TestPluginLogsNothing$")
		for _, v := range os.Environ() {
			if !regexp.MustCompile(`^TF_CPP_`).MatchString(v) { // not what this process's own Open set
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(append(cmd.Env, inside+"=1", "TF_CPP_MAX_VLOG_LEVEL=1"), level...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return len(regexp.MustCompile(`(?m)^[IW]\d{4} `).FindAll(out, -1))
	}
	if n := notes(); n != 0 {
		t.Errorf("%d lines of notes and warnings", n)
	}
	if n := notes(envLogLevel + "=0"); n == 0 {
		t.Errorf("no notes with %s=0", envLogLevel)
	}
}
