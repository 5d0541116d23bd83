package referee

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tqn/cluster"
	"tqn/evidence"
	"tqn/nets"
)

// This file and section6.go referee the paper's experiments: every empirical sentence of Sections 6 and 6.1 and of Appendix H, and the order
// of Table 1, against trained networks.

// Word is what the runs say of a sentence.
type Word string

// The first three are the verdicts of package evidence.
const (
	Holds     Word = "holds"
	Violated  Word = "violated"
	Undecided Word = "undecided"
	NotRun    Word = "not run"            // no finished run, or nothing in a run, speaks of it
	TooSmall  Word = "too small to judge" // the runs only show that the program works
)

func wordOf(v evidence.Verdict) Word { return Word(v.String()) }

// Sentence is one empirical sentence of the paper.
type Sentence struct {
	ID    string `json:"id"`
	Place string `json:"place"`
	Quote string `json:"quote"`
	// Asks says what is measured and from where on it agrees with the sentence.
	Asks     string    `json:"asks"`
	Findings []Finding `json:"findings"`
}

// Finding is what one column's runs say of a sentence.
type Finding struct {
	Column string `json:"column"`
	// Scaled says that the column's runs are smaller than the paper's, or on other data.
	Scaled bool   `json:"scaled"`
	What   string `json:"what"` // what was compared, with the numbers, for readers
	// The measured number with its interval, in Unit ("percentage points", "percent", ""); zero where it is not run.
	Value   float64 `json:"value"`
	Lower   float64 `json:"lower"`
	Upper   float64 `json:"upper"`
	Unit    string  `json:"unit,omitempty"`
	Exact   bool    `json:"exact"` // counted or computed, no interval is needed
	Verdict Word    `json:"verdict"`
	Why     string  `json:"why,omitempty"` // of not run, and of what a reader should know
}

// Verdict is the findings' in one word: violated if any is, holds if at least one holds and none is undecided.
func (s Sentence) Verdict() Word {
	has := func(w Word) bool {
		return slices.ContainsFunc(s.Findings, func(f Finding) bool { return f.Verdict == w })
	}
	for _, w := range []Word{Violated, TooSmall, Undecided, Holds} {
		if has(w) {
			return w
		}
	}
	return NotRun
}

// SectionError is the probability that any interval of one report misses: a report is read, nothing fails on it, so 5 % for all of
// its intervals together.
const SectionError = 0.05

// Trained is what one method gave in a column, or a variant of it that only a figure shows: its finished runs, in the order of seeds.
type Trained struct {
	Method, Variant string
	Runs            []*nets.Result
}

// TrainedColumn is a column of Table 1 with what its cells gave.
type TrainedColumn struct {
	cluster.Column
	Trained []Trained // with at least one finished run, in the order of the plan
}

// trainedColumns sorts finished cells by column and method.
func trainedColumns(plan *cluster.Plan, states []cluster.CellState) []TrainedColumn {
	var columns []TrainedColumn
	for _, c := range plan.Columns {
		column := TrainedColumn{Column: c}
		for _, s := range states {
			if s.Column != c.ID || s.Result == nil {
				continue
			}
			i := slices.IndexFunc(column.Trained, func(t Trained) bool { return t.Method == s.Method && t.Variant == s.Variant })
			if i < 0 {
				i, column.Trained = len(column.Trained), append(column.Trained, Trained{Method: s.Method, Variant: s.Variant})
			}
			column.Trained[i].Runs = append(column.Trained[i].Runs, s.Result)
		}
		columns = append(columns, column)
	}
	return columns
}

// of finds a method's runs, without the variants; nil if none is finished.
func (c TrainedColumn) of(method string) *Trained {
	return c.find(func(t Trained) bool { return t.Method == method && t.Variant == "" })
}

func (c TrainedColumn) find(is func(Trained) bool) *Trained {
	if i := slices.IndexFunc(c.Trained, is); i >= 0 {
		return &c.Trained[i]
	}
	return nil
}

// byBatch are the runs of a rule at every batch size, small batches first; without weight decay and with the column's learning rate.
func (c TrainedColumn) byBatch(methods ...string) []*Trained {
	var all []*Trained
	for i, t := range c.Trained {
		k := t.Runs[0].Config
		if slices.Contains(methods, t.Method) && k.WeightDecay == 0 && (t.Variant == "" || k.LearningRate == c.Trained[0].Runs[0].Config.LearningRate) {
			all = append(all, &c.Trained[i])
		}
	}
	slices.SortStableFunc(all, func(a, b *Trained) int { return a.Runs[0].Config.Batch - b.Runs[0].Config.Batch })
	return all
}

// title is the method as the paper writes it, with what tells a variant from it.
func (t *Trained) title() string {
	m, err := nets.MethodNamed(t.Method)
	if err != nil {
		return t.Method
	}
	return m.Paper
}

// wrong is the number of test images of n that a network gets wrong, the mean over the runs.
func (t *Trained) wrong() (wrong float64, n int) {
	for _, r := range t.Runs {
		n = r.TestImages // the same of every run of a column
		wrong += math.Round(r.TestError/100*float64(n)) / float64(len(t.Runs))
	}
	return wrong, n
}

func (t *Trained) testError() float64 {
	wrong, n := t.wrong()
	return 100 * wrong / float64(n)
}

// judge collects the sentences of a report and shares its error budget out: it goes over the sentences twice, first to count.
type judge struct {
	columns   []TrainedColumn
	tooSmall  bool
	alpha     float64 // of one interval
	intervals int     // asked for so far
	sentences []Sentence
	compared  map[[2]*Trained]evidence.Result // differences of errors, so that one asked for twice spends one share
}

// share is the error probability of one interval.
func (j *judge) share() float64 {
	j.intervals++
	return j.alpha
}

