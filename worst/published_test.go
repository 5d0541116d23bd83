package worst

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// published are closed forms of worst cases, with where they are proved; the constants are named as in PEPit's examples. theta is the sequence of the
// optimized gradient method.
var published = map[string]struct {
	source string
	form   func(c map[string]float64) float64
}{
	"gradient descent": {"Drori, Teboulle 2014: f(x_n)-f*, |x_0-x*| <= 1", func(c map[string]float64) float64 {
		return c["L"] / (2 * (2*c["n"]*c["L"]*c["gamma"] + 1))
	}},
	"subgradient method": {"Nesterov 2003; tight by Drori, Teboulle 2016: best f(x_t)-f*", func(c map[string]float64) float64 {
		return c["M"] / math.Sqrt(c["n"]+1)
	}},
	"heavy ball": {"Ghadimi, Feyzmahdavian, Johansson 2015: an upper bound", func(c map[string]float64) float64 {
		return math.Pow(1-c["alpha"]*c["mu"], c["n"])
	}},
	"proximal point":     {"Taylor, Hendrickx, Glineur 2017", func(c map[string]float64) float64 { return 1 / (4 * c["gamma"] * c["n"]) }},
	"optimized gradient": {"Kim, Fessler 2016", func(c map[string]float64) float64 { return c["L"] / (2 * math.Pow(theta(int(c["n"])), 2)) }},
	"exact line search": {"de Klerk, Glineur, Taylor 2017", func(c map[string]float64) float64 {
		return math.Pow((c["L"]-c["mu"])/(c["L"]+c["mu"]), 2*c["n"])
	}},
	"conjugate gradient": {"Drori, Taylor 2020", func(c map[string]float64) float64 { return c["L"] / (2 * math.Pow(theta(int(c["n"])), 2)) }},
	"stochastic gradient": {"Taylor, Bach 2019, one step", func(c map[string]float64) float64 {
		l, mu, gamma, v, r := c["L"], c["mu"], c["gamma"], c["v"], c["R"]
		return math.Pow(gamma*r*(l-mu)/2+math.Sqrt(math.Pow(r*(l+mu)/2*(gamma-2/(l+mu)), 2)+v*v*gamma*gamma), 2)
	}},
	"stochastic gradient, overparametrised": {"Taylor, Bach 2019, one step", func(c map[string]float64) float64 {
		return math.Pow(math.Max(1-c["gamma"]*c["mu"], c["L"]*c["gamma"]-1), 2)
	}},
	"proximal gradient": {"Taylor, Hendrickx, Glineur 2018", func(c map[string]float64) float64 {
		return math.Pow(math.Max(math.Pow(1-c["mu"]*c["gamma"], 2), math.Pow(1-c["L"]*c["gamma"], 2)), c["n"])
	}},
	"online gradient descent": {"Zinkevich 2003; fixed steps: regret", func(c map[string]float64) float64 { return c["M"] * c["D"] * math.Sqrt(c["n"]) }},
	"Halpern iteration":       {"Lieder 2021", func(c map[string]float64) float64 { return math.Pow(2/(c["n"]+1), 2) }},
	"Krasnoselskii-Mann": {"Lieder 2018", func(c map[string]float64) float64 {
		n, gamma := c["n"], c["gamma"]
		if gamma <= (1+math.Sqrt(n/(n+1)))/2 {
			return math.Pow(n/(n+1), n) / (n + 1) / (4 * gamma * (1 - gamma))
		}
		return math.Pow(2*gamma-1, 2*n)
	}},
}

// theta is theta_n of Kim and Fessler: the last step of the recursion has 8 in place of 4.
func theta(n int) float64 {
	x := 1.0
	for i := range n {
		k := 4.0
		if i == n-1 {
			k = 8
		}
		x = (1 + math.Sqrt(k*x*x+1)) / 2
	}
	return x
}

// upperOnly are published rates that are not attained.
var upperOnly = map[string]bool{"heavy ball": true}

// PEPit, another program by other authors, finds the published closed forms and the numbers of this package's certificates. Its numbers are in testdata,
// written by generate/published.py.
func TestAgainstPEPit(t *testing.T) {
	data, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name      string             `json:"name"`
		Constants map[string]float64 `json:"constants"`
		Value     float64            `json:"pepit"`
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	forms, ours := 0, 0
	for _, row := range rows {
		if row.Name != "ours" {
			p, ok := published[row.Name]
			if !ok {
				t.Errorf("%s has no closed form here", row.Name)
				continue
			}
			forms++
			want := p.form(row.Constants)
			if off := row.Value/want - 1; off > 1e-5 || off < -1e-5 && !upperOnly[row.Name] {
				t.Errorf("%s (%s): PEPit %v, closed form %v", row.Name, p.source, row.Value, want)
			}
			continue
		}
		for _, c := range cases {
			k2 := 0.0
			if c.K2 != nil {
				k2, _ = c.K2.Float64()
			}
			if float64(c.Theorem) == row.Constants["theorem"] && float64(c.T) == row.Constants["T"] && k2 == row.Constants["k2"] && c.LFloat() == row.Constants["l"] {
				ours++
				if row.Value < c.Lower-1e-6 || row.Value > c.Upper+1e-6 {
					t.Errorf("%s: PEPit %v, certificates %v to %v", c.Name(), row.Value, c.Lower, c.Upper)
				}
			}
		}
	}
	if forms != len(published) || ours != 8 {
		t.Errorf("compared %d closed forms of %d and %d certificates of 8", forms, len(published), ours)
	}
}
