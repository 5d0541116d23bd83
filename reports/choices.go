package reports

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"tqn/nets"
	"tqn/referee"
	"tqn/runfolder"
)

// Choices is docs/choices.md: what the paper's own sentences leave of the choices that it does not state.
type Choices struct {
	Study     []referee.StudyRun // every run of the study, done or not
	Starts    []string           // the choices judged, as the sentences' columns are called
	Results   map[string]referee.StudyResult
	Paper     []referee.StudyResult // runs at the paper's protocol: VGG-9's cells, by their names such as vgg9.bc.1
	Sentences []referee.Sentence    // of the starts
	// Walks are the shares of signs, in percent, that would change if gradients were noise alone ([referee.Walk]): of a run by its
	// name, of a start for the paper's protocol at a learning rate by "start @ rate".
	Walks map[string]float64
}

// judgedOf names the sentences that tell starts apart, with the page's heads.
var judgedOf = []struct{ id, head string }{
	{"bc-at-most-20", "BC changes at most 20 %"},
	{"bc-stays-near", "fewer signs than the walk: BC stays near"},
	{"sr-changes-more-than-bc", "SR changes more than BC"},
	{"bc-beats-sr", "BC better than SR"},
	{"bc-small-batch-best", "BC best with the small batch"},
	{"decay-worse", "weight decay makes BC worse"},
	{"decay-distance", "decay makes |wb - wr| larger"},
	{"decay-towards-1", "with decay |wb - wr| approaches 1"},
	{"large-rate-as-good", "0.01 as good as 0.003 for 3 times the epochs"},
}

// judgedEverywhere is how many of these need one run of BC only; they come first.
const judgedEverywhere = 4

// Markdown is the page; images are linked below folder.
func (c *Choices) Markdown(folder string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# The choices that the paper does not state")
	p("")
	p("The paper leaves open where BinaryConnect's (BC's) real weights start, whether they are kept in [-1, 1] and how long their steps are. This page tries the choices that its sources suggest, and asks which of them fit what its Section 6 says of BC, of stochastic rounding (SR), of SR with big batches (Big SR) and of rounding to nearest (R).")
	p("")
	c.answer(p)
	p("## Every start against every sentence")
	p("")
	p("A start is where BC's real convolution weights begin, whether they are kept in [-1, 1], and how long their steps are. Each is judged as a column of Table 1 is (package referee, `Section6`): quarter-width VGG-9 on CIFAR-10, 10,000 training and 2,000 test images, 8 epochs of batch 16, which are 5,000 updates, 2,500 of them at the learning rate 0.01. This is a scaled-down run: the share of changed signs grows with the updates (next section), so that *holds* here does not mean holds at the paper's 62,400. Intervals cover all at once with probability 95 %%; where several seeds were run, the numbers are their means.")
	p("")
	c.starts(p)
	p("## The share of changed signs is a matter of updates")
	p("")
	c.updates(p, folder)
	p("## The other choices")
	p("")
	c.others(p)
	p("## From which update on SR is better than R")
	p("")
	c.order(p, folder)
	p("## Commands")
	p("")
	p("`tqn choices --dir DIR --paper table1-paper --out study --docs docs` makes the runs that are missing in `study`, one after the other, and then this page; `--collect` makes the page alone and `--print` lists the commands. DIR has the CIFAR-10 binaries; table1-paper is made from docs/results/table1-paper as docs/results/README.md says. Every number above comes from `choices.json` in [%s](%s), which holds the runs' summaries. One run is one line:", folder, folder)
	p("")
	p("```")
	missing := 0
	for _, r := range c.Study {
		line := r.Command()
		if nets.AtBF16(c.Results[r.Name].Kernel) {
			line += " --precision bf16"
		}
		if _, done := c.Results[r.Name]; !done {
			line += "   # not run yet"
			missing++
		}
		p("%s", line)
	}
	p("```")
	p("")
	if missing > 0 {
		p("Not run yet: %d of %d, marked above.", missing, len(c.Study))
		p("")
	}
	runs := map[string][]string{}
	var kernels []string
	for _, r := range c.Study {
		if s, ok := c.Results[r.Name]; ok {
			if runs[s.Kernel] == nil {
				kernels = append(kernels, s.Kernel)
			}
			runs[s.Kernel] = append(runs[s.Kernel], r.Name)
		}
	}
	for i, k := range kernels {
		of, how := "the runs", fmt.Sprintf("`TQN_KERNEL=%s`", k)
		if i > 0 {
			of = strings.Join(runs[k], ", ")
		}
		if nets.AtBF16(k) {
			how = "`--precision bf16`"
		}
		p("Kernel of %s: %s (%s); data: %s.", of, k, how, c.Results[runs[k][0]].DataChecksum)
		p("")
	}
	return b.String()
}

