package cluster

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Submission describes the batch job that runs cells of a plan, for Slurm or for Kubernetes.
type Submission struct {
	Name    string   // the job's name, of lower-case letters, digits and dashes
	Indices []int    // the indices of the cells to run
	Jobs    int      // cells that run at once; 0 leaves their number to the engine
	CPUs    int      // CPUs of each cell, at least 1
	Memory  int64    // bytes of memory of each cell
	Limit   string   // Slurm's time limit, such as 12:00:00; if it is empty, the partition's holds
	Program string   // path of tqn on the machines that run the cells
	Dir     string   // folder of the plan on these machines
	Args    []string // further arguments of `tqn table1 run`, such as --dir

	Partition string // Slurm's partition; if it is empty, the cluster's default
	Retries   int    // how often a cell is repeated; 0 stands for 5

	// Kubernetes needs the container image, the persistent volume claim, and the folder where the claim is
	// mounted, which is Dir if Mount is empty. Dir must lie in that folder.
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
	slurmTime = regexp.MustCompile(`^(\d+(:\d\d?){0,2}|\d+-\d+(:\d\d?){0,2}|(?i:unlimited|infinite))$`) // sbatch's manual, --time
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

// defaultArraySize is Slurm's MaxArraySize where a cluster sets none: the indices of an
// array's tasks must be below it.
const defaultArraySize = 1001

// MaxArraySize asks the cluster that this machine belongs to for the limit on the
// indices of a job array. It is Slurm's default, 1001, where scontrol cannot be run or says nothing.
func MaxArraySize(ctx context.Context) int {
	out, err := exec.CommandContext(ctx, "scontrol", "show", "config").Output()
	if err != nil {
		return defaultArraySize
	}
	return parseArraySize(string(out))
}

func parseArraySize(config string) int {
	for line := range strings.Lines(config) {
		name, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(name) != "MaxArraySize" {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
			return n
		}
	}
	return defaultArraySize
}

// SlurmScripts are the scripts of job arrays for sbatch, one for each maxArraySize cells of
// the plan: a task's index in its array is the cell's less the array's first. The Jobs are
// shared out evenly among the arrays, at least one each.
//
// Slurm sends SIGTERM two minutes before the time limit; the script passes it on,
// tqn writes a checkpoint and exits with 130. After 130, 74 and 75, and where a signal
// killed tqn, the task requeues itself, up to the number of retries; any other exit code
// becomes the task's own.
func SlurmScripts(s Submission, maxArraySize int) ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Limit != "" && !slurmTime.MatchString(s.Limit) {
		return nil, fmt.Errorf("cluster: time limit %q: want one of Slurm's, such as 90 (minutes), 12:00:00 or 2-12", s.Limit)
	}
	if !slurmWord.MatchString(s.Partition) {
		return nil, fmt.Errorf("cluster: partition %q holds characters that Slurm's do not", s.Partition)
	}
	if maxArraySize < 1 {
		return nil, fmt.Errorf("cluster: the cluster's MaxArraySize is %d: it runs no job arrays", maxArraySize)
	}
	arrays := map[int][]int{} // by the index of the first cell that the array could have
	for _, i := range s.Indices {
		first := i / maxArraySize * maxArraySize
		arrays[first] = append(arrays[first], i-first)
	}
	var scripts []string
	for k, first := range slices.Sorted(maps.Keys(arrays)) {
		array := ranges(arrays[first])
		if s.Jobs > 0 {
			share := s.Jobs / len(arrays)
			if k < s.Jobs%len(arrays) {
				share++
			}
			array += "%" + strconv.Itoa(max(1, share))
		}
		scripts = append(scripts, s.slurmScript(array, first))
	}
	return scripts, nil
}

