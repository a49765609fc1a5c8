package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/spec"
	"flowbench/experiments/study"
)

func extendCommand() *cli.Command {
	return &cli.Command{
		Name:      "extend",
		Usage:     "add trials to a study, or narrow what is still to be searched, and go on with it",
		ArgsUsage: "STUDY",
		Description: "Makes a new version of the plan: the trials there are stay as they are, those that\n" +
			"are added stand behind them, drawn from the space of --spec, or from the one there\n" +
			"was but for what --set pins.\n\n" +
			"example: flowbench sweep extend runs/infiltration-tpe --trials 96",
		Flags: append(runFlags()[1:],
			&cli.StringFlag{Name: "spec", DefaultText: "the study's own", Usage: "`file` with the spec as it is to be from here on: only what its sweep varies may differ"},
			&cli.IntFlag{Name: "trials", DefaultText: "what --spec says", Usage: "`number` of configurations of all versions together"},
			setFlag(),
		),
		Action: runExtend,
	}
}

func runExtend(c *cli.Context) error {
	dir, err := oneArgument(c, "the folder of a study")
	if err != nil {
		return err
	}
	if err := checkRunFlags(c); err != nil {
		return err
	}
	if !c.IsSet("trials") && !c.IsSet("spec") {
		return usageError("extend needs --trials, the number of configurations of all versions together, or --spec; see flowbench sweep extend --help")
	}
	chosen, err := chooseDevice(c)
	if err != nil {
		return err
	}
	st, err := study.Reopen(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	next, err := extended(c, st)
	if err != nil {
		return err
	}
	n, err := st.Extend(c.Context, next)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "%d trials are added to the plan\n", n)
	return goOn(c, st, chosen)
}

// extended is the spec of --spec, or the study's newest one, with what the command
// changes in it.
func extended(c *cli.Context, st *study.Study) (*spec.Spec, error) {
	if st.Plan.Single {
		return nil, errors.New("a single run cannot be extended: sweep its spec in another folder")
	}
	set := c.StringSlice("set")
	if c.IsSet("trials") {
		set = append(set, "sweep.trials="+strconv.Itoa(c.Int("trials")))
	}
	if path := c.String("spec"); path != "" {
		return spec.Load(path, set...)
	}
	document := st.Newest().Document()
	document.Set = append(document.Set, set...)
	return spec.Restore(document)
}