// paperUpdates is the number of updates of the paper's protocol at batch 128: 160 epochs of 390.
const paperUpdates = 62400

// atTheEnd are the largest shares of changed signs of the runs that make the paper's number of updates.
func (c *Choices) atTheEnd(of string) (all []string) {
	for _, l := range c.long() {
		if l.run.Steps >= paperUpdates && strings.HasPrefix(l.name, of) {
			all = append(all, fmt.Sprintf("%s %.1f %%", l.name, most(l.run)))
		}
	}
	return all
}

// NearWalk is how far the study's short runs are from the walk, in percentage points, and how many they are.
func (c *Choices) NearWalk() (far float64, n int) {
	for _, r := range c.Study {
		s, ok := c.Results[r.Name]
		if ok && (r.Short || r.Config.Method == "sr" || r.Config.Method == "big-sr") {
			far, n = max(far, math.Abs(lastOf(s).Changed-c.Walks[r.Name])), n+1
		}
	}
	return far, n
}

// answer is the page's first paragraphs.
func (c *Choices) answer(p func(string, ...any)) {
	var fits, long []string
	for _, l := range c.long() {
		if l.run.Steps < paperUpdates || !strings.HasPrefix(l.name, "BC") {
			continue
		}
		long = append(long, l.name)
		if most(l.run) <= 20 {
			fits = append(fits, l.name)
		}
	}
	switch {
	case len(long) == 0:
		p("**No run with the paper's number of updates is finished, so nothing is decided.**")
	case len(fits) == 0:
		p("**No start of BC that was run for the paper's number of updates keeps to the sentence that BC \"never changes more than 20%% of the weights\" (Section 6, Figure 4(b)). The largest shares are: %s.**", strings.Join(c.atTheEnd("BC"), "; "))
	default:
		p("**With the paper's number of updates, BC changes at most 20 %% of its signs from: %s. In all: %s.**", strings.Join(fits, ", "), strings.Join(c.atTheEnd("BC"), "; "))
	}
	p("")
	words := map[referee.Word][]string{}
	for _, start := range c.Starts {
		w := c.finding("bc-at-most-20", start).Verdict
		words[w] = append(words[w], start)
	}
	said := fmt.Sprintf("The sentence is already violated after 5,000 updates by BC from %s. It still holds then from %s, and is undecided from %s.", list(words[referee.Violated]), list(words[referee.Holds]), list(words[referee.Undecided]))
	if n := words[referee.NotRun]; len(n) > 0 {
		said += " Not run: " + list(n) + "."
	}
	p("%s", said)
	p("")
	nearest := choiceCurve{}
	for _, l := range c.long() {
		if l.run.Steps >= paperUpdates && strings.HasPrefix(l.name, "BC") && !strings.Contains(l.name, "0.003") && (nearest.name == "" || most(l.run) < most(nearest.run)) {
			nearest = l
		}
	}
	if nearest.name != "" {
		p("Nearest to it at the paper's learning rate is %s, with %.1f %% and a mean distance |wb - wr| of %.2f at the end. Distances above 1 are possible only without the clip; the vertical axis of Figure 7(c) runs to 2.5.", nearest.name, most(nearest.run), lastOf(nearest.run).Distance)
		p("")
	}
	p("Where each start comes from: `he` is that of the residual networks the paper follows, `torch7` that of the library it uses, `glorot` Lasagne's, `uniform` that of the original BinaryConnect on CIFAR-10 (its H = 1), which also has *BinaryConnect's step lengths* (its `W_LR_scale = \"Glorot\"`), and `rademacher` is what Appendix H.3 says of SR and R.")
	p("")
	for _, r := range c.Paper {
		if r.Name == "vgg9.sr.1" {
			p("The sentence that SR changes \"nearly 40%%\" of the weights fares no better: at the paper's protocol its share passes 40 %% after %d updates and ends at %.1f %%, where signs drawn anew stand. Both sentences fit a run that makes an order of magnitude fewer updates, or smaller ones, than Section 6 says; that is a guess at what the authors plotted, not a finding.", passes(r, 40), lastOf(r).Changed)
			p("")
		}
	}
	if far, n := c.NearWalk(); n > 0 {
		p("What these shares measure: if gradients were noise alone and nothing were learnt, Adam's steps would be a random walk, and the share of signs that it changes follows, without a free number, from the start, the learning rates and the number of updates. In all %d scaled-down runs of BC, SR and Big SR that have up to 25,000 updates the share that changed is within %.1f points of that walk's. At that length the shares of Figures 4 and 5 say how far a walk gets. They do not show that BC \"stays near a local minimizer and explores less\", as Section 6 infers, nor that a larger batch makes SR greedier: it makes fewer updates.", n, far)
		p("")
	}
	if len(fits) == 0 && len(words[referee.NotRun]) < len(c.Starts) {
		p("Therefore the default is still `he`, clipped, with equal steps. No start is compatible with every sentence, so that the sentence does not choose one, and with `he` ADAM and BC start alike and differ in the rule alone. `--init`, `--clip` and `--learning-rate-scale` of `tqn train` and `tqn table1` choose another.")
		p("")
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, "; ")
}

