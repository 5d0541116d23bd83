package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tqn/toy"
)

// What a command prints with --json is one document, and docs/design.md names each of its fields.
func TestFieldsOfJSONAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	run, table := filepath.Join(t.TempDir(), "run"), t.TempDir()
	plan, err := os.ReadFile("../../docs/results/table1-paper/plan.json") // without its cells
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(table, "plan.json"), plan, 0o644); err != nil {
		t.Fatal(err)
	}
	tiny := "--net vgg9 --method sr --data embedded --width 0.0625 --epochs 1 --batch 32 --train-images 64 --test-images 32"
	for _, line := range []string{
		"bound theorem1 --d 2 --delta 0.1 --g 1 --mu 1 --t 1000",
		"verify --claim lemma1.jensen",
		"chain ../../docs/samples/chain.csv",
		"toy --objective w*w --noise normal:1 --alphas 0.1",
		"train " + tiny + " --out " + run,
		"train " + tiny + " --dry-run --plan",
		"eval " + run,
		"compare " + run,
		"report ../../docs/results/toy",
		"table1 collect --out " + table,
		"data list",
		"data verify embedded",
		"choices --print",
		"--version",
	} {
		code, out, errs := command(t, append(strings.Fields(line), "--json")...)
		if code != exitExpected {
			t.Errorf("%s: exit %d: %s", line, code, errs)
			continue
		}
		var document any
		if err := json.Unmarshal([]byte(out), &document); err != nil {
			t.Errorf("%s: %v in %.200q", line, err, out)
			continue
		}
		if list, ok := document.([]any); ok && len(list) > 0 {
			document = list[0]
		}
		fields, _ := document.(map[string]any)
		for name := range fields {
			if !strings.Contains(string(page), `"`+name+`"`) {
				t.Errorf("%s: docs/design.md does not name the field %q", line, name)
			}
		}
	}
	for field := range reflect.TypeFor[toy.Result]().Fields() { // a run takes too long for this test
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !strings.Contains(string(page), `"`+name+`"`) {
			t.Errorf("toy: docs/design.md does not name the field %q", name)
		}
	}
}
