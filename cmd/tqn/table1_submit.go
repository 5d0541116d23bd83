package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"tqn/cluster"
)

// table1Submit submits the unfinished cells to a batch engine, or prints the job.
func (e *env) table1Submit(ctx context.Context, plan *cluster.Plan, f *table1Flags) error {
	s := cluster.Submission{Name: f.name, Jobs: f.jobs, CPUs: f.cpus, Limit: f.limit, Partition: f.partition, Image: f.image, Claim: f.claim, Mount: f.mount}
	if f.threads > 0 {
		s.Args = append(s.Args, "--threads", fmt.Sprint(f.threads))
	}
	if f.dir != "" {
		dir := f.dir
		if f.engine == "slurm" { // a job may start elsewhere
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			dir = abs
		}
		s.Args = append(s.Args, "--dir", dir)
	}
	s.Args = append(s.Args, f.passedOn()...)
	var err error
	if s.Dir, err = filepath.Abs(f.out); err != nil {
		return err
	}
	if f.engine == "kubernetes" {
		for i := range plan.Cells {
			s.Indices = append(s.Indices, i) // the volume tells the containers which are finished
		}
	} else {
		s.Indices = cluster.Unfinished(cluster.Collect(f.out, plan))
	}
	s.Memory = f.memory << 20
	for _, i := range s.Indices {
		cost, err := plan.Cells[i].Cost()
		if err != nil {
			return err
		}
		if f.memory == 0 {
			s.Memory = max(s.Memory, cost.Bytes)
		}
	}
	switch f.engine {
	case "slurm":
		if s.Program = f.program; s.Program == "" {
			if s.Program, err = os.Executable(); err != nil {
				return err
			}
		}
		scripts, err := cluster.SlurmScripts(s, cluster.MaxArraySize(ctx))
		if err != nil {
			return err
		}
		return e.submitArrays(ctx, scripts, f.print)
	case "kubernetes":
		if s.Program = f.program; s.Program == "" {
			s.Program = "/usr/local/bin/tqn"
		}
		b, err := json.Marshal(plan)
		if err != nil {
			return err
		}
		text, err := cluster.KubernetesManifest(s, b)
		if err != nil {
			return err
		}
		if f.print {
			return e.printTexts([]string{text})
		}
		return e.feed(ctx, text, "kubectl", "apply", "-f", "-")
	}
	return fmt.Errorf("no engine is called %q; there are local, pjrt, slurm and kubernetes", f.engine)
}

// submitArrays submits the scripts one by one, or prints them: one as it is, for sbatch,
// several as a script for sh that submits them all.
func (e *env) submitArrays(ctx context.Context, scripts []string, print bool) error {
	if print {
		texts := slices.Clone(scripts)
		for k := range texts {
			if len(texts) > 1 && !e.json {
				texts[k] = fmt.Sprintf("# array %d of %d, because of the cluster's MaxArraySize\nsbatch --parsable <<'END_OF_ARRAY'\n%sEND_OF_ARRAY\n", k+1, len(scripts), scripts[k])
			}
		}
		return e.printTexts(texts)
	}
	for k, script := range scripts {
		err := e.feed(ctx, script, "sbatch", "--parsable")
		if err != nil && k > 0 {
			err = fmt.Errorf("array %d of %d (the ones before are submitted): %w", k+1, len(scripts), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printTexts prints texts one after the other, or as a JSON array of strings.
func (e *env) printTexts(texts []string) error {
	if e.json {
		return e.printJSON(texts)
	}
	for _, t := range texts {
		if _, err := fmt.Fprint(e.stdout, t); err != nil {
			return err
		}
	}
	return nil
}

// feed runs a program with that text on its standard input.
func (e *env) feed(ctx context.Context, text string, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), e.stdout, e.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return nil
}