func (c *Choices) walk(of string) string {
	if v, ok := c.Walks[of]; ok {
		return fmt.Sprintf("%.1f", v)
	}
	return "-"
}

// runOf is the name of a start's first short run.
func (c *Choices) runOf(start string) string {
	for _, r := range c.Study {
		if r.Start == start && r.Short && r.Config.Seed == 1 {
			return r.Name
		}
	}
	return ""
}

// finding is a start's finding on a sentence.
func (c *Choices) finding(id, start string) referee.Finding {
	found := referee.Finding{Verdict: referee.NotRun}
	for _, s := range c.Sentences {
		for _, f := range s.Findings {
			if s.ID == id && f.Column == start {
				found = f
			}
		}
	}
	return found
}

func (c *Choices) starts(p func(string, ...any)) {
	table := Table{Header: []string{"start", "signs changed by BC, %", "walk alone, %", "test error, %"}}
	everywhere := judgedOf[:judgedEverywhere]
	for _, j := range everywhere {
		table.Header = append(table.Header, j.head)
	}
	for _, start := range c.Starts {
		changed, error := c.finding("bc-at-most-20", start), c.finding("table1.bc<sr", start)
		row := []any{start}
		if changed.Verdict == referee.NotRun {
			row = append(row, "not run", c.walk(c.runOf(start)), "")
		} else {
			row = append(row, fmt.Sprintf("%.1f [%.1f, %.1f]", changed.Value, changed.Lower, changed.Upper), c.walk(c.runOf(start)), errorOf(error.What))
		}
		for _, j := range everywhere {
			row = append(row, string(c.finding(j.id, start).Verdict))
		}
		table.Add(row...)
	}
	p("%s", table.Markdown())
	c.further(p)
	for _, m := range []struct{ name, run string }{{"SR", "sr-1"}, {"Big SR, with batch 128", "big-sr-1"}, {"R", "r-1"}} {
		if r, ok := c.Results[m.run]; ok {
			p("- %s changes %.1f %% (the walk alone %s %%) and ends with a test error of %.2f %%.", m.name, lastOf(r).Changed, c.walk(m.run), lastOf(r).TestError)
		}
	}
	p("")
}

