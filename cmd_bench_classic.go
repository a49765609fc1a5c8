package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/bench"
)

func benchClassicCommand() *cli.Command {
	return &cli.Command{
		Name:  "classic",
		Usage: "time fitting PCA, K-Means, GMM and DBSCAN",
		Description: "Fits what the rulers fit, on S.npy of --data. A detector that this flowbench lacks\n" +
			"is named, and the exit code is 1.\n\n" +
			"example: flowbench bench classic --rows 100000 --json",
		Flags: []cli.Flag{
			dataFlag("S.npy and y.npy"), rowsFlag(), repeatFlag(), benchJSONFlag(),
		},
		Action: func(c *cli.Context) error { return runBenchClassic(c, bench.Detectors()) },
	}
}

func runBenchClassic(c *cli.Context, fits bench.Fits) error {
	if err := checkBench(c, map[string]int{"rows": 2, "repeat": 1}); err != nil {
		return err
	}
	if len(fits) > 0 {
		matrix, err := loadMatrix(c)
		if err != nil {
			return err
		}
		show, done := measuring(c)
		classic := &bench.Classic{Fits: fits, Matrix: matrix, Rounds: c.Int("repeat"), SIMD: bench.DetectorLevel, Progress: show}
		results, err := classic.Run(c.Context)
		done()
		if err != nil {
			return interrupted(c, err)
		}
		if err := printClassic(c, results); err != nil {
			return err
		}
	}
	if missing := fits.Missing(); len(missing) > 0 {
		return fmt.Errorf("not measured: %s; this flowbench has no such detectors", strings.Join(missing, ", "))
	}
	return nil
}

func printClassic(c *cli.Context, results []bench.ClassicResult) error {
	if c.Bool("json") {
		return bench.WriteJSON(c.App.Writer, results)
	}
	return bench.WriteClassic(c.App.Writer, results)
}
