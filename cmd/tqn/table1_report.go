package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets"
	"tqn/referee"
	"tqn/reports"
)

func newTable1CollectCommand(e *env) *cobra.Command {
	f := &table1Flags{}
	c := &cobra.Command{
		Use:   "collect --out DIR",
		Short: "report what the cells' files say, however many are finished",
		Long: `collect writes DIR/report.md with its tables and figures from the files of the finished cells, as tqn table1 does at its
end; other cells may be running meanwhile.`,
		Example: "  tqn table1 collect --out table1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := cluster.LoadPlan(f.out)
			if err != nil {
				return err
			}
			if err := reports.CheckFormats(f.formats); err != nil {
				return fmt.Errorf("--formats: %w", err)
			}
			if err := writable("--out", f.out); err != nil {
				return err
			}
			return e.table1Collect(plan, f, 0, "tqn table1 collect")
		},
	}
	formatsFlag(c, &f.formats)
	c.Flags().StringVar(&f.out, "out", "", "folder of the plan and its cells")
	markRequired(c, "out")
	return c
}

// table1JSON is what table1 and its parts print with --json.
type table1JSON struct {
	Preset string              `json:"preset"`
	Hash   string              `json:"plan_hash"`
	Cells  []cluster.CellState `json:"cells"`
	Claims []table1ClaimJSON   `json:"ordering"`

	Sentences []referee.Sentence `json:"sentences,omitempty"` // every empirical sentence of the paper, with its findings
	Against   []referee.Against  `json:"against,omitempty"`   // errors beside the paper's

	Tables []reports.NamedTable `json:"tables,omitempty"` // every table of the report, Figures 4 to 7's too
}

// table1ClaimJSON is one comparison of the ordering claim; errors in percent.
type table1ClaimJSON struct {
	Column     string  `json:"column"`
	Better     string  `json:"better"`
	Worse      string  `json:"worse"`
	Difference float64 `json:"difference"`
	Lower      float64 `json:"lower"`
	Upper      float64 `json:"upper"`
	Verdict    string  `json:"verdict"`
}

// table1Document is the JSON of a table's cells, with what package referee says of them.
func table1Document(plan *cluster.Plan, states []cluster.CellState, sentences []referee.Sentence, against []referee.Against) table1JSON {
	doc := table1JSON{Sentences: sentences, Against: against, Preset: plan.Preset, Hash: plan.Hash, Cells: states, Claims: []table1ClaimJSON{}}
	for _, s := range sentences {
		pair, ok := strings.CutPrefix(s.ID, "table1.")
		if !ok {
			continue
		}
		better, worse, _ := strings.Cut(pair, "<")
		for _, f := range s.Findings {
			doc.Claims = append(doc.Claims, table1ClaimJSON{f.Column, better, worse, f.Value, f.Lower, f.Upper, string(f.Verdict)})
		}
	}
	return doc
}

// table1Collect writes the report and prints its table.
func (e *env) table1Collect(plan *cluster.Plan, f *table1Flags, wall time.Duration, command string) error {
	states := cluster.Collect(f.out, plan)
	e.warnUnsealed(resultsOf(states))
	t := reports.NewTable1(plan, states, reports.Manifest{
		Command: command + " " + cluster.CommandLine("--out", f.out), Seed: firstSeed(plan), Preset: plan.Preset, WallTime: wall, OfReport: true,
	})
	var err error
	if t.Laws, err = referee.Laws(); err != nil {
		return err
	}
	t.Sentences, t.Against = referee.Section6(plan, states)
	t.Formats = f.formats
	if err := t.Write(f.out); err != nil {
		return err
	}
	if e.json {
		doc := table1Document(plan, states, t.Sentences, t.Against)
		doc.Tables = t.Tables()
		return e.printJSON(doc)
	}
	fmt.Fprint(e.stdout, t.Summary().Text())
	fmt.Fprintln(e.stdout, t.Meaning())
	if left := len(cluster.Unfinished(states)); left > 0 {
		are := "are"
		if left == 1 {
			are = "is"
		}
		fmt.Fprintf(e.stdout, "%d of %s %s missing; the report says why\n", left, counted(len(states), "cell"), are)
	}
	fmt.Fprintln(e.stdout, "report:", filepath.Join(f.out, "report.md"))
	return nil
}

// resultsOf are the results of cells, nil where a cell has none.
func resultsOf(states []cluster.CellState) (results []*nets.Result) {
	for _, s := range states {
		results = append(results, s.Result)
	}
	return results
}

func firstSeed(plan *cluster.Plan) uint64 {
	if len(plan.Cells) == 0 {
		return 0
	}
	return plan.Cells[0].Config.Seed
}

func newTable1StatusCommand(e *env) *cobra.Command {
	f := &table1Flags{}
	c := &cobra.Command{
		Use:     "status --out DIR",
		Short:   "show how far every cell is, and which are running now",
		Long:    "status reads the cells' files and changes nothing: which are finished, running, interrupted, waiting or failed, and why.",
		Example: "  tqn table1 status --out table1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := cluster.LoadPlan(f.out)
			if err != nil {
				return err
			}
			states := cluster.Collect(f.out, plan)
			cluster.MarkRunning(f.out, plan, states)
			return e.table1States(plan, states, true)
		},
	}
	c.Flags().StringVar(&f.out, "out", "", "folder of the plan and its cells")
	markRequired(c, "out")
	return c
}

// table1States prints how far the cells are: a line that counts them and, if listed, a table with a row for each, or all as JSON.
func (e *env) table1States(plan *cluster.Plan, states []cluster.CellState, listed bool) error {
	if e.json {
		sentences, against := referee.Section6(plan, states)
		return e.printJSON(table1Document(plan, states, sentences, against))
	}
	table := reports.Table{Header: []string{"index", "cell", "state", "epoch", "test error", "why"}}
	counts := map[cluster.State]int{}
	for _, s := range states {
		counts[s.State]++
		testError := ""
		if s.TestError != nil {
			testError = fmt.Sprintf("%.2f %%", *s.TestError)
		}
		table.Add(s.Index, s.ID, string(s.State), fmt.Sprintf("%d/%d", s.Epoch, s.Epochs), testError, s.Why)
	}
	if listed {
		fmt.Fprint(e.stdout, table.Text())
	}
	_, err := fmt.Fprintf(e.stdout, "%s: %d finished, %d running, %d interrupted, %d waiting, %d to retry, %d failed\n", counted(len(states), "cell"),
		counts[cluster.Finished], counts[cluster.Running], counts[cluster.Interrupted], counts[cluster.Waiting], counts[cluster.Retrying], counts[cluster.Failed])
	return err
}