// further judges the sentences that need more runs than one, from the starts that have them.
func (c *Choices) further(p func(string, ...any)) {
	table := Table{Header: []string{"sentence"}}
	var starts []string
	for _, start := range c.Starts {
		for _, j := range judgedOf[judgedEverywhere:] {
			if c.finding(j.id, start).Verdict != referee.NotRun {
				starts = append(starts, start)
				table.Header = append(table.Header, "from "+start)
				break
			}
		}
	}
	if len(starts) == 0 {
		return
	}
	for _, j := range judgedOf[judgedEverywhere:] {
		row := []any{j.head}
		for _, start := range starts {
			row = append(row, string(c.finding(j.id, start).Verdict))
		}
		table.Add(row...)
	}
	p("Sentences that compare two runs of BC were tried from these starts only:")
	p("")
	p("%s", table.Markdown())
}

// errorOf is the first error in a comparison's words.
func errorOf(what string) string {
	_, rest, ok := strings.Cut(what, "BC-ADAM ")
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, " %")
	return text
}

func lastOf(r referee.StudyResult) referee.StudyEpoch { return r.Epochs[len(r.Epochs)-1] }

// passes is the number of updates after which a run's share of changed signs first exceeds a value at the end of an epoch; 0 for
// never.
func passes(r referee.StudyResult, share float64) int {
	each := float64(r.Steps) / float64(len(r.Epochs))
	for i, e := range r.Epochs {
		if e.Changed > share {
			return int(math.Round(each * float64(i+1)))
		}
	}
	return 0
}

func most(r referee.StudyResult) (share float64) {
	for _, e := range r.Epochs {
		share = max(share, e.Changed)
	}
	return share
}

// curve of the page's pictures.
type choiceCurve struct {
	name string
	run  referee.StudyResult
}

// long are the runs with the paper's number of updates, and the short one of each clipped start.
func (c *Choices) long() (all []choiceCurve) {
	add := func(name, run string) {
		if r, ok := c.Results[run]; ok {
			all = append(all, choiceCurve{name, r})
		}
	}
	add("BC from rademacher", "bc-rademacher-62500-1")
	add("BC from rademacher, no clip", "bc-rademacher-noclip-62500-1")
	add("BC from uniform, learning rate 0.003", "bc-uniform-slow-62500-1")
	add("BC from uniform", "bc-uniform-1")
	add("BC from he", "bc-he-1")
	for _, r := range c.Paper {
		switch r.Name {
		case "vgg9.bc.1":
			all = append(all, choiceCurve{"BC from he, paper's protocol", r})
		case "vgg9.sr.1":
			all = append(all, choiceCurve{"SR, paper's protocol", r})
		}
	}
	return all
}

