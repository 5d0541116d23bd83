package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// tidyUsage makes all commands say what is wrong with a command line in the same words: the flag, its value, what it takes; an argument
// too many, or which one is missing.
func tidyUsage(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error {
				err := check(c, args)
				switch {
				case err == nil:
					return nil
				case c.HasSubCommands():
					return fmt.Errorf("%s: there is no command %q; %s --help lists them", commandOf(c), args[0], c.CommandPath())
				case check(c, args[:min(1, len(args))]) == nil, check(c, nil) == nil:
					return fmt.Errorf("%s: argument %q is one too many; a flag's value is written behind it, or as --flag=value", commandOf(c), args[len(args)-1])
				}
				return fmt.Errorf("%s: an argument is missing: %s", commandOf(c), c.UseLine())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// group makes a command of which only the subcommands do something: alone it prints its help.
func group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

// commandOf is a command's name without the program's.
func commandOf(c *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "tqn"), " ")
}

// flagError says what is wrong with a flag that could not be read.
func flagError(c *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		f := value.GetFlag()
		if want := wanted(commandOf(c), f); want != "" {
			return fmt.Errorf("--%s %s: want %s", f.Name, quoted(value.GetValue()), want)
		}
		return fmt.Errorf("--%s %s: %w", f.Name, quoted(value.GetValue()), errors.Unwrap(err))
	}
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) {
		return fmt.Errorf("--%s: a value is missing", missing.GetFlag().Name)
	}
	return fmt.Errorf("%w; %s --help lists the flags", err, c.CommandPath())
}

// quoted puts a value in quotation marks where it would not be seen, or be read as several words.
func quoted(text string) string {
	if text == "" || strings.ContainsAny(text, " \t\n\"") {
		return strconv.Quote(text)
	}
	return text
}

// wanted says in words what a flag of numbers takes; empty for another.
func wanted(command string, f *pflag.Flag) string {
	l, ok := limitOf(command, f.Name)
	switch kind := f.Value.Type(); kind {
	case "int", "int64":
		if !ok {
			l = limit{math.MinInt64, math.MaxInt64}
		}
		return "a whole number" + l.words()
	case "uint64":
		return "a whole number from 0 to 18446744073709551615"
	case "float64":
		return "a finite number" + l.words()
	case "intSlice":
		return "whole numbers" + l.words() + ", separated by commas"
	case "numbers":
		return "finite numbers" + l.words() + ", separated by commas"
	case "duration":
		return fmt.Sprintf("a time with its unit, such as 30s or 5m, from %s to %s", time.Duration(l.low), time.Duration(l.high))
	case "bool":
		return "true or false"
	}
	return ""
}

// words are the ends of a range, if it has any.
func (l limit) words() string {
	switch {
	case l == limit{}, l.low == math.MinInt64:
		return ""
	case l.high == math.MaxFloat64:
		return " of at least " + plain(l.low)
	}
	return " from " + plain(l.low) + " to " + plain(l.high)
}

// entriesOf are the entries of a flag that is a list.
func entriesOf(f *pflag.Flag) []string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	return nil
}

// numbers is the value of a flag of numbers separated by commas. pflag's own says them with six digits behind the point, so that
// 1e-9 cannot be looked at again.
type numbers struct {
	to      *[]float64
	changed bool
}

// numbersFlag declares a flag of numbers separated by commas.
func numbersFlag(f *pflag.FlagSet, to *[]float64, name, usage string) {
	f.Var(&numbers{to: to}, name, usage)
}

func (n *numbers) Type() string   { return "numbers" }
func (n *numbers) String() string { return commaSeparated(*n.to) }
func (n *numbers) GetSlice() []string {
	return strings.FieldsFunc(n.String(), func(c rune) bool { return c == ',' })
}

// Set replaces the default, and adds to what was given before.
func (n *numbers) Set(text string) error {
	if !n.changed {
		*n.to, n.changed = nil, true
	}
	for _, t := range strings.Split(text, ",") {
		if err := n.Append(t); err != nil {
			return err
		}
	}
	return nil
}

func (n *numbers) Append(text string) error {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	*n.to = append(*n.to, x)
	return err
}

func (n *numbers) Replace(texts []string) error {
	n.changed = false
	return n.Set(strings.Join(texts, ","))
}

// checkList refuses a flag that is given without a value, a list with an empty entry and a list that names the same thing twice.
func checkList(f *pflag.Flag, entries []string) error {
	_, isList := f.Value.(pflag.SliceValue)
	if isList && len(entries) == 0 || f.Value.Type() == "string" && f.Value.String() == "" {
		return fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name)
	}
	for i, e := range entries {
		switch {
		case strings.TrimSpace(e) == "":
			return fmt.Errorf("--%s %s: entry %d is empty", f.Name, quoted(strings.Join(entries, ",")), i+1)
		case slices.Contains(entries[:i], e):
			return fmt.Errorf("--%s %s: %s stands there twice", f.Name, quoted(strings.Join(entries, ",")), quoted(e))
		}
	}
	return nil
}

// checkRequired says which flag is missing of those that a command cannot do without.
func checkRequired(c *cobra.Command) (err error) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if err == nil && !f.Changed && len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 {
			err = fmt.Errorf("%s: --%s is missing", commandOf(c), f.Name)
		}
	})
	return err
}
