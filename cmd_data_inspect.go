package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/inspect"
	"flowbench/data/prepared"
	"flowbench/experiments/dataset"
	"flowbench/experiments/page"
	"flowbench/experiments/report"
	"flowbench/experiments/spec"
)

// lookSeed draws the rows of scatter plots: the same for everybody who looks at the same flows.
const lookSeed = 1

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show types, missing cells, labels, ranges, correlations and what single columns give away",
		ArgsUsage: "SOURCE ...",
		Description: "A source is a prepared folder, a CSV file, a folder, a glob, or a synth:// address.\n\n" +
			"example: flowbench data inspect synth://infiltration?rows=20000",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "label", Usage: "accept this `label` too"},
			&cli.BoolFlag{Name: "json", Usage: "print everything as one JSON object"},
			&cli.StringFlag{Name: "html", Usage: "write a report to `FILE`, one page that opens without a network"},
		},
		Action: runInspect,
	}
}

func runInspect(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageError("data inspect needs a prepared folder, CSV files, folders, globs or a synth:// address; see flowbench data inspect --help")
	}
	set, remove, err := openForLook(c)
	if err != nil {
		return err
	}
	defer remove()
	defer set.Close()
	summary, err := inspect.Describe(c.Context, inspect.Of(set), inspect.Options{})
	if err != nil {
		return err
	}
	if path := c.String("html"); path != "" {
		return writeFlowsPage(c, set, summary, path)
	}
	if c.Bool("json") {
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		return e.Encode(summary)
	}
	return summary.WriteText(c.App.Writer)
}

// writeFlowsPage writes the HTML report of flows to path.
func writeFlowsPage(c *cli.Context, set *prepared.Set, summary *inspect.Summary, path string) error {
	look, err := inspect.Explore(c.Context, inspect.Of(set), summary, inspect.LookOptions{Seed: lookSeed})
	if err != nil {
		return err
	}
	document := page.NewFlows(strings.Join(c.Args().Slice(), " "), summary, look, set.Manifest().Ledger)
	return writePage(c.App.Writer, document.Title, document, path)
}

// openForLook opens the sources, prepared into a temporary folder where they are
// not a prepared one; remove takes that away again.
func openForLook(c *cli.Context) (set *prepared.Set, remove func(), err error) {
	tmp, err := os.MkdirTemp("", "flowbench-inspect-*")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { os.RemoveAll(tmp) }
	bytes := report.NewBytes(c.App.ErrWriter, isTerminal(c.App.ErrWriter), "reading")
	section := spec.Data{Source: c.Args().Slice(), ExtraLabels: c.StringSlice("label")}
	set, err = dataset.Open(c.Context, section, filepath.Join(tmp, "data"), bytes.Show)
	bytes.Close()
	if err != nil {
		remove()
		return nil, nil, err
	}
	return set, remove, nil
}
