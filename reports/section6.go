package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tqn/cluster"
	"tqn/nets"
	"tqn/referee"
)

// lessons are the three things that the order of Table 1 says, each a comparison of two methods.
var lessons = []struct{ says, better, worse string }{
	{"Keeping real weights helps", "bc", "sr"},
	{"A larger batch helps stochastic rounding", "big-sr", "sr"},
	{"Rounding at random beats rounding to nearest", "sr", "r"},
}

// Meaning is the report's first paragraph: what the table says, lesson by lesson.
func (t *Table1) Meaning() string {
	if t.Plan.Preset == "smoke" {
		return "These runs show that the program works from data to report. They are too small to judge anything the paper says."
	}
	var said []string
	for _, l := range lessons {
		id := "table1." + l.better + "<" + l.worse
		i := slices.IndexFunc(t.Sentences, func(s referee.Sentence) bool { return s.ID == id })
		said = append(said, fmt.Sprintf("%s (%s < %s): %s.", l.says, methodTitle(l.better), methodTitle(l.worse), t.words(t.Sentences[i].Findings, l.better, l.worse)))
	}
	return strings.Join(said, " ")
}

// late says why runs of few updates show SR above R, where this table's do.
func (t *Table1) late() string {
	if t.Plan.Preset == "smoke" {
		return ""
	}
	for i := range t.columns {
		c := &t.columns[i]
		sr, r := c.entry("sr", ""), c.entry("r", "")
		if c.exact() || sr == nil || r == nil || sr.mean < r.mean {
			continue
		}
		return fmt.Sprintf("In runs as short as %s's (%d updates of SR) SR-ADAM is not yet better than R-ADAM: at the paper's protocol that order comes only after the drops of the learning rate, and last of all comparisons (docs/choices.md shows from which update on).", c.ID, sr.runs[0].Steps)
	}
	return ""
}

// words says how often each word was found: "holds in 4 columns, undecided in vgg9"; of a single column also the errors.
func (t *Table1) words(findings []referee.Finding, better, worse string) string {
	if len(findings) == 1 {
		f, methods := findings[0], t.columns[0].methods
		if f.Verdict == referee.NotRun {
			return string(f.Verdict)
		}
		return fmt.Sprintf("%s (%.2f against %.2f %%)", f.Verdict, methods[better].mean, methods[worse].mean)
	}
	var parts []string
	for _, w := range []referee.Word{referee.Holds, referee.Violated, referee.Undecided, referee.NotRun} {
		var columns []string
		for _, f := range findings {
			if f.Verdict == w {
				columns = append(columns, f.Column)
			}
		}
		switch {
		case len(columns) == 0:
		case len(columns) == len(findings) && len(columns) > 1:
			parts = append(parts, fmt.Sprintf("%s in all %d columns", w, len(columns)))
		case len(columns) > 3:
			parts = append(parts, fmt.Sprintf("%s in %d columns", w, len(columns)))
		default:
			parts = append(parts, fmt.Sprintf("%s in %s", w, strings.Join(columns, ", ")))
		}
	}
	return strings.Join(parts, ", ")
}

