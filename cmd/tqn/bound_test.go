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
		"theorem1 --d 1 --delta 1 --g 1 --mu 1":                            "Theorem 1: assumes T >= 1",
		"theorem1 --d 1 --delta 1 --g 1 --mu 1 --t 1.5":                    "--t 1.5: want a whole number",
		"theorem1 --d 1 --delta nan --g 1 --mu 1 --t 10":                   "Theorem 1: needs Delta",
		"theorem2 --d 1 --delta 1 --g 1 --c 0 --diameter 1 --t 10":         "Theorem 2: assumes c > 0",
		"theorem3 --d 1 --delta 1 --g 1 --c 1 --diameter inf --l 1 --t 10": "Theorem 3: assumes a domain of finite diameter",
		"theorem1 --rounding nearest --d 1 --delta 1 --g 1 --mu 1 --t 10":  "Theorem 1: it is about stochastic rounding",
		"theorem1 --form best --d 1 --delta 1 --g 1 --mu 1 --t 10":         `no form "best"`,
		"":                          "accepts 1 arg",
		"theorem1 --delta elephant": "elephant",
	} {
		code, out, errs := boundCommand(t, line)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("bound %s: exit %d, stdout %q, stderr %q; want exit 2 and %q", line, code, out, errs, want)
		}
	}
}
