package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets"
	"tqn/referee"
	"tqn/reports"
	"tqn/runfolder"
)

// choicesJSON is choices.json: the summaries that docs/choices.md is made from.
type choicesJSON struct {
	Study []referee.StudyResult `json:"study"`
	Paper []referee.StudyResult `json:"paper"` // cells of a table at the paper's protocol
}

func newChoicesCommand(e *env) *cobra.Command {
	var out, data, paper, docs string
	var threads int
	var show, collect bool
	c := &cobra.Command{
		Use:   "choices --out DIR",
		Short: "the study of what the paper does not state: which initialisation, clip, step lengths fit its own sentences",
		Long: `choices makes the runs of a designed study (quarter-width VGG-9 on CIFAR-10; most take a minute or two on a free processor
core, some ten), one after the other, those that decide most first, and judges each choice against every sentence of
Section 6. It continues what is in DIR and writes DIR/choices.json, DIR/choices.md and pictures. docs/choices.md is the
page of the committed summaries: --collect --docs docs makes it anew from them and from what runs there are in DIR.`,
		Example: `  tqn choices --dir ~/cifar10 --out study
  tqn choices --out study --paper table1-paper --collect
  tqn choices --collect --docs docs
  tqn choices --print`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			study := referee.Study()
			if show {
				var commands []string
				for _, r := range study {
					commands = append(commands, r.Command())
				}
				if e.json {
					return e.printJSON(commands)
				}
				for _, c := range commands {
					fmt.Fprintln(e.stdout, c)
				}
				return nil
			}
			if docs != "" {
				if err := writable("--docs", docs); err != nil {
					return err
				}
			}
			made := missing(out)
			if err := writable("--out", out); err != nil {
				return err
			}
			if !collect {
				for _, r := range study {
					if err := e.train(cmd, r.Config, nets.Where{Dir: filepath.Join(out, r.Name), DataDir: data, Threads: threads}); err != nil {
						removeEmpty(made)
						return err
					}
				}
			}
			doc, err := readStudy(study, out, paper)
			if err != nil {
				return err
			}
			pageFile, pictures, folder := filepath.Join(out, "choices.md"), out, "."
			if docs != "" {
				folder = "results/choices"
				pageFile, pictures = filepath.Join(docs, "choices.md"), filepath.Join(docs, filepath.FromSlash(folder))
				if err := os.MkdirAll(pictures, 0o755); err != nil {
					return err
				}
				if err := doc.keep(study, filepath.Join(pictures, "choices.json")); err != nil {
					return err
				}
			}
			text, err := json.Marshal(doc)
			if err != nil {
				return err
			}
			if err := runfolder.WriteFile(filepath.Join(pictures, "choices.json"), append(text, '\n')); err != nil {
				return err
			}
			page, err := choicesPage(doc)
			if err != nil {
				return err
			}
			if err := page.Write(pageFile, pictures, folder); err != nil {
				return err
			}
			if e.json {
				return e.printJSON(struct {
					choicesJSON
					Sentences []referee.Sentence `json:"sentences"`
				}{doc, page.Sentences})
			}
			fmt.Fprintf(e.stdout, "%d of %d runs are done; page: %s\n", len(doc.Study), len(study), pageFile)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "study", "folder of the runs and of the page")
	c.Flags().StringVar(&data, "dir", "", "folder of the CIFAR-10 binaries (default: where tqn data fetch puts them)")
	c.Flags().StringVar(&paper, "paper", "", "folder of a table at the paper's protocol, whose curves are shown beside the study's")
	c.Flags().StringVar(&docs, "docs", "", "write choices.md and results/choices below this folder instead of a page in --out; runs that are not in --out keep the summaries that are there")
	c.Flags().IntVar(&threads, "threads", 0, "worker threads; 0 is all CPUs; the result does not depend on it")
	c.Flags().BoolVar(&show, "print", false, "print the runs' commands and make none")
	c.Flags().BoolVar(&collect, "collect", false, "make no run, only the page of those that are finished")
	return c
}

// readStudy summarises the finished runs of a folder, and the cells of a table.
func readStudy(study []referee.StudyRun, out, paper string) (doc choicesJSON, err error) {
	for _, r := range study {
		result, err := nets.ReadResult(filepath.Join(out, r.Name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return doc, err
		}
		if result.ConfigHash != r.Config.Hash() {
			return doc, fmt.Errorf("%s is another run than the study's; use another --out", filepath.Join(out, r.Name))
		}
		doc.Study = append(doc.Study, referee.Summarise(r.Name, result))
	}
	if paper == "" {
		return doc, nil
	}
	plan, err := cluster.LoadPlan(paper)
	if err != nil {
		return doc, err
	}
	for i, s := range cluster.Collect(paper, plan) {
		if s.Result != nil {
			doc.Paper = append(doc.Paper, referee.Summarise(plan.Cells[i].ID, *s.Result))
		}
	}
	return doc, nil
}

// keep adds, of the summaries in an earlier choices.json, those of runs that are not in this folder.
func (doc *choicesJSON) keep(study []referee.StudyRun, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var earlier choicesJSON
	if err := json.Unmarshal(text, &earlier); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	of := map[string]referee.StudyResult{}
	for _, s := range append(earlier.Study, doc.Study...) {
		of[s.Name] = s
	}
	doc.Study = nil
	for _, r := range study {
		if s, ok := of[r.Name]; ok && s.ConfigHash == r.Config.Hash() {
			doc.Study = append(doc.Study, s)
		}
	}
	if doc.Paper == nil {
		doc.Paper = earlier.Paper
	}
	return nil
}

// choicesPage judges what was summarised.
func choicesPage(doc choicesJSON) (*reports.Choices, error) {
	c := &reports.Choices{Study: referee.Study(), Results: map[string]referee.StudyResult{}, Paper: doc.Paper}
	for _, s := range referee.Starts() {
		c.Starts = append(c.Starts, s.String())
	}
	for _, r := range doc.Study {
		c.Results[r.Name] = r
	}
	c.Sentences = referee.JudgeStarts(c.Results)
	var err error
	c.Walks, err = referee.Walks()
	return c, err
}
