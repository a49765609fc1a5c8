package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/study"
)

func whyCommand() *cli.Command {
	return &cli.Command{
		Name:      "why",
		Usage:     "say why a trial was chosen, who claimed it, what it was pruned against, and how each attempt ended",
		ArgsUsage: "STUDY TRIAL",
		Description: "TRIAL is a number of the study's list. The trial's folder alone does as well.\n\n" +
			"example: flowbench runs why runs/demo 3",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		Action: runWhy,
	}
}

func runWhy(c *cli.Context) error {
	var dir, trial string
	switch c.NArg() {
	case 1:
		folder := filepath.Clean(c.Args().First())
		dir, trial = filepath.Dir(filepath.Dir(folder)), filepath.Base(folder)
	case 2:
		dir, trial = c.Args().Get(0), c.Args().Get(1)
	default:
		return usageError("why needs the folder of a study and the number of a trial; see flowbench runs why --help")
	}
	index, err := strconv.Atoi(trial)
	if err != nil {
		return usageError(fmt.Sprintf("%q is no number of a trial; see flowbench runs why --help", trial))
	}
	st, err := study.Open(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	e, err := st.Explain(c.Context, index)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(e)
	}
	return e.Write(c.App.Writer)
}
