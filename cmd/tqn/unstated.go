package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tqn/cluster"
	"tqn/nets/network"
)

// unstatedFlags declares the flags for what the paper does not say.
func unstatedFlags(cmd *cobra.Command, u *cluster.Unstated) {
	f := cmd.Flags()
	f.StringVar(&u.Init, "init", "", "law of the real convolution weights that bc (and in tqn train, adam) starts from: "+strings.Join(network.Inits(), ", ")+"; default he")
	f.BoolFunc("clip", "whether bc keeps its real weights in [-1,1]; default true", func(text string) error {
		clip, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		u.Clip = &clip
		return nil
	})
	f.StringVar(&u.LearningRateScale, "learning-rate-scale", "", "factor on the learning rate of bc's convolutions: none, or binaryconnect (the original's, by layer); default none")
	f.Float64Var(&u.NormEpsilon, "norm-epsilon", 0, "added to batch norm's variance; 0 is Torch7's 1e-5")
	f.Float64Var(&u.NormMomentum, "norm-momentum", 0, "weight of the newest batch in batch norm's running averages; 0 is Torch7's 0.1")
	f.StringVar(&u.Shortcut, "shortcut", "", "shortcut of ResNets where the shape changes: A (zero channels) or B (projection); default: the one with the paper's parameter counts")
	f.StringVar(&u.LastBatch, "last-batch", "", "what becomes of an epoch's images after the last whole batch: drop, or keep (a smaller step); default drop")
	for flag, values := range map[string][]string{"init": network.Inits(), "learning-rate-scale": {"none", "binaryconnect"},
		"shortcut": {"A", "B"}, "last-batch": {"drop", "keep"}} {
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // a flag declared above
		}
	}
}

// unstatedCommand is the part of a command line that says them, with a space before each flag.
func unstatedCommand(u cluster.Unstated) string {
	line := ""
	add := func(flag, value, unset string) {
		if value != unset {
			line += " --" + flag + "=" + value
		}
	}
	add("init", u.Init, "")
	if u.Clip != nil {
		add("clip", strconv.FormatBool(*u.Clip), "")
	}
	add("learning-rate-scale", u.LearningRateScale, "")
	add("norm-epsilon", strconv.FormatFloat(u.NormEpsilon, 'g', -1, 64), "0")
	add("norm-momentum", strconv.FormatFloat(u.NormMomentum, 'g', -1, 64), "0")
	add("shortcut", u.Shortcut, "")
	add("last-batch", u.LastBatch, "")
	return line
}