// say adds a sentence with what ask finds in every column; without a finding it was not run.
func (j *judge) say(id, place, quote, asks string, ask func(TrainedColumn) []Finding) {
	s := Sentence{ID: id, Place: place, Quote: quote, Asks: asks}
	for _, c := range j.columns {
		for _, f := range ask(c) {
			f.Column, f.Scaled = c.ID, len(c.Scaled) > 0
			if math.IsInf(f.Lower, 0) || math.IsInf(f.Upper, 0) { // no interval; JSON has no word for infinity
				f.Lower, f.Upper = 0, 0
			}
			if j.tooSmall && f.Verdict != NotRun {
				f.Verdict = TooSmall
			}
			s.Findings = append(s.Findings, f)
		}
	}
	j.sentences = append(j.sentences, s)
}

// notRun is the finding where nothing was measured.
func notRun(why string, args ...any) []Finding {
	return []Finding{{Verdict: NotRun, Why: fmt.Sprintf(why, args...)}}
}

// lessError judges "a has the smaller test error".
func (j *judge) lessError(a, b *Trained, nameA, nameB string) Finding {
	wrongA, n := a.wrong()
	wrongB, other := b.wrong()
	if n != other {
		return Finding{What: nameA + " < " + nameB, Verdict: Undecided, Why: fmt.Sprintf("tested on %d and %d images", n, other)}
	}
	d, known := j.compared[[2]*Trained{a, b}]
	if !known {
		d = evidence.ErrorDifference(wrongA, wrongB, n, j.share())
		j.compared[[2]*Trained{a, b}] = d
		j.compared[[2]*Trained{b, a}] = evidence.Result{Method: d.Method, Estimate: -d.Estimate, Lower: -d.Upper, Upper: -d.Lower, Samples: d.Samples, Confidence: d.Confidence}
	}
	return Finding{
		What:  fmt.Sprintf("error of %s %.2f %% < %s %.2f %%", nameA, a.testError(), nameB, b.testError()),
		Value: 100 * d.Estimate, Lower: 100 * d.Lower, Upper: 100 * d.Upper, Unit: "percentage points",
		Verdict: wordOf(d.AtMost(0)),
	}
}

// Pairs of methods in the order of Table 1: every method against every later one.
func pairs() (all [][2]nets.Method) {
	methods := nets.Methods()
	for i, a := range methods {
		for _, b := range methods[i+1:] {
			all = append(all, [2]nets.Method{a, b})
		}
	}
	return all
}

// table1 judges the order of Table 1, pair by pair: not only neighbours, so that what is decided between distant rows is said.
func (j *judge) table1() {
	for _, pair := range pairs() {
		a, b := pair[0], pair[1]
		quote := fmt.Sprintf("Table 1: %s has the smaller error than %s in every column", a.Paper, b.Paper)
		j.say("table1."+a.Name+"<"+b.Name, "Table 1", quote, "the difference of the test errors is below 0", func(c TrainedColumn) []Finding {
			x, y := c.of(a.Name), c.of(b.Name)
			if x == nil || y == nil {
				return notRun("%s", missing(map[string]*Trained{a.Paper: x, b.Paper: y}))
			}
			return []Finding{j.lessError(x, y, a.Paper, b.Paper)}
		})
	}
}

// missing names the methods that have no finished run.
func missing(of map[string]*Trained) string {
	var names []string
	for name, t := range of {
		if t == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return "no finished run of " + strings.Join(names, " and of ")
}

// Against is a test error beside the paper's, both from networks of the same protocol on the same test images.
type Against struct {
	Column string  `json:"column"`
	Method string  `json:"method"`
	Ours   float64 `json:"ours"` // percent
	Paper  float64 `json:"paper"`
	// Difference is ours less the paper's, in percentage points.
	Difference float64 `json:"difference"`
	Lower      float64 `json:"lower"`
	Upper      float64 `json:"upper"`
	// Word is "agrees" (the two cannot be told apart), "better than the paper" or "worse than the paper".
	Word   string `json:"word"`
	Reason string `json:"reason,omitempty"` // likely, not established; empty where they agree
}

// against compares the errors of columns that are run as the paper does.
func (j *judge) against() (all []Against) {
	for _, c := range j.columns {
		if len(c.Scaled) > 0 {
			continue // only the same protocol gives comparable numbers
		}
		for _, m := range nets.Methods() {
			t := c.of(m.Name)
			if t == nil {
				continue
			}
			wrong, n := t.wrong()
			d := evidence.ErrorDifference(wrong, math.Round(c.PaperErrors[m.Name]/100*float64(n)), n, j.share())
			a := Against{Column: c.ID, Method: m.Name, Ours: t.testError(), Paper: c.PaperErrors[m.Name],
				Difference: 100 * d.Estimate, Lower: 100 * d.Lower, Upper: 100 * d.Upper, Word: "agrees"}
			switch {
			case d.Upper < 0:
				a.Word, a.Reason = "better than the paper", likelyReason(t)
			case d.Lower > 0:
				a.Word, a.Reason = "worse than the paper", likelyReason(t)
			}
			all = append(all, a)
		}
	}
	return all
}

// likelyReason is what may make our error of a method another than the paper's. The paper gives one number a cell and no spread.
func likelyReason(t *Trained) string {
	seeds := "one run of theirs against one of ours: seeds differ too"
	if len(t.Runs) > 1 {
		seeds = fmt.Sprintf("one run of theirs against %d of ours", len(t.Runs))
	}
	if t.Method == "bc" {
		return "the start of BC's real weights, which the paper does not give (here " + t.Runs[0].Config.Init + "; docs/choices.md); " + seeds
	}
	return "choices that the paper does not state (docs/choices.md) or " + seeds
}
