package main

import (
	"github.com/urfave/cli/v2"

	"flowbench/experiments/spec"
	"flowbench/experiments/study"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:      "train",
		Usage:     "train one model as a spec stands, without its sweep, beside the trivial baselines",
		ArgsUsage: "SPEC",
		Description: "The same command again resumes it.\n\n" +
			"example: flowbench train experiments/infiltration-dnn.yaml --set train.epochs=1",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`folder` of the run (default: runs/, the spec's name and -single)"},
			&cli.BoolFlag{Name: "json", Usage: "print the comparison as one JSON object a configuration"},
			setFlag, deviceFlag,
		},
		Action: runTrain,
	}
}

func runTrain(c *cli.Context) error {
	path, err := oneArgument(c, "a spec")
	if err != nil {
		return err
	}
	s, err := spec.Load(path, c.StringSlice("set")...)
	if err != nil {
		return err
	}
	plan, err := study.NewSinglePlan(s)
	if err != nil {
		return err
	}
	return runStudy(c, s, plan, s.Name+"-single")
}
