package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"flowbench/experiments/compare"
	"flowbench/experiments/page"
	"flowbench/experiments/study"
	"flowbench/train/checkpoint"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "set the configurations of studies and trials side by side, and say which differences are real",
		ArgsUsage: "STUDY_OR_TRIAL ...",
		Description: "First which configuration is in front and how sure that is, in words. Then one row\n" +
			"a configuration: mean and standard deviation over its replicates, the trivial\n" +
			"baselines and chance beside it, and only the parameters that differ. Below it, the\n" +
			"best against every other: paired tests over seeds (Wilcoxon's signed ranks; where\n" +
			"each replicate has its own split, Nadeau and Bengio's t-test as well) and over test\n" +
			"rows (a bootstrap of connections), corrected by Holm. At the end how much each\n" +
			"parameter mattered (functional ANOVA of a random forest).\n\n" +
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
			&cli.StringFlag{Name: "parquet", Usage: "write the same rows to `FILE` as Parquet"},
			&cli.StringFlag{Name: "html", Usage: "write a report to `FILE`, one page that opens without a network"},
		},
		Action: runCompare,
	}
}

func runCompare(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageError("compare needs the folder of a study, such as runs/demo; see flowbench compare --help")
	}
	options := compare.Options{Metric: compare.Alias(c.String("metric")), Against: c.String("against")}
	if path := c.String("html"); path != "" {
		for _, other := range []string{"json", "csv", "parquet", "sort"} {
			if c.IsSet(other) {
				return usageError("compare --html writes a page and nothing else: ask for --" + other + " in a command of its own")
			}
		}
		return writeStudyPage(c.Context, c.App.Writer, c.Args().Slice(), path,
			page.Options{Options: options, Where: c.String("where"), DifferentData: c.Bool("different-data")})
	}
	table, err := study.Gather(c.Context, c.Args().Slice(), c.Bool("different-data"))
	if err != nil {
		return err
	}
	if err := choose(c, table); err != nil {
		return err
	}
	analysis, err := compare.Analyse(*table, options)
	if err != nil {
		return err
	}
	if err := writeRows(c, table.Configurations); err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(struct {
			Configurations []compare.Configuration `json:"configurations"`
			Analysis       *compare.Analysis       `json:"analysis"`
		}{table.Configurations, analysis})
	}
	table.Width = lineWidth(c.App.Writer)
	return compare.Write(c.App.Writer, *table, analysis)
}

// writeRows writes the files that --csv and --parquet name, each whole or not at all.
func writeRows(c *cli.Context, configurations []compare.Configuration) error {
	for flag, write := range map[string]func(io.Writer, []compare.Configuration) error{"csv": compare.WriteCSV, "parquet": compare.WriteParquet} {
		path := c.String(flag)
		if path == "" {
			continue
		}
		var rows bytes.Buffer
		if err := write(&rows, configurations); err != nil {
			return err
		}
		if err := checkpoint.WriteFile(path, rows.Bytes()); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return nil
}

// pipeWidth is how wide a table may be where nobody says how wide the paper is:
// most of a laptop's screen.
const pipeWidth = 120

// lineWidth is how many characters a line of out has.
func lineWidth(out io.Writer) int {
	if f, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return pipeWidth
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