func (c *Choices) updates(p func(string, ...any), folder string) {
	p("![share of changed signs against updates](%s/changed.png)", folder)
	p("")
	table := Table{Header: []string{"run", "updates in all", "largest share of changed signs, %", "walk alone, %", "above 20 % after", "above 40 % after"}}
	after := func(n int) string {
		if n == 0 {
			return "never"
		}
		return fmt.Sprintf("%d updates", n)
	}
	for _, l := range c.long() {
		table.Add(l.name, l.run.Steps, fmt.Sprintf("%.1f", most(l.run)), c.walk(l.run.Name), after(passes(l.run, 20)), after(passes(l.run, 40)))
	}
	p("%s", table.Markdown())
	p("Rows of the paper's protocol are the full VGG-9 with batch 128 ([table1-paper](results/table1-paper/report.md) names the card of each run); the others are a quarter as wide, with batches of 8 for 62,500 updates and of 16 for 5,000. A line is one run, in which the signs of all convolutions are counted after every epoch.")
	p("")
	p("Why a start alone does not keep BC below 20 %%: Adam divides a gradient by its size, so that a weight whose gradient is noise walks at random, by the learning rate times the root of the number of updates. The paper's protocol makes 31,980 updates at 0.01 before the first drop, and 0.01 x sqrt(31,980) = %.2f is more than the distance of 1 that the farthest start has to a change of sign. *Walk alone* is the share that would change in a run if nothing were learnt (package referee, `Walk`; its tests simulate Adam on noise). SR has such a walk too: a weight flips with probability |step|/2. For the paper's protocol it is, by start and learning rate:", 0.01*math.Sqrt(31980))
	p("")
	walks := Table{Header: []string{"start", "0.01 (the paper's)", "0.003 (the original BinaryConnect's)", "0.001"}}
	for _, start := range c.Starts {
		row := []any{start}
		for _, rate := range []string{"0.01", "0.003", "0.001"} {
			row = append(row, c.walk(start+" @ "+rate))
		}
		walks.Add(row...)
	}
	p("%s", walks.Markdown())
	p("At 0.01 the walk stays above 20 %% from every start, at 0.003 it comes near or below it from `uniform` and `rademacher`. Weights that learn are held by their gradients, so that a long run may change less than the walk.")
	p("")
}

func (c *Choices) others(p func(string, ...any)) {
	table := Table{Header: []string{"choice", "start", "signs changed, %", "walk alone, %", "mean |wb - wr|", "test error, %", "without it: signs changed, %", "mean |wb - wr|", "test error, %"}}
	add := func(what, start, with, without string) {
		a, okA := c.Results[with]
		b, okB := c.Results[without]
		if !okA || !okB {
			table.Add(what, start, "not run", "", "", "", "", "", "")
			return
		}
		x, y := lastOf(a), lastOf(b)
		table.Add(what, start, fmt.Sprintf("%.2f", x.Changed), c.walk(with), fmt.Sprintf("%.3f", x.Distance), fmt.Sprintf("%.2f", x.TestError),
			fmt.Sprintf("%.2f", y.Changed), fmt.Sprintf("%.3f", y.Distance), fmt.Sprintf("%.2f", y.TestError))
	}
	add("batch norm's epsilon 1e-4 for 1e-5", "rademacher", "bc-rademacher-eps1e-4-1", "bc-rademacher-1")
	add("last batch kept (batch 48)", "rademacher", "bc-rademacher-keep48-1", "bc-rademacher-b48-1")
	add("batch 128 for 16", "rademacher", "bc-rademacher-b128-1", "bc-rademacher-1")
	add("batch 128 for 16", "he", "bc-he-b128-1", "bc-he-1")
	add("weight decay 1e-5", "rademacher", "bc-rademacher-wd-1", "bc-rademacher-1")
	add("weight decay 1e-5", "he", "bc-he-wd-1", "bc-he-1")
	add("learning rate 0.003 in 25 epochs for 0.01 in 8", "he", "bc-he-slow-1", "bc-he-1")
	p("%s", table.Markdown())
	p("On 2,000 test images one standard deviation of an error of 40 %% is 1.1 points: only differences above about 4 points could be told from chance here. The walk does not know of weight decay.")
	p("")
	p("Seeds differ by:")
	p("")
	seeds := Table{Header: []string{"start", "signs changed by seed, %", "test error by seed, %"}}
	for _, start := range []string{"rademacher", "uniform", "he"} {
		var changed, errors []string
		for seed := 1; seed <= 3; seed++ {
			if r, ok := c.Results[fmt.Sprintf("bc-%s-%d", start, seed)]; ok {
				changed, errors = append(changed, fmt.Sprintf("%.2f", lastOf(r).Changed)), append(errors, fmt.Sprintf("%.2f", lastOf(r).TestError))
			}
		}
		seeds.Add(start, strings.Join(changed, ", "), strings.Join(errors, ", "))
	}
	p("%s", seeds.Markdown())
	p("The shortcuts of the residual networks are not open: with type A everywhere ResNet-18 would have 10,994,880 convolution weights, where Appendix H.1 says 11.2 million, and with type B ResNet-56 850,576 for its 0.84 million (docs/nets.md). Batch norm's momentum moves the running averages alone, which no sentence of Section 6 speaks of.")
	p("")
}

