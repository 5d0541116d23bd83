package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func boundCommand(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), strings.Fields("bound "+line), &out, &errs)
	return code, out.String(), errs.String()
}

func TestBoundJSON(t *testing.T) {
	code, out, _ := boundCommand(t, "theorem2 --form derived --d 4 --delta 0.5 --g 2 --diameter 3 --c 2 --t 4 --json")
	const want = `{
  "claim": "theorem2",
  "form": "derived",
  "rounding": "stochastic",
  "value": 5.125,
  "decay": 4.125,
  "floor": 1
}
`
	if code != exitExpected || out != want {
		t.Errorf("exit %d, stdout\n%s\nwant\n%s", code, out, want)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil || len(v) != 6 {
		t.Errorf("%v: %v", v, err)
	}
}

func TestBoundText(t *testing.T) {
	code, out, _ := boundCommand(t, "theorem4 --form derived --rounding nearest --d 1 --delta 1 --g 0.7 --mu 1 --l 1 --diameter 1 --t 1e5")
	for _, want := range []string{"Theorem 4", "nearest rounding", "L*D*sqrt(d)*Delta/2", "floor", "0.5", "value"} {
		if code != exitExpected || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, out)
		}
	}
}

func TestBoundRefusesBadInput(t *testing.T) {
	for line, want := range map[string]string{
		"theorem9":                       `no claim "theorem9"`,
		"theorem1 --d 1 --delta 1 --g 1": "Theorem 1: needs mu",
		"theorem1 --d 1 --delta 1 --g 1 --mu 0 --t 10":                     "Theorem 1: assumes mu > 0",
		"theorem1 --d 1 --delta 1 --g 1 --mu 1":                            "Theorem 1: needs T (the number of averaged iterates, at least 1), which is not given",
		"theorem1 --d 1 --delta 1 --g 1 --mu 1 --t 1.5":                    "--t 1.5: want a whole number",
		"theorem1 --d 1 --delta nan --g 1 --mu 1 --t 10":                   "--delta NaN: want a finite number",
		"theorem2 --d 1 --delta 1 --g 1 --c 0 --diameter 1 --t 10":         "Theorem 2: assumes c > 0",
		"theorem3 --d 1 --delta 1 --g 1 --c 1 --diameter inf --l 1 --t 10": "--diameter +Inf: want a finite number",
		"theorem1 --rounding nearest --d 1 --delta 1 --g 1 --mu 1 --t 10":  "Theorem 1: it is about stochastic rounding",
		"theorem1 --form best --d 1 --delta 1 --g 1 --mu 1 --t 10":         `no form "best"`,
		// Everything that is missing is said at once, and what contradicts itself with the inequality.
		"theorem2 --d 1 --delta 1": "Theorem 2: needs G (E|grad f~|^2 <= G^2), D (the diameter of the domain), c (step sizes c/sqrt(t)) and T (the number of averaged iterates, at least 1), which are not given",
		"corollary1 --form sharp --d 1 --delta 1 --g 0.7 --mu 5 --l 1 --t 1e5":                         "L >= mu, but L = 1 is below mu = 5",
		"corollary1 --form sharp --rounding nearest --d 1 --delta 1 --g 0.7 --mu 5 --l 1 --t 1e5":      "L >= mu, but L = 1 is below mu = 5",
		"corollary1 --form limit --rounding nearest --d 1 --delta 1 --mu 5 --l 1":                      "L >= mu, but L = 1 is below mu = 5",
		"corollary1 --form limit --d 1 --delta 1 --l 1":                                                `no form "limit" for stochastic rounding`,
		"theorem1 --d 1 --delta 1 --g 1 --mu 1 --diameter 3 --t 10":                                    "G >= mu*D/2",
		"theorem4 --d 1 --delta 1 --g 0.4 --mu 1 --l 2 --t 10 --form sharp":                            "G >= mu*sqrt(d)*Delta/2",
		"theorem2 --d 4 --delta 1 --g 1 --c 1 --diameter 1.9 --t 10":                                   "D >= sqrt(d)*Delta",
		"theorem2 --d 1 --delta 1e-300 --g 1e-300 --c 1 --diameter 1 --t 10":                           "floor is 5e-601",
		"theorem2 --d 1 --delta 1 --g 1e300 --c 1 --diameter 1 --t 10":                                 "leaves the floating-point range",
		"theorem1 --d 1 --delta 1 --g 1 --mu 1 --t 0":                                                  "--t 0: want a whole number from 1 to 2^53",
		"theorem1 --d 1 --delta 1 --g 1 --mu 1 --t -5":                                                 "--t -5: want a whole number from 1 to 2^53",
		"theorem1 --d 1 --delta 1 --g 1 --mu 1 --t inf":                                                "--t +Inf: want a finite number",
		"theorem1 --d 1.5 --delta 1 --g 1 --mu 1 --t 5":                                                "--d 1.5: want a whole number",
		"theorem2 --form noise --d 1 --delta 1 --g 1 --diameter 1 --c 1 --t 5":                         "needs L (grad F is L-Lipschitz) and sigma (E|g - grad F|^2 <= sigma^2)",
		"theorem2 --form noise --d 1 --delta 1 --g 1 --diameter 1 --c 1 --t 5 --l 1 --sigma 1 --b 0.5": "--b 0.5: want a whole number",
		"":                          "bound: an argument is missing: tqn bound CLAIM",
		"theorem1 --delta elephant": "elephant",
	} {
		code, out, errs := boundCommand(t, line)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("bound %s: exit %d, stdout %q, stderr %q; want exit 2 and %q", line, code, out, errs, want)
		}
	}
}
