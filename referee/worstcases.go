package referee

import (
	"context"
	"fmt"
	"slices"

	"tqn/bounds"
	"tqn/convex"
	"tqn/evidence"
	"tqn/worst"
)

// refuted says from which T on the worst case exceeds the printed bound and the bound of the appendix, among the committed certificates; 0: never. It is
// written down and not computed, so that a certificate which says otherwise is found.
type refuted struct{ printed, appendix int }

// refutedFrom is by worst.Problem.Row; a row that is not here is nowhere refuted.
var refutedFrom = map[string]refuted{
	"theorem2-k2-9/20":        {0, 16},
	"theorem2-k2-49/100":      {0, 10},
	"theorem2-k2-9/16":        {0, 6},
	"theorem2-k2-81/100":      {0, 3},
	"theorem2-k2-1":           {0, 3},
	"theorem2-k2-25/16":       {0, 10},
	"theorem2-k2-169/100":     {24, 10},
	"theorem2-k2-2":           {12, 3},
	"theorem2-k2-9/4":         {10, 10},
	"theorem2-k2-3":           {10, 10},
	"theorem2-k2-49/16":       {7, 7},
	"theorem2-k2-4":           {7, 7},
	"theorem2-k2-9/2":         {6, 6},
	"theorem2-k2-9":           {10, 10},
	"theorem2-k2-16":          {0, 10},
	"theorem3-k2-9/4-l-16":    {5, 0},
	"theorem3-k2-25/16-l-100": {3, 0},
}

// at is the verdict that is expected of a form.
func (r refuted) at(f bounds.Form, t int) evidence.Verdict {
	from := map[bounds.Form]int{bounds.Printed: r.printed, bounds.Appendix: r.appendix}[f]
	if from > 0 && t >= from {
		return evidence.Violated
	}
	return evidence.Holds
}

// worstClaim is the claim that a theorem's decay bounds the worst case.
func worstClaim(claim string, false_ ...Reading) Claim {
	return Claim{Name: claim + ".worst-case", False: false_,
		Says: "as Delta -> 0 and without gradient noise, the largest F(wbar_T) - F* over all functions and all W, enclosed by a checked certificate and an instance, is at most the bound"}
}

// worstCases measures it: of each row of certificates T = 3, the largest T, and where a bound is first exceeded. The certificates are all checked whichever are
// shown.
func (p *Plan) worstCases(claim string, number int) {
	problems, err := worst.Problems()
	p.fail(err)
	p.From(number)
	for i, problem := range problems {
		last := i+1 == len(problems) || problems[i+1].Row() != problem.Row()
		r := refutedFrom[problem.Row()]
		if problem.Claim() != claim || !last && !slices.Contains([]int{3, r.printed, r.appendix}, problem.T) {
			continue
		}
		p.worstCase(problem, i, "", 1, func(f bounds.Form) evidence.Verdict { return r.at(f, problem.T) })
	}
	i := slices.IndexFunc(problems, func(q worst.Problem) bool { return q.Claim() == claim && q.T == 2 })
	if i < 0 {
		p.fail(fmt.Errorf("no certificate of %s with T = 2", claim))
		return
	}
	p.worstCase(problems[i], i, controlMark+"half the bound: ", 0.5, func(bounds.Form) evidence.Verdict { return evidence.Violated })
}

// worstCase adds the certificate with the given index against every form times scale; a control only against the derived one.
func (p *Plan) worstCase(problem worst.Problem, index int, mark string, scale float64, expected func(bounds.Form) evidence.Verdict) {
	claim := problem.Claim()
	p.add(Measurement{Claim: claim + ".worst-case", Measure: func(ctx context.Context, _ Draw) ([]evidence.Record, error) {
		cases, err := worst.Cases()
		if err != nil {
			return nil, err
		}
		var records []evidence.Record
		for _, f := range worstForms(claim) {
			if mark != "" && f != bounds.Derived {
				continue
			}
			bound, err := problem.Bound(f)
			if err != nil {
				return nil, err
			}
			if f == bounds.Moving {
				bound *= 1 + 1e-6 // for c <= D/G it lies between the two sides of the enclosure, which are less than that apart
			}
			records = append(records, judged(claim+".worst-case", bounds.Stochastic, mark+problem.Name(), cases[index].Result(), target{f, scale * bound, expected(f)}))
		}
		return records, ctx.Err()
	}})
}

// worstForms are the forms whose decay the worst cases are compared with.
func worstForms(claim string) []bounds.Form {
	var forms []bounds.Form
	s := statement(claim)
	for _, f := range []bounds.Form{bounds.Printed, bounds.Appendix, bounds.Derived, bounds.Sharp, bounds.Moving} {
		if slices.Contains(s.Forms, f) || slices.Contains(s.Further, f) {
			forms = append(forms, f)
		}
	}
	return forms
}