// orderSizes are the sizes at which SR, R and Big SR were compared, smallest first.
func (c *Choices) orderSizes() (all []orderSize) {
	of := func(name string, runs map[string]string) {
		size := orderSize{name: name, runs: map[string]referee.StudyResult{}}
		for method, run := range runs {
			if r, ok := c.Results[run]; ok {
				size.runs[method] = r
			}
		}
		if len(size.runs) > 0 {
			if nets.AtBF16(size.runs["sr"].Kernel) {
				size.name += ", bf16"
			}
			all = append(all, size)
		}
	}
	of("quarter width, 10,000 images, 8 epochs", map[string]string{"sr": "sr-1", "r": "r-1", "big-sr": "big-sr-1"})
	of("half width, 10,000 images, 8 epochs", map[string]string{"sr": "sr-half-1", "r": "r-half-1", "big-sr": "big-sr-half-1"})
	of("full width, 10,000 images, 8 epochs", map[string]string{"sr": "sr-full-1", "r": "r-full-1", "big-sr": "big-sr-full-1"})
	of("quarter width, 25,000 images, 8 epochs", map[string]string{"sr": "sr-t25000-1", "r": "r-t25000-1", "big-sr": "big-sr-t25000-1"})
	of("quarter width, 50,000 images, 8 epochs", map[string]string{"sr": "sr-t50000-1", "r": "r-t50000-1", "big-sr": "big-sr-t50000-1"})
	full := orderSize{name: "the paper's protocol: full width, 50,000 images, 160 epochs", runs: map[string]referee.StudyResult{}}
	for _, r := range c.Paper {
		if parts := strings.Split(r.Name, "."); len(parts) == 3 && (parts[1] == "sr" || parts[1] == "r" || parts[1] == "big-sr") {
			full.runs[parts[1]] = r
		}
	}
	if len(full.runs) > 0 {
		all = append(all, full)
	}
	return all
}

type orderSize struct {
	name string
	runs map[string]referee.StudyResult
}

func (c *Choices) order(p func(string, ...any), folder string) {
	p("![test error against updates](%s/updates.png)", folder)
	p("")
	p("A line is one run, its test error measured after every epoch; another seed gives another line.")
	p("")
	table := Table{Header: []string{"size", "updates of SR and R", "SR, test error, %", "R", "Big SR", "SR below R at the end of", "SR stays below R"}}
	for _, s := range c.orderSizes() {
		row := []any{s.name, "", "not run", "not run", "not run", "", ""}
		for i, m := range []string{"sr", "r", "big-sr"} {
			if r, ok := s.runs[m]; ok {
				row[2+i] = fmt.Sprintf("%.2f", lastOf(r).TestError)
			}
		}
		sr, ok1 := s.runs["sr"]
		r, ok2 := s.runs["r"]
		if ok1 {
			row[1] = sr.Steps
		}
		if ok1 && ok2 {
			row[5], row[6] = below(sr, r), "never"
			if n := staysBelow(sr, r); n > 0 {
				row[6] = fmt.Sprintf("after %d updates", n)
			}
		}
		table.Add(row...)
	}
	p("%s", table.Markdown())
	p("%sWithin the paper's protocol the order turns at the drops of the learning rate: at the large rate SR's test error jumps from epoch to epoch (perhaps because batch norm's running averages lag behind weights that flip; this was not measured), and at the smallest it stays below R's.%s", c.widths(), c.training())
	p("")
}