// slurmScript is the script of the array whose task 0 is the cell with that index.
func (s *Submission) slurmScript(array string, first int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/sh")
	line("#SBATCH --job-name=%s", s.Name)
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
	line("#SBATCH --signal=B:TERM@120")
	line("#SBATCH --output=/dev/null")
	line("index=$((SLURM_ARRAY_TASK_ID + %d))", first)
	line("# The log is opened here: sbatch takes no name with blanks or quotes.")
	line("exec >>%s/slurm-$index.log 2>&1 || exit %d", CommandLine(s.Dir), ExitUsage)
	words := []string{s.Program, "table1", "run", "--out", s.Dir}
	words = append(words, s.Args...)
	line(`%s --index "$index" &`, CommandLine(words...))
	line("pid=$!")
	line("trap 'stopped=1; kill -TERM $pid' TERM")
	line("wait $pid; code=$?")
	line("# A trapped signal ends the first wait; the second has the program's own code.")
	line("if [ -n \"$stopped\" ]; then wait $pid; code=$?; [ $code -gt 128 ] && code=%d; fi", ExitInterrupted)
	line("# Try again: temporary failure, interrupted, or killed by a signal (memory).")
	line("if [ $code -eq %d ] || [ $code -eq %d ] || [ $code -gt 128 ]; then", ExitRetry, exitOutput)
	line("  if [ \"${SLURM_RESTART_COUNT:-0}\" -lt %d ]; then", s.Retries)
	line("    scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\" && exit 0")
	line("  fi")
	line("fi")
	line("exit $code")
	return b.String()
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
	if !strings.HasPrefix(filepath.Clean(s.Dir)+"/", strings.TrimSuffix(filepath.Clean(s.Mount), "/")+"/") {
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
	config, job := kubernetesObjects(s, string(plan), completions, parallelism)
	first, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	second, err := yaml.Marshal(job)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	return string(first) + "---\n" + string(second), nil
}

// object is a YAML mapping. k8s.io/api's types would make the program 10 MB larger; a test
// decodes what is written here strictly into them.
type object map[string]any

// kubernetesObjects are the ConfigMap and the Job.
func kubernetesObjects(s Submission, plan string, completions, parallelism int) (config, job object) {
	config = object{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata":   object{"name": s.Name + "-plan"},
		"immutable":  true,
		"data":       object{"plan.json": plan},
	}
	resources := object{"cpu": strconv.Itoa(s.CPUs), "memory": fmt.Sprintf("%dMi", (s.Memory+1<<20-1)>>20)}
	pod := object{
		"restartPolicy":                 "Never",
		"terminationGracePeriodSeconds": 120,
		"containers": []object{{
			"name":      "tqn",
			"image":     s.Image,
			"command":   []string{s.Program},
			"args":      append([]string{"table1", "run", "--plan", "/plan/plan.json", "--out", s.Dir}, s.Args...),
			"resources": object{"requests": resources, "limits": resources},
			"volumeMounts": []object{
				{"name": "work", "mountPath": s.Mount},
				{"name": "plan", "mountPath": "/plan", "readOnly": true},
			},
		}},
		"volumes": []object{
			{"name": "work", "persistentVolumeClaim": object{"claimName": s.Claim}},
			{"name": "plan", "configMap": object{"name": s.Name + "-plan"}},
		},
	}
	job = object{
		"apiVersion": "batch/v1",
		"kind":       "Job",
		"metadata":   object{"name": s.Name},
		"spec": object{
			"completionMode":       "Indexed",
			"completions":          completions,
			"parallelism":          parallelism,
			"backoffLimitPerIndex": s.Retries,
			"maxFailedIndexes":     completions,
			"podFailurePolicy": object{"rules": []object{
				{"action": "FailIndex", "onExitCodes": object{"containerName": "tqn", "operator": "In", "values": []int{ExitPermanent, ExitUsage}}},
				{"action": "Ignore", "onPodConditions": []object{{"type": "DisruptionTarget", "status": "True"}}},
			}},
			"template": object{"spec": pod},
		},
	}
	return config, job
}
