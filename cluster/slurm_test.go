package cluster

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// slurm is a cluster of this machine alone: munged, slurmctld and slurmd, started
// by the test in a folder of its own and ended by it.
type slurm struct {
	t   *testing.T
	dir string
	env []string
}

// startSlurm skips the test where Slurm is not installed.
func startSlurm(t *testing.T) *slurm {
	t.Helper()
	for _, program := range []string{"munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: install Debian's slurm-wlm and munge to run this", program)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("slurmd runs jobs as their owners and needs root")
	}
	if testing.Short() {
		t.Skip("starts three daemons")
	}
	dir, err := os.MkdirTemp("", "tqn-slurm-") // not t.TempDir: a socket's path is limited to 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &slurm{t: t, dir: dir, env: append(os.Environ(), "SLURM_CONF="+filepath.Join(dir, "slurm.conf"))}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	s.write("munge.key", strings.Repeat("a key for this test alone ", 8))
	// cred_expire, at least 5 s, is also how long a requeued task waits.
	s.write("slurm.conf", fmt.Sprintf(`ClusterName=tqn
SlurmctldHost=%[1]s(127.0.0.1)
SlurmctldPort=%[2]d
SlurmdPort=%[3]d
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=%[4]s/munge.socket,cred_expire=5
StateSaveLocation=%[4]s/state
SlurmdSpoolDir=%[4]s/spool
SlurmctldPidFile=%[4]s/slurmctld.pid
SlurmdPidFile=%[4]s/slurmd.pid
SlurmctldLogFile=%[4]s/slurmctld.log
SlurmdLogFile=%[4]s/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
MaxArraySize=3
SchedulerParameters=sched_interval=1,defer=0
KillWait=2
JobRequeue=1
ReturnToService=2
SlurmdTimeout=300
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=%[5]d State=UNKNOWN
PartitionName=test Nodes=%[1]s Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
`, host, freePort(t), freePort(t), dir, runtime.NumCPU()))
	for _, sub := range []string{"state", "spool"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.daemon("munged", "--foreground", "--force", "--socket="+dir+"/munge.socket", "--key-file="+dir+"/munge.key",
		"--pid-file="+dir+"/munged.pid", "--log-file="+dir+"/munged.log", "--seed-file="+dir+"/munged.seed", "--num-threads=2")
	s.until("munged listens", func() bool { return exists(filepath.Join(dir, "munge.socket")) })
	s.daemon("slurmctld", "-D", "-i")
	s.daemon("slurmd", "-D", "-N", host)
	s.until("the node is idle", func() bool {
		out, _ := s.command("sinfo", "-h", "-o", "%T").CombinedOutput()
		return strings.Contains(string(out), "idle")
	})
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *slurm) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *slurm) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	return cmd
}

// daemon starts a program in the foreground and ends it, by its process id, with
// the test.
func (s *slurm) daemon(name string, args ...string) {
	s.t.Helper()
	out, err := os.Create(filepath.Join(s.dir, name+".out"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		out.Close()
	})
}

// until waits for a condition, at most two minutes, and shows the logs where it
// does not come about.
func (s *slurm) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if ok() {
			return
		}
	}
	for _, pattern := range []string{"*.out", "*.log"} {
		names, _ := filepath.Glob(filepath.Join(s.dir, pattern))
		for _, name := range names {
			b, _ := os.ReadFile(name)
			s.t.Logf("%s:\n%s", filepath.Base(name), b[max(0, len(b)-4000):])
		}
	}
	s.t.Fatalf("not within two minutes: %s", what)
}