// WorstCase is a line of docs/worst-cases.md.
type WorstCase struct {
	Row                                 string // worst.Problem.Row
	T, Dim, Weights                     int
	K, L                                float64
	Lower, Upper                        float64
	Printed, Appendix, Derived, Sharp   float64 // Appendix is 0 where there is none
	Moving                              float64 // the smallest bound: the form moving for Theorems 2 and 3, sharp for 1 and 4
	PrintedIsRefuted, AppendixIsRefuted bool
}

// RoundedWorstCase is a worst case with rounding errors of a given size: an upper bound.
type RoundedWorstCase struct {
	Row            string
	T              int
	K, Delta       float64 // Delta is sqrt(d) Delta
	Quiet, Upper   float64 // without and with errors, at most
	Decay, Derived float64 // the derived bound without and with its floor
	// Theorem 3 only: L in units of G/D, BC's rounding, the sharp bound and its floor.
	L, Sharp, Floor float64
	Rounding        bounds.Rounding
}

// RoundedWorstCases checks the certificates with rounding errors.
func RoundedWorstCases() ([]RoundedWorstCase, error) {
	cases, err := worst.RoundedCases()
	if err != nil {
		return nil, err
	}
	var all []RoundedWorstCase
	for _, c := range cases {
		derived, err := c.Bound(bounds.Derived)
		if err != nil {
			return nil, err
		}
		w := RoundedWorstCase{Row: c.Row(), T: c.T, K: c.K(), Delta: c.Delta(), Quiet: c.Quiet.Upper, Upper: c.Upper, Decay: derived - c.Delta()/2, Derived: derived}
		if c.Theorem == 3 {
			if w.Sharp, err = c.Bound(bounds.Sharp); err != nil {
				return nil, err
			}
			quiet, err := c.Quiet.Bound(bounds.Sharp)
			if err != nil {
				return nil, err
			}
			w.L, w.Rounding, w.Floor, w.Decay = c.LFloat(), c.Rounding(), w.Sharp-quiet, derived-c.LFloat()*c.Delta()/2
		}
		all = append(all, w)
	}
	return all, nil
}

// WorstCases checks all certificates and sets every worst case beside the bounds, row by row.
func WorstCases() ([][]WorstCase, error) {
	cases, err := worst.Cases()
	if err != nil {
		return nil, err
	}
	var rows [][]WorstCase
	for i, c := range cases {
		w := WorstCase{Row: c.Row(), T: c.T, Dim: c.Dim, Weights: c.Weights, K: c.K(), L: c.LFloat(), Lower: c.Lower, Upper: c.Upper}
		for _, f := range worstForms(c.Claim()) {
			bound, err := c.Bound(f)
			if err != nil {
				return nil, err
			}
			verdict := c.Result().AtMost(bound)
			if verdict == evidence.Undecided && (f == bounds.Printed || f == bounds.Appendix) {
				return nil, fmt.Errorf("referee: %s: the enclosure does not decide the %s bound %v", c.Name(), f, bound)
			}
			switch f {
			case bounds.Printed:
				w.Printed, w.PrintedIsRefuted = bound, verdict == evidence.Violated
			case bounds.Appendix:
				w.Appendix, w.AppendixIsRefuted = bound, verdict == evidence.Violated
			case bounds.Derived:
				w.Derived = bound
			case bounds.Sharp:
				w.Sharp, w.Moving = bound, bound
			case bounds.Moving:
				w.Moving = bound
			}
		}
		if i == 0 || cases[i-1].Row() != c.Row() {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], w)
	}
	return rows, nil
}

// worstCaption goes with a picture of worst cases.
const worstCaption = "The largest gap over all functions of the theorem's class and all W as Delta -> 0, without noise, divided by the derived bound; each mark lies between a checked certificate and an instance that are less than 1e-6 apart " +
	"(docs/worst-cases.md). A bound below a mark is false."

// worstRows are the rows that are drawn against T.
var worstRows = map[string]string{"theorem1": "theorem1", "theorem2": "theorem2-k2-2", "theorem3": "theorem3-k2-9/4-l-16", "theorem4": "theorem4-l-10"}

