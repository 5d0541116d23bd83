package cluster

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Submission is what both batch engines need to know.
type Submission struct {
	Name    string   // of the job: lower-case letters, digits and dashes
	Indices []int    // of the cells to run
	Jobs    int      // at once; 0: as many as the engine gives
	CPUs    int      // for each cell, at least 1
	Memory  int64    // bytes for each cell
	Limit   string   // Slurm: time limit, such as 12:00:00; empty: the partition's
	Program string   // path of tqn where the cells run
	Dir     string   // folder of the plan where the cells run
	Args    []string // more arguments of `tqn table1 run`, such as --dir

	Partition string // Slurm; empty: the default
	Retries   int    // of one cell; 0: 5

	// Kubernetes: container image, persistent volume claim, and where the claim is
	// mounted (empty: at Dir). Dir must lie in it.
	Image, Claim, Mount string
}

func (s *Submission) check() error {
	if !jobName.MatchString(s.Name) {
		return fmt.Errorf("cluster: job name %q, want up to 50 lower-case letters, digits and dashes, a letter first", s.Name)
	}
	if len(s.Indices) == 0 {
		return fmt.Errorf("cluster: every cell is finished: nothing to submit")
	}
	if s.CPUs < 1 || s.Memory < 1 || s.Jobs < 0 || s.Retries < 0 {
		return fmt.Errorf("cluster: %d CPUs, %d bytes, %d jobs, %d retries: want at least 1 CPU and some memory", s.CPUs, s.Memory, s.Jobs, s.Retries)
	}
	if !filepath.IsAbs(s.Dir) || !filepath.IsAbs(s.Program) {
		return fmt.Errorf("cluster: folder %q and program %q must be absolute paths: a job starts elsewhere", s.Dir, s.Program)
	}
	for _, a := range append([]string{s.Dir, s.Program, s.Limit, s.Partition, s.Image, s.Claim}, s.Args...) {
		if strings.ContainsAny(a, "\n\r\x00") {
			return fmt.Errorf("cluster: %q holds a line break", a)
		}
	}
	if s.Retries == 0 {
		s.Retries = 5
	}
	return nil
}

