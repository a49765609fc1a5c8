package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/compare"
	"flowbench/experiments/study"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "set the configurations of studies side by side",
		ArgsUsage: "STUDY ...",
		Description: "One row a configuration: mean and standard deviation over its replicates, the\n" +
			"trivial baselines and chance beside it, and only the parameters that differ.\n\n" +
			"example: flowbench compare runs/demo",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one object a configuration, with one value a replicate in the order of seeds"},
			&cli.StringFlag{Name: "html", Usage: "write a report to `FILE`, one page that opens without a network"},
		},
		Action: runCompare,
	}
}

func runCompare(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageError("compare needs the folder of a study, such as runs/demo; see flowbench compare --help")
	}
	if path := c.String("html"); path != "" {
		return writeStudyPage(c.Context, c.App.Writer, c.Args().Slice(), path)
	}
	for i, dir := range c.Args().Slice() {
		if i > 0 && !c.Bool("json") {
			fmt.Fprintln(c.App.Writer)
		}
		if err := compareStudy(c, dir); err != nil {
			return err
		}
	}
	return nil
}

func compareStudy(c *cli.Context, dir string) error {
	st, err := study.Open(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	table, err := st.Comparison(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return compare.WriteJSON(c.App.Writer, table.Configurations)
	}
	return table.Write(c.App.Writer)
}
