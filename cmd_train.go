package main

import (
	"github.com/urfave/cli/v2"

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
			&cli.StringFlag{Name: "out", DefaultText: "runs/, the spec's name and -single", Usage: "`folder` of the run"},
			&cli.BoolFlag{Name: "json", Usage: "print the comparison as one JSON object a configuration"},
			setFlag(), deviceFlag(), simdFlag(),
		},
		Action: runTrain,
	}
}

func runTrain(c *cli.Context) error {
	s, err := loadSpec(c)
	if err != nil {
		return err
	}
	plan, err := study.NewSinglePlan(s)
	if err != nil {
		return err
	}
	return runStudy(c, s, plan, s.Name+"-single")
}