// worstFigure is the picture of a result's worst cases: against T, and for Theorem 2 against c at T = 10 too. The second result is false where none are known.
func worstFigure(claim string) (Figure, bool, error) {
	f := Figure{Columns: 2, Caption: worstCaption}
	if worstRows[claim] == "" {
		return f, false, nil
	}
	rows, err := WorstCases()
	if err != nil {
		return f, false, err
	}
	f.Title = statement(claim).Title + ": the worst case over all functions"
	var overC []WorstCase
	for _, row := range rows {
		if row[0].Row == worstRows[claim] {
			f.worst("against T, "+row[0].title(), "steps T", row, func(c WorstCase) float64 { return float64(c.T) })
			f.Conclusion = worstConclusion(row)
		}
		for _, c := range row {
			if claim == "theorem2" && c.Row[:len(claim)] == claim && c.T == 10 {
				overC = append(overC, c)
			}
		}
	}
	if overC != nil {
		f.worst("against c at T = 10", "c G/D", overC, func(c WorstCase) float64 { return c.K })
		stairs, err := staircases()
		if err != nil {
			return f, false, err
		}
		f.worst(fmt.Sprintf("against c at T = %d (worst case: at least)", stairs[0].T), "c G/D", stairs, func(c WorstCase) float64 { return c.K })
		f.Caption += " In the last panel the marks are staircases (docs/errata.md, 3), which the worst case is not below; they and the moving bound meet as T grows, so that the printed bound is false to the right of where it crosses the moving one, at c = 1.0837 D/G, and the appendix's beyond 0.5762 D/G."
	}
	return f, true, nil
}

// staircases are members of convex.Staircase at one T, over c, beside the bounds.
func staircases() ([]WorstCase, error) {
	const T = 1 << 14
	var all []WorstCase
	for _, k := range []float64{0.5, 0.576, 0.7, 0.85, 1, 1.0837, 1.2, 1.35, 1.5} {
		s, err := convex.NewStaircase(T, k, 0.119, 0.0078, 0)
		if err != nil {
			return nil, err
		}
		w := WorstCase{T: T, K: k}
		if w.Lower, w.Upper, err = s.Mean(); err != nil {
			return nil, err
		}
		for form, to := range map[bounds.Form]*float64{bounds.Printed: &w.Printed, bounds.Appendix: &w.Appendix, bounds.Derived: &w.Derived, bounds.Sharp: &w.Sharp, bounds.Moving: &w.Moving} {
			v, err := bounds.Theorem2(form, bounds.Stochastic, s.Parameters())
			if err != nil {
				return nil, err
			}
			*to = v.Total()
		}
		all = append(all, w)
	}
	return all, nil
}

// worstConclusion says how near the derived bound the worst cases of a row come, and from which T on they refute the printed one.
func worstConclusion(row []WorstCase) string {
	least, most, from := 1.0, 0.0, 0
	for _, c := range row {
		ratio := c.Upper / c.Derived
		least, most = min(least, ratio), max(most, ratio)
		if c.PrintedIsRefuted && from == 0 {
			from = c.T
		}
	}
	s := fmt.Sprintf("The worst case is %.3g to %.3g of the derived bound", least, most)
	if from > 0 {
		return fmt.Sprintf("%s; from T = %d on it lies above the printed bound, which is false there.", s, from)
	}
	return s + " and nowhere above the printed one."
}

// title says which constants a row has.
func (c WorstCase) title() string {
	switch {
	case c.K > 0 && c.L > 0:
		return fmt.Sprintf("c = %.4g D/G, L = %.4g G/D", c.K, c.L)
	case c.K > 0:
		return fmt.Sprintf("c = %.4g D/G", c.K)
	case c.L > 0:
		return fmt.Sprintf("L = %.4g mu", c.L)
	}
	return "any strongly convex F"
}

// worst adds a panel: the worst cases as marks, the bounds as lines, all divided by the derived bound, beside which they are told apart.
func (f *Figure) worst(title, x string, cases []WorstCase, at func(WorstCase) float64) {
	p := f.panel(title, x, "gap / derived bound")
	series := func(value func(WorstCase) float64) (xs, ys []float64) {
		for _, c := range cases {
			xs, ys = append(xs, at(c)), append(ys, value(c)/c.Derived)
		}
		return xs, ys
	}
	xs, ys := series(func(c WorstCase) float64 { return (c.Lower + c.Upper) / 2 })
	p.points("worst case", WorstRole, xs, ys)
	for _, b := range []struct {
		name  string
		form  bounds.Form
		value func(WorstCase) float64
	}{
		{"printed bound", bounds.Printed, func(c WorstCase) float64 { return c.Printed }},
		{"appendix bound", bounds.Appendix, func(c WorstCase) float64 { return c.Appendix }},
		{"derived bound", bounds.Derived, func(c WorstCase) float64 { return c.Derived }},
		{"sharp bound", bounds.Sharp, func(c WorstCase) float64 { return c.Sharp }},
		{"moving bound", bounds.Moving, func(c WorstCase) float64 { return c.Moving }},
	} {
		if b.form == bounds.Moving && cases[0].Moving == cases[0].Sharp && cases[len(cases)-1].Moving == cases[len(cases)-1].Sharp {
			continue // Theorems 1 and 4 have no such form
		}
		if xs, ys := series(b.value); ys[0] > 0 {
			p.line(b.name, boundRole(b.form, bounds.Stochastic), xs, ys)
		}
	}
}