// widths says whether more width alone, at the same number of updates, brings SR below R.
func (c *Choices) widths() string {
	var said []string
	below := 0
	for _, w := range []struct{ name, width string }{{"1", "a quarter of the width"}, {"half-1", "half of it"}, {"full-1", "full width"}} {
		sr, ok1 := c.Results["sr-"+w.name]
		r, ok2 := c.Results["r-"+w.name]
		if !ok1 || !ok2 {
			continue
		}
		d := lastOf(sr).TestError - lastOf(r).TestError
		if d < 0 {
			below++
		}
		said = append(said, fmt.Sprintf("%+.2f points at %s", d, w.width))
	}
	switch {
	case len(said) < 2:
		return "Width and updates grow together here, so that the rows do not say which of the two turns the order. "
	case below == 0:
		return fmt.Sprintf("After 5,000 updates SR is above R at every width that was run: SR's error less R's is %s (one seed, 2,000 test images). ", strings.Join(said, ", "))
	}
	return fmt.Sprintf("After 5,000 updates SR's error less R's is %s (one seed, 2,000 test images). ", strings.Join(said, ", "))
}

// staysBelow is the number of updates from which on a's test error is below b's at the end of every epoch; 0 for never.
func staysBelow(a, b referee.StudyResult) int {
	from := len(a.Epochs)
	for from > 0 && a.Epochs[from-1].TestError < b.Epochs[from-1].TestError {
		from--
	}
	if from == len(a.Epochs) {
		return 0
	}
	return int(math.Round(float64(a.Steps) / float64(len(a.Epochs)) * float64(from+1)))
}

// training says from which epoch on R's training error at the paper's protocol is the lower one.
func (c *Choices) training() string {
	sizes := c.orderSizes()
	if len(sizes) == 0 {
		return ""
	}
	last := sizes[len(sizes)-1].runs
	sr, ok1 := last["sr"]
	r, ok2 := last["r"]
	if !ok1 || !ok2 || sr.Steps < paperUpdates {
		return ""
	}
	from := len(sr.Epochs)
	for from > 0 && r.Epochs[from-1].TrainError < sr.Epochs[from-1].TrainError {
		from--
	}
	return fmt.Sprintf(" R, whose convolutions never change, has the lower training error from epoch %d on (%.2f against %.2f %% at the end): SR is ahead on new images only.", from+1, lastOf(r).TrainError, lastOf(sr).TrainError)
}

// below says at the ends of which epochs a's test error is below b's, by learning rate.
func below(a, b referee.StudyResult) string {
	var parts []string
	for i := 0; i < len(a.Epochs) && i < len(b.Epochs); {
		k, n := i, 0
		for ; k < len(a.Epochs) && k < len(b.Epochs) && a.Epochs[k].Alpha == a.Epochs[i].Alpha; k++ {
			if a.Epochs[k].TestError < b.Epochs[k].TestError {
				n++
			}
		}
		parts = append(parts, fmt.Sprintf("%d of %d epochs at %g", n, k-i, a.Epochs[i].Alpha))
		i = k
	}
	return strings.Join(parts, ", ")
}