// TestSlurmEndToEnd submits four cells, in two job arrays since the cluster allows three tasks in one, in
// a folder whose name sbatch would not take: a cell that finishes; one
// that is told to stop, continues after its requeue and finishes; one whose
// process is killed and that finishes after its requeue; and, in the second array, one that fails
// for good and is not repeated.
func TestSlurmEndToEnd(t *testing.T) {
	s := startSlurm(t)
	dir := filepath.Join(s.dir, "my 'table' 1 %a")
	p := testPlan(t, dir, 4)
	program := filepath.Join(s.dir, "tqn")
	script := fmt.Sprintf(`#!/bin/sh
case $* in
*"--index 0") TQN_CELL=done;; *"--index 1") TQN_CELL=slow;; *"--index 2") TQN_CELL=die;; *"--index 3") TQN_CELL=permanent;;
esac
export TQN_CELL
exec %s "$@"
`, CommandLine(os.Args[0]))
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"SLURM_CONF": filepath.Join(s.dir, "slurm.conf")} {
		t.Setenv(name, value)
	}
	size := MaxArraySize(t.Context())
	if size != 3 {
		t.Fatalf("scontrol says that MaxArraySize is %d, the cluster's is 3", size)
	}
	scripts, err := SlurmScripts(Submission{Name: "tqn-test", Indices: Unfinished(Collect(dir, p)), CPUs: 1, Memory: 1 << 20, Limit: "10", Program: program, Dir: dir}, size)
	if err != nil || len(scripts) != 2 {
		t.Fatalf("%d arrays, want 2: %v", len(scripts), err)
	}
	var jobs []string
	for _, text := range scripts {
		// The node has no memory to give out in this test.
		submit := s.command("sbatch", "--parsable")
		submit.Stdin = strings.NewReader(strings.Replace(text, "#SBATCH --mem=1M\n", "", 1))
		out, err := submit.CombinedOutput()
		if err != nil {
			t.Fatalf("sbatch: %v\n%s", err, out)
		}
		jobs = append(jobs, strings.TrimSpace(string(out)))
	}
	// Seen to fail: an array that is larger than the cluster allows.
	all, err := SlurmScripts(Submission{Name: "tqn-test", Indices: []int{0, 1, 2, 3}, CPUs: 1, Memory: 1 << 20, Program: program, Dir: dir}, defaultArraySize)
	if err != nil {
		t.Fatal(err)
	}
	submit := s.command("sbatch", "--parsable")
	submit.Stdin = strings.NewReader(strings.Replace(all[0], "#SBATCH --mem=1M\n", "", 1))
	if out, err := submit.CombinedOutput(); err == nil || !strings.Contains(string(out), "Invalid job array") {
		t.Errorf("one array of four: %v, %s", err, out)
	}
	job := strings.Join(jobs, ",")
	attempts := func(cell int) int {
		b, _ := os.ReadFile(filepath.Join(p.Cells[cell].Dir(dir), "attempts"))
		return bytes.Count(b, []byte("\n"))
	}
	s.until("cell 1 runs", func() bool { return attempts(1) == 1 })
	// What Slurm does before the time limit: the signal goes to the batch script.
	if out, err := s.command("scancel", "--signal=TERM", "--batch", jobs[0]+"_1").CombinedOutput(); err != nil {
		t.Fatalf("scancel: %v\n%s", err, out)
	}
	s.until("the queue is empty", func() bool {
		out, err := s.command("squeue", "-h", "-j", job).CombinedOutput()
		return err == nil && len(bytes.TrimSpace(out)) == 0 || strings.Contains(string(out), "Invalid job id")
	})
	states := Collect(dir, p)
	for i, want := range []struct {
		state    State
		attempts int
	}{{Finished, 1}, {Finished, 2}, {Finished, 2}, {Failed, 1}} {
		if states[i].State != want.state || attempts(i) != want.attempts {
			log, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("slurm-%d.log", i)))
			t.Errorf("cell %d: %s after %d attempts (%s), want %s after %d\n%s", i, states[i].State, attempts(i), states[i].Why, want.state, want.attempts, log)
		}
	}
	if left := Unfinished(states); len(left) != 1 || left[0] != 3 {
		t.Errorf("unfinished %v, want cell 3 only", left)
	}
}