// sentences is the section on the paper's sentences.
func (t *Table1) sentences(p func(string, ...any)) {
	p("## Section 6, sentence by sentence")
	p("")
	if t.Plan.Preset == "smoke" {
		p("The runs of this preset are too small to judge.")
		p("")
		return
	}
	p("Every empirical sentence of Sections 6 and 6.1 and of Appendix H, against these runs. *Holds* and *violated*: the whole interval lies on one side of what the sentence says. *Undecided*: it does not, so that chance could have decided. *Not run*: no finished run speaks of it. Under *here*, A < B is what the sentence asks, beside the numbers that were measured, whether they fulfil it or not; the interval is that of A - B. All intervals of this report cover at once with probability %.0f %%.", 100*(1-referee.SectionError))
	p("")
	p("Errors of two networks are compared on the same test images (McNemar's test, taking the largest number of images on which they can differ). The weights of a filter move together, so a share of changed weights counts as an average over as many independent values as there are filters (Hoeffding's inequality). Both speak of the trained networks; another seed gives another network.")
	p("")
	table := Table{Header: []string{"place", "the paper says", "column", "here", "interval", "verdict"}}
	var never []string
	for _, s := range t.Sentences {
		if strings.HasPrefix(s.ID, "table1.") {
			continue // they have a table of their own
		}
		if s.Verdict() == referee.NotRun {
			if line := fmt.Sprintf("- %s, \"%s\": %s.", s.Place, s.Quote, reasons(s.Findings)); !slices.Contains(never, line) {
				never = append(never, line) // a sentence on SR and BC is judged for each
			}
			continue
		}
		quote := "\"" + s.Quote + "\""
		for _, f := range s.Findings {
			if f.Verdict == referee.NotRun {
				continue
			}
			table.Add(s.Place, quote, f.Column, f.What, interval(f), string(f.Verdict))
			quote = "" // once is enough
		}
	}
	p("%s", table.Markdown())
	p("What each row asks of the runs:")
	p("")
	var said []string
	for _, s := range t.Sentences {
		line := fmt.Sprintf("- \"%s\": %s.%s", short(s.Quote), s.Asks, because(s.Findings))
		if s.Asks != "" && !strings.HasPrefix(s.ID, "table1.") && s.Verdict() != referee.NotRun && !slices.Contains(said, line) {
			said = append(said, line)
			p("%s", line)
		}
	}
	p("")
	if len(never) > 0 {
		p("Not run:")
		p("")
		for _, line := range never {
			p("%s", line)
		}
		p("")
	}
}

// short is the beginning of a quotation.
func short(quote string) string {
	words := strings.Fields(quote)
	if len(words) <= 9 {
		return quote
	}
	return strings.Join(words[:9], " ") + " ..."
}