// changedFigure draws the share of changed signs against updates, updatesFigure the test errors.
func (c *Choices) changedFigure() *Figure {
	f := NewFigure(1)
	f.Title = "Convolution signs that differ from the start"
	f.Conclusion = "Largest share in each run of the paper's number of updates: " + strings.Join(c.atTheEnd(""), "; ") + "."
	panel := f.Panel("VGG-9 on CIFAR-10", "updates", "signs changed, %")
	Logarithmic(&panel.X)
	others := 0
	for _, l := range c.long() {
		xs, ys := updatesOf(l.run, func(e referee.StudyEpoch) float64 { return e.Changed })
		style, known := methodStyle(map[string]string{"BC from rademacher": "bc", "SR, paper's protocol": "sr"}[l.name])
		if !known {
			style = otherStyles[others%len(otherStyles)]
			others++
		}
		panel.Series(l.name, style, xs, ys)
	}
	panel.Level("20 %", 20)
	panel.Level("50 %: signs drawn anew", 50)
	panel.Y.Min, panel.Y.Max = 0, 52
	return f
}

func (c *Choices) updatesFigure() *Figure {
	f := NewFigure(2)
	f.Title = "Test error against updates: VGG-9 on CIFAR-10"
	var above, below []string
	for _, s := range c.orderSizes() {
		sr, ok1 := s.runs["sr"]
		r, ok2 := s.runs["r"]
		if !ok1 || !ok2 {
			continue
		}
		steps := fmt.Sprint(sr.Steps)
		if n := staysBelow(sr, r); n > 0 {
			below = append(below, fmt.Sprintf("%s updates (from update %d on)", steps, n))
		} else if !slices.Contains(above, steps) { // two widths have as many updates
			above = append(above, steps)
		}
	}
	var said []string
	if len(above) > 0 {
		said = append(said, "above R's in the runs of "+andOf(above)+" updates")
	}
	if len(below) > 0 {
		said = append(said, "below R's in the run of "+andOf(below))
	}
	if len(said) > 0 {
		f.Conclusion = "SR's test error ends " + strings.Join(said, ", ") + "."
	}
	for _, s := range c.orderSizes() {
		title, _, _ := strings.Cut(strings.Replace(s.name, ", 8 epochs", "", 1), ":") // the paper's protocol is long
		panel := f.Panel(title, "updates", "test error, %")
		Logarithmic(&panel.X)
		for _, m := range []string{"r", "big-sr", "sr"} {
			r, ok := s.runs[m]
			if !ok {
				continue
			}
			xs, ys := updatesOf(r, func(e referee.StudyEpoch) float64 { return e.TestError })
			panel.Series(methodTitle(m), runStyles([]nets.Config{{Method: m}})[0], xs, ys)
			if m == "sr" {
				panel.Mark("SR's and R's rate drops", dropsOf(r)...)
			}
		}
	}
	sameScale(f.panels...)
	low, high := f.panels[0].X.Min, f.panels[0].X.Max
	for _, p := range f.panels {
		low, high = min(low, p.X.Min), max(high, p.X.Max)
	}
	for _, p := range f.panels { // the same updates above each other
		p.X.Min, p.X.Max = low, high
	}
	return f
}

// dropsOf are the numbers of updates after which a run's learning rate drops.
func dropsOf(r referee.StudyResult) (updates []float64) {
	for i := 1; i < len(r.Epochs); i++ {
		if r.Epochs[i].Alpha < r.Epochs[i-1].Alpha {
			updates = append(updates, float64(r.Steps)/float64(len(r.Epochs))*float64(i))
		}
	}
	return updates
}

func updatesOf(r referee.StudyResult, value func(referee.StudyEpoch) float64) (xs, ys []float64) {
	each := float64(r.Steps) / float64(len(r.Epochs))
	for i, e := range r.Epochs {
		xs, ys = append(xs, each*float64(i+1)), append(ys, value(e))
	}
	return xs, ys
}

// Write writes the page, and its pictures into a folder that it links as folder.
func (c *Choices) Write(page, pictures, folder string) error {
	for name, f := range map[string]*Figure{"changed.png": c.changedFigure(), "updates.png": c.updatesFigure()} {
		if err := f.Save(filepath.Join(pictures, name)); err != nil {
			return err
		}
	}
	return runfolder.WriteFile(page, []byte(c.Markdown(folder)))
}
