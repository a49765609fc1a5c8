package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/experiments/compare"
	"flowbench/experiments/study"
	"flowbench/train/checkpoint"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "set the configurations of studies and trials side by side, and say which differences are real",
		ArgsUsage: "STUDY_OR_TRIAL ...",
		Description: "One row a configuration: mean and standard deviation over its replicates, the\n" +
			"trivial baselines and chance beside it, and only the parameters that differ.\n" +
			"Below it, the best against every other: paired tests over seeds (Wilcoxon's signed\n" +
			"ranks; where each replicate has its own split, Nadeau and Bengio's t-test as well)\n" +
			"and over test rows (a bootstrap of connections), corrected by Holm.\n\n" +
			"Short names of metrics: " + strings.Join(compare.Aliases(), ", ") + ".\n\n" +
			"example: flowbench compare runs/demo --where 'model.kind=dnn && recall>0.7' --sort -ap",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "where", Usage: "keep the configurations that meet a condition: = != < <= > >= ~ (wildcards), &&, ||, !, brackets"},
			&cli.StringFlag{Name: "sort", Usage: "order by parameters or metrics with commas between them; a - puts the largest first"},
			&cli.StringFlag{Name: "metric", Usage: "the metric that is tested; without it the test part's counterpart of what is ranked by"},
			&cli.StringFlag{Name: "against", Usage: "the configuration that all others are tested against; naming it beforehand costs fewer corrections than the best"},
			&cli.BoolFlag{Name: "different-data", Usage: "compare studies of different flows all the same"},
			&cli.BoolFlag{Name: "json", Usage: "print one object: the configurations, with one value a replicate in the order of seeds, and the analysis"},
			&cli.StringFlag{Name: "csv", Usage: "write one line a replicate to `FILE`"},
			&cli.StringFlag{Name: "html", Usage: "write a report to `FILE`, one page that opens without a network"},
		},
		Action: runCompare,
	}
}

func runCompare(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageError("compare needs the folder of a study, such as runs/demo; see flowbench compare --help")
	}
	table, err := study.Gather(c.Context, c.Args().Slice(), c.Bool("different-data"))
	if err != nil {
		return err
	}
	if err := choose(c, table); err != nil {
		return err
	}
	if path := c.String("html"); path != "" {
		return writeStudyPage(c.Context, c.App.Writer, c.Args().Slice(), path)
	}
	analysis, err := compare.Analyse(*table, compare.Options{Metric: compare.Alias(c.String("metric")), Against: c.String("against")})
	if err != nil {
		return err
	}
	if path := c.String("csv"); path != "" {
		var rows bytes.Buffer
		if err := compare.WriteCSV(&rows, table.Configurations); err != nil {
			return err
		}
		if err := checkpoint.WriteFile(path, rows.Bytes()); err != nil {
			return fmt.Errorf("--csv: %w", err)
		}
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(struct {
			Configurations []compare.Configuration `json:"configurations"`
			Analysis       *compare.Analysis       `json:"analysis"`
		}{table.Configurations, analysis})
	}
	if err := table.Write(c.App.Writer); err != nil {
		return err
	}
	return analysis.Write(c.App.Writer)
}

// choose applies --where and --sort.
func choose(c *cli.Context, table *compare.Table) (err error) {
	if condition := c.String("where"); condition != "" {
		if table.Configurations, err = compare.Where(table.Configurations, condition); err != nil {
			return fmt.Errorf("--where: %w", err)
		}
		if len(table.Configurations) == 0 {
			return fmt.Errorf("--where: no configuration meets %q", condition)
		}
	}
	if by := c.String("sort"); by != "" {
		if table.Configurations, err = compare.Sort(table.Configurations, by); err != nil {
			return fmt.Errorf("--sort: %w", err)
		}
		table.Ordered = true
	}
	return nil
}
