package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"flowbench/data/verify"
	"flowbench/experiments/report"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "compare a download with the published names, sizes and SHA-256 sums",
		ArgsUsage: "FOLDER",
		Description: "A file that differs is a warning, since a sound copy may have been written again;\n" +
			"a missing one is a failure.\n\n" +
			"example: flowbench data verify MachineLearningCVE/",
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print the report as one JSON object"}},
		Action: runVerify,
	}
}

func runVerify(c *cli.Context) error {
	dir, err := oneArgument(c, "the folder of a download")
	if err != nil {
		return err
	}
	bytes := report.NewBytes(c.App.ErrWriter, isTerminal(c.App.ErrWriter), "hashing")
	r, err := verify.Folder(c.Context, dir, func(_ string, done, total int64) { bytes.Show(done, total) })
	bytes.Close()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = json.NewEncoder(c.App.Writer).Encode(r)
	} else {
		err = r.WriteText(c.App.Writer)
	}
	if err != nil {
		return err
	}
	missing := 0
	for _, f := range r.Files {
		if f.Status == verify.Missing {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d files are missing in %s", missing, len(r.Files), dir)
	}
	return nil
}