var (
	jobName   = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$`)
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
	slurmWord = regexp.MustCompile(`^[A-Za-z0-9_:.,-]*$`)
)

// ranges writes indices as Slurm does: 0-2,5,7-8.
func ranges(indices []int) string {
	indices = slices.Compact(slices.Sorted(slices.Values(indices)))
	var parts []string
	for i := 0; i < len(indices); {
		k := i
		for k+1 < len(indices) && indices[k+1] == indices[k]+1 {
			k++
		}
		part := strconv.Itoa(indices[i])
		if k > i {
			part += "-" + strconv.Itoa(indices[k])
		}
		parts = append(parts, part)
		i = k + 1
	}
	return strings.Join(parts, ",")
}

// CommandLine writes words as a line for sh: those that sh would not take as they
// are stand in quotes.
func CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; !plainWord.MatchString(w) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// SlurmScript is the script of a job array for sbatch.
//
// Slurm sends SIGTERM two minutes before the time limit; the script passes it on,
// tqn writes a checkpoint and exits with 130. On that, on 75, and where a signal
// killed tqn, the task requeues itself, up to the number of retries; on any other
// code it ends so.
func SlurmScript(s Submission) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	if !slurmWord.MatchString(s.Limit) || !slurmWord.MatchString(s.Partition) {
		return "", fmt.Errorf("cluster: time limit %q or partition %q holds characters that Slurm's do not", s.Limit, s.Partition)
	}
	if strings.ContainsAny(s.Dir, " \t\"'\\%") {
		return "", fmt.Errorf("cluster: folder %q: sbatch takes no blanks, quotes or percent signs in the name of the output file", s.Dir)
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/sh")
	line("#SBATCH --job-name=%s", s.Name)
	array := ranges(s.Indices)
	if s.Jobs > 0 {
		array += "%" + strconv.Itoa(s.Jobs)
	}
	line("#SBATCH --array=%s", array)
	line("#SBATCH --ntasks=1")
	line("#SBATCH --cpus-per-task=%d", s.CPUs)
	line("#SBATCH --mem=%dM", (s.Memory+1<<20-1)>>20)
	if s.Limit != "" {
		line("#SBATCH --time=%s", s.Limit)
	}
	if s.Partition != "" {
		line("#SBATCH --partition=%s", s.Partition)
	}
	line("#SBATCH --requeue")
	line("#SBATCH --open-mode=append")
	line("#SBATCH --signal=B:TERM@120")
	line("#SBATCH --output=%s/slurm-%%a.log", s.Dir)
	words := []string{s.Program, "table1", "run", "--out", s.Dir}
	words = append(words, s.Args...)
	line("%s &", CommandLine(words...))
	line("pid=$!")
	line("trap 'stopped=1; kill -TERM $pid' TERM")
	line("wait $pid; code=$?")
	line("# A trapped signal ends the first wait; the second has the program's own code.")
	line("if [ -n \"$stopped\" ]; then wait $pid; code=$?; [ $code -gt 128 ] && code=%d; fi", ExitInterrupted)
	line("# Try again: temporary failure, interrupted, or killed by a signal (memory).")
	line("if [ $code -eq %d ] || [ $code -gt 128 ]; then", ExitRetry)
	line("  if [ \"${SLURM_RESTART_COUNT:-0}\" -lt %d ]; then", s.Retries)
	line("    scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\" && exit 0")
	line("  fi")
	line("fi")
	line("exit $code")
	return b.String(), nil
}

// KubernetesManifest is a ConfigMap that holds the plan and an Indexed Job that
// runs its cells, as YAML for kubectl.
//
// Every index is a cell of the plan; those that are finished on the volume end at
// once. Exit codes 1 and 2 fail the index for good; other failures, and
// evictions, are repeated up to Retries times each.
func KubernetesManifest(s Submission, plan []byte) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	if s.Image == "" || s.Claim == "" {
		return "", fmt.Errorf("cluster: Kubernetes needs a container image (--image) and a persistent volume claim (--claim)")
	}
	if s.Mount == "" {
		s.Mount = s.Dir
	}
	if !filepath.IsAbs(s.Mount) || !strings.HasPrefix(filepath.Clean(s.Dir)+"/", strings.TrimSuffix(filepath.Clean(s.Mount), "/")+"/") {
		return "", fmt.Errorf("cluster: the folder %s does not lie in the volume mounted at %q", s.Dir, s.Mount)
	}
	if len(plan) > 1<<20 {
		return "", fmt.Errorf("cluster: the plan has %d bytes, a ConfigMap takes 1 MiB", len(plan))
	}
	if _, err := ParsePlan("plan", plan); err != nil {
		return "", err
	}
	completions := slices.Max(s.Indices) + 1
	parallelism := s.Jobs
	if parallelism == 0 || parallelism > completions {
		parallelism = completions
	}
	// A JSON string is a YAML string, whatever is in it.
	q := func(v string) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic("cluster: KubernetesManifest: " + err.Error())
		}
		return string(b)
	}
	args := []string{"table1", "run", "--plan", "/plan/plan.json", "--out", s.Dir}
	args = append(args, s.Args...)
	for i := range args {
		args[i] = q(args[i])
	}
	mib := (s.Memory + 1<<20 - 1) >> 20
	return fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata:
  name: %[1]s-plan
immutable: true
data:
  plan.json: %[2]s
---
apiVersion: batch/v1
kind: Job
metadata:
  name: %[1]s
spec:
  completionMode: Indexed
  completions: %[3]d
  parallelism: %[4]d
  backoffLimitPerIndex: %[5]d
  maxFailedIndexes: %[3]d
  podFailurePolicy:
    rules:
    - action: FailIndex
      onExitCodes:
        containerName: tqn
        operator: In
        values: [%[6]d, %[7]d]
    - action: Ignore
      onPodConditions:
      - type: DisruptionTarget
        status: "True"
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 120
      containers:
      - name: tqn
        image: %[8]s
        command: [%[9]s]
        args: [%[10]s]
        resources:
          requests:
            cpu: "%[11]d"
            memory: %[12]dMi
          limits:
            cpu: "%[11]d"
            memory: %[12]dMi
        volumeMounts:
        - name: work
          mountPath: %[13]s
        - name: plan
          mountPath: /plan
          readOnly: true
      volumes:
      - name: work
        persistentVolumeClaim:
          claimName: %[14]s
      - name: plan
        configMap:
          name: %[1]s-plan
`, s.Name, q(string(plan)), completions, parallelism, s.Retries, ExitPermanent, ExitUsage,
		q(s.Image), q(s.Program), strings.Join(args, ", "), s.CPUs, mib, q(s.Mount), q(s.Claim)), nil
}