// because is what a reader should know of the findings, each once.
func because(findings []referee.Finding) string {
	var all []string
	for _, f := range findings {
		if f.Why != "" && f.Verdict != referee.NotRun && !slices.Contains(all, f.Why) {
			all = append(all, f.Why)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " " + sentence(strings.Join(all, "; ")) + "."
}

func reasons(findings []referee.Finding) string {
	var all []string
	for _, f := range findings {
		if !slices.Contains(all, f.Why) {
			all = append(all, f.Why)
		}
	}
	return strings.Join(all, "; ")
}

func interval(f referee.Finding) string {
	unit := map[string]string{"percentage points": " points", "percent": " %", "": ""}[f.Unit]
	switch {
	case f.Exact && f.Unit == "":
		return "exact"
	case f.Exact:
		return fmt.Sprintf("%.4g%s, counted", f.Value, unit)
	case math.IsInf(f.Lower, 0) || (f.Lower == 0 && f.Upper == 0):
		return "none"
	}
	return fmt.Sprintf("[%.2f, %.2f]%s", f.Lower, f.Upper, unit)
}

// pairTable is the order of Table 1, pair by pair.
func (t *Table1) pairTable(p func(string, ...any)) {
	table := Table{Header: []string{"column", "comparison", "test errors", "difference, percentage points", "verdict"}}
	for i := range t.columns {
		for _, s := range t.Sentences {
			pair, ok := strings.CutPrefix(s.ID, "table1.")
			if !ok {
				continue
			}
			better, worse, _ := strings.Cut(pair, "<")
			for _, f := range s.Findings {
				if f.Column != t.columns[i].ID {
					continue
				}
				name := methodTitle(better) + " < " + methodTitle(worse)
				if f.Verdict == referee.NotRun {
					table.Add(f.Column, name, f.Why, "", string(f.Verdict))
					continue
				}
				table.Add(f.Column, name, fmt.Sprintf("%s %.2f %%, %s %.2f %%", methodTitle(better), t.columns[i].methods[better].mean, methodTitle(worse), t.columns[i].methods[worse].mean),
					fmt.Sprintf("%.2f [%.2f, %.2f]", f.Value, f.Lower, f.Upper), string(f.Verdict))
			}
		}
	}
	p("%s", table.Markdown())
}

// found is what the runs say of a sentence in a column; of several findings, the last, which compares the smallest batch with the
// largest.
func (t *Table1) found(id, column string) referee.Finding {
	last := referee.Finding{Verdict: referee.NotRun}
	for _, s := range t.Sentences {
		for _, f := range s.Findings {
			if s.ID == id && f.Column == column {
				last = f
			}
		}
	}
	return last
}

// order is the word on a column's whole order, and why.
func (t *Table1) order(c *table1Column) (referee.Word, string) {
	words := map[referee.Word][]string{}
	for _, s := range t.Sentences {
		pair, ok := strings.CutPrefix(s.ID, "table1.")
		if !ok {
			continue
		}
		better, worse, _ := strings.Cut(pair, "<")
		for _, f := range s.Findings {
			if f.Column == c.ID {
				words[f.Verdict] = append(words[f.Verdict], methodTitle(better)+" < "+methodTitle(worse))
			}
		}
	}
	for _, w := range []referee.Word{referee.Violated, referee.NotRun, referee.Undecided} {
		if len(words[w]) > 0 {
			word := w
			if w == referee.NotRun {
				word = referee.Undecided
			}
			return word, fmt.Sprintf("%s: %s", w, strings.Join(words[w], ", "))
		}
	}
	return referee.Holds, "all ten comparisons hold"
}

// besidePaper compares errors with the paper's, both ways, and lists what is violated.
func (t *Table1) besidePaper(p func(string, ...any)) {
	if t.Plan.Preset == "smoke" {
		return
	}
	p("## The paper's errors beside ours")
	p("")
	if len(t.Against) == 0 {
		p("No column is run as in the paper, so no error is comparable with its errors.")
		p("")
		return
	}
	p("*Agrees*: the two networks cannot be told apart on the 10,000 test images that both were tested on. The reason given for a difference is a likely one, not an established one.")
	p("")
	table := Table{Header: []string{"column", "method", "here", "paper", "difference, percentage points", "verdict", "likely reason"}}
	for _, a := range t.Against {
		table.Add(a.Column, methodTitle(a.Method), fmt.Sprintf("%.2f %%", a.Ours), fmt.Sprintf("%.2f %%", a.Paper),
			fmt.Sprintf("%.2f [%.2f, %.2f]", a.Difference, a.Lower, a.Upper), a.Word, a.Reason)
	}
	p("%s", table.Markdown())
}

// protocol lists, column by column, what differs from Section 6 and Appendix H, and the unstated choices of the runs.
func (t *Table1) protocol(p func(string, ...any)) {
	p("## What differs from the paper's protocol")
	p("")
	for i := range t.columns {
		c := &t.columns[i]
		var differs []string
		differs = append(differs, c.Scaled...)
		for _, s := range t.States {
			if s.Column == c.ID && s.Result != nil {
				if d := precisionOf(s.Result.Kernel); d != "" && !slices.Contains(differs, d) {
					differs = append(differs, d)
				}
			}
		}
		var missing []string
		for _, s := range t.States {
			if s.Column == c.ID && s.State != cluster.Finished {
				missing = append(missing, s.ID)
			}
		}
		switch len(missing) {
		case 0:
		case 1:
			differs = append(differs, "1 run is missing ("+missing[0]+")")
		default:
			differs = append(differs, fmt.Sprintf("%d runs are missing (%s)", len(missing), strings.Join(missing, ", ")))
		}
		if len(differs) == 0 {
			p("- %s (`%s`): nothing; it is run as in Section 6 and Appendix H.", c.plain(), c.ID)
			continue
		}
		p("- %s (`%s`): %s.", c.plain(), c.ID, strings.Join(differs, "; "))
	}
	p("")
	if slices.ContainsFunc(t.columns, func(c table1Column) bool { return !c.exact() }) {
		p("*For* means in place of: with \"batch 16 for 128\" a step takes 16 images where the paper's takes 128. Drops are the epochs after which the learning rate falls. A number of a column with another net, data set or length of training is not comparable with the paper's; only the order of the methods is.")
		p("")
	}
	if line := t.unstated(); line != "" {
		p("%s", line)
		p("")
	}
}

// precisionOf names the precision of products that is not float32, from the kernel's description.
func precisionOf(kernel string) string {
	for word, says := range map[string]string{
		"tf32": "products in tf32 (factors rounded to 10 bits of fraction where float32 has 23)",
		"bf16": "products in bf16 (factors rounded to 7 bits of fraction where float32 has 23)",
	} {
		if slices.Contains(strings.FieldsFunc(kernel, func(r rune) bool { return r == ',' || r == ' ' || r == '-' || r == '(' }), word) {
			return says
		}
	}
	return ""
}

// unstated says which of the choices that the paper leaves open the runs made.
func (t *Table1) unstated() string {
	for _, s := range t.States {
		if s.Result == nil || s.Method != "bc" || s.Variant != "" {
			continue
		}
		return "Where the paper is silent (docs/choices.md): " + unstatedOf(s.Result.Config) + "."
	}
	return ""
}

func unstatedOf(c nets.Config) string {
	clip := "are kept in [-1, 1]"
	if !c.Clipped() {
		clip = "are not clipped"
	}
	said := []string{fmt.Sprintf("BC's real weights start from the law `%s` and %s", c.Init, clip)}
	if c.LearningRateScale != "" {
		said = append(said, "their steps are scaled as in "+c.LearningRateScale)
	}
	said = append(said, fmt.Sprintf("batch norm has epsilon %g and momentum %g", c.NormEpsilon, c.NormMomentum))
	if c.Shortcut != "" {
		said = append(said, "shortcuts are of type "+c.Shortcut)
	}
	if c.LastBatch == "keep" {
		said = append(said, "the last, smaller batch of an epoch is trained on")
	} else {
		said = append(said, "the images left over after the last whole batch are dropped")
	}
	return strings.Join(said, "; ")
}

// machine is what some of the finished runs share, a kernel or the commit of a program, and their cells.
type machine struct {
	name  string
	cells []string
}

// machines are the kernels of the finished runs, in the order of the cells. The kernel of a GPU's runs names the card.
func (t *Table1) machines() []machine {
	return t.finishedBy(func(s cluster.CellState) string { return s.Result.Kernel })
}

// trainedBy are the commits of the programs that the finished runs were trained by.
func (t *Table1) trainedBy() []machine {
	return t.finishedBy(func(s cluster.CellState) string {
		if c := t.commits[s.ID]; c != "" {
			return c
		}
		return "not told by their folders' manifest.json"
	})
}

// readCommits reads what the folders of the finished runs say of the programs that trained them. Runs of earlier versions do not say it.
func (t *Table1) readCommits(dir string) {
	t.commits = map[string]string{}
	for i, s := range t.States {
		if s.Result == nil {
			continue
		}
		if m, err := nets.ReadManifest(t.Plan.Cells[i].Dir(dir), s.Result.Sealed); err == nil && m != nil {
			t.commits[s.ID] = strings.Join(m.Commits, ", then ")
		}
	}
}

// finishedBy groups the finished runs by a name, in the order of the cells.
func (t *Table1) finishedBy(name func(cluster.CellState) string) (all []machine) {
	for _, s := range t.States {
		if s.Result == nil {
			continue
		}
		of := name(s)
		i := slices.IndexFunc(all, func(m machine) bool { return m.name == of })
		if i < 0 {
			i, all = len(all), append(all, machine{name: of})
		}
		all[i].cells = append(all[i].cells, s.ID)
	}
	return all
}

// sayMachines says which of the numbers are of which machine, if the runs share none: kernels add in different orders, so that
// the same run ends at other weights on another one.
func (t *Table1) sayMachines() string {
	all := t.machines()
	if len(all) < 2 {
		return ""
	}
	var said []string
	for _, m := range all {
		kernel, _, _ := strings.Cut(m.name, " (") // the manifest has the versions
		said = append(said, fmt.Sprintf("%s on %s", andOf(m.cells), kernel))
	}
	return "The runs were not all made by the same kernel: " + strings.Join(said, "; ") + ". Kernels add in different orders, so that a run that is repeated by another kernel ends at another network, as it does with another seed."
}
