package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tutorialCommands are the commands of a page in Markdown, each with the lines that it is to print. A command is a line
// "$ tqn ..." in a block of code; the lines below it, up to the next command or the end of the block, are expected.
func tutorialCommands(page string) (commands [][]string, expected [][]string) {
	inside, afterCommand := false, false
	for _, line := range strings.Split(page, "\n") {
		switch words, isCommand := strings.CutPrefix(line, "$ tqn "); {
		case strings.HasPrefix(line, "```"): // opens a block (perhaps of another language) or closes one
			inside, afterCommand = !inside, false
		case inside && isCommand:
			commands, expected, afterCommand = append(commands, shellWords(words)), append(expected, nil), true
		case inside && afterCommand && strings.TrimSpace(line) != "":
			expected[len(expected)-1] = append(expected[len(expected)-1], line)
		}
	}
	return commands, expected
}

// shellWords splits a line at blanks outside double quotes.
func shellWords(line string) (words []string) {
	word, quoted, any := "", false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, word)
			}
			word, any = "", false
		default:
			word, any = word+string(r), true
		}
	}
	if any {
		words = append(words, word)
	}
	return words
}

// Every command of docs/tutorial.md runs and prints what the page shows.
func TestTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the ten minutes' commands, in about half a minute")
	}
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	samples, err := filepath.Abs("../../docs/samples")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("docs", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS("docs/samples", os.DirFS(samples)); err != nil {
		t.Fatal(err)
	}
	commands, expected := tutorialCommands(string(page))
	for i, c := range commands {
		code, out, errs := command(t, c...)
		if code != exitExpected {
			t.Errorf("tqn %s: exit %d: %s", strings.Join(c, " "), code, errs)
			continue
		}
		squeezed := strings.Join(strings.Fields(out), " ")
		for _, line := range expected[i] {
			if !strings.Contains(squeezed, strings.Join(strings.Fields(line), " ")) {
				t.Errorf("tqn %s does not print %q:\n%s", strings.Join(c, " "), line, out)
			}
		}
	}
	if len(commands) < 9 {
		t.Errorf("the tutorial has %d commands, want at least 9", len(commands))
	}
}
