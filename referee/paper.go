package referee

import (
	"fmt"
	"slices"
	"strings"

	"tqn/bounds"
)

// Paper is a paper and its results in its order.
type Paper struct {
	Name    string // as in --paper: "li2017"
	Title   string
	Results []Result
}

// Papers are all papers that can be refereed; the first is the one this project is about.
func Papers() []Paper { return []Paper{li2017()} }

// Find returns the paper of a name; "" is the first one.
func Find(name string) (Paper, error) {
	var names []string
	for _, p := range Papers() {
		if p.Name == name || name == "" {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Paper{}, fmt.Errorf("referee: no paper %q; the papers are %s", name, strings.Join(names, ", "))
}

// Result is one result of a paper.
type Result struct {
	Statement bounds.Claim // its name, title, assumptions and bounds
	Meaning   string       // what it says, in one sentence for someone who has not read the paper
	Claims    []Claim      // what is judged: the statement itself first, then lines of its proof and what goes with it

	// Plan adds the measurements that judge the claims, negative controls included.
	Plan func(*Plan)
	// Figure computes the series of its picture; nil where there is none.
	Figure  func(seed uint64) (Figure, error)
	Caption string // what the picture shows, panel by panel
	Caveat  string // what the result is easily taken to say and does not; may be empty
}

// Claim is one thing that is judged.
type Claim struct {
	Name  string // "theorem2.step-sum"
	Says  string // what it says, in a line
	False []Reading
}

// Reading is a claim in one form and under one rounding. A claim lists the readings that
// are known to be false, each with a counterexample among its measurements; every
// other reading has to hold wherever it is measured.
type Reading struct {
	Form     bounds.Form
	Rounding bounds.Rounding
}

// Claims are all claims of a paper in its order.
func (p Paper) Claims() []Claim {
	var all []Claim
	for _, r := range p.Results {
		all = append(all, r.Claims...)
	}
	return all
}

// Names are the names that Options.Claims takes: one for each claim.
func (p Paper) Names() []string {
	var names []string
	for _, c := range p.Claims() {
		names = append(names, c.Name)
	}
	return names
}

// Selected reports whether a claim is asked for: by its own name or by what stands
// before a dot of it ("theorem2" has all of its lines). No names ask for everything.
func Selected(claim string, names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return claim == n || strings.HasPrefix(claim, n+".") })
}

// statement is the claim of package bounds with the given name.
func statement(name string) bounds.Claim {
	c, err := bounds.Find(name)
	if err != nil {
		panic("referee: " + err.Error())
	}
	return c
}
