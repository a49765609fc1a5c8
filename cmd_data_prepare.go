package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
	"flowbench/data/synth"
	"flowbench/experiments/dataset"
	"flowbench/experiments/report"
)

func prepareCommand() *cli.Command {
	return &cli.Command{
		Name:      "prepare",
		Usage:     "read CSV files into a prepared set and print the ledger",
		ArgsUsage: "SOURCE ...",
		Description: "A source is a CSV file, a folder, a glob, or a synth:// address; the three forms of\n" +
			"CICIDS2017 may be mixed. numpy opens what is written.\n\n" +
			"example: flowbench data prepare --out prepared/ flows/*.csv",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`folder` of the prepared set (default: prepared/ and the name of the first source)"},
			&cli.BoolFlag{Name: "replace", Usage: "replace an earlier prepared set"},
			&cli.StringSliceFlag{Name: "label", Usage: "accept this `label` too"},
			&cli.BoolFlag{Name: "drop-bad-rows", Usage: "leave out rows that cannot be read, and count them in the ledger"},
			&cli.BoolFlag{Name: "json", Usage: "print the manifest with its ledger as JSON"},
		},
		Action: runPrepare,
	}
}

func runPrepare(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageError("data prepare needs CSV files, folders, globs or a synth:// address; see flowbench data prepare --help")
	}
	out := c.String("out")
	if out == "" {
		name := nameOf(c.Args().First())
		if strings.Trim(name, ".") == "" || strings.ContainsAny(name, "*?[") {
			return usageError(fmt.Sprintf("%s gives the prepared set no name: choose its folder with --out", c.Args().First()))
		}
		out = filepath.Join("prepared", name)
	}
	sources, synthetic, err := dataset.Sources(c.Args().Slice()...)
	if err != nil {
		return err
	}
	options := prepared.Options{
		Read:      flowcsv.Options{Labels: c.StringSlice("label")},
		Source:    strings.Join(c.Args().Slice(), " "),
		Synthetic: synthetic,
		Replace:   c.Bool("replace"),
	}
	if c.Bool("drop-bad-rows") {
		options.Read.BadRows = flowcsv.Drop
	}
	bytes := report.NewBytes(c.App.ErrWriter, isTerminal(c.App.ErrWriter), "reading")
	options.Progress = bytes.Show
	m, err := prepared.Write(c.Context, out, sources, options)
	bytes.Close()
	if errors.Is(err, prepared.ErrExists) {
		return fmt.Errorf("%w; --replace puts the new set in its place", err)
	}
	if err != nil {
		return err
	}
	return printManifest(c, out, m)
}

// printManifest prints the ledger after making sure that its sums are right.
func printManifest(c *cli.Context, out string, m *prepared.Manifest) error {
	if err := m.Ledger.Check(); err != nil {
		return fmt.Errorf("the ledger's sums are wrong, which is a fault of flowbench: %w", err)
	}
	if c.Bool("json") {
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		return e.Encode(m)
	}
	if err := m.Ledger.WriteTable(c.App.Writer); err != nil {
		return err
	}
	kind := ""
	if m.Synthetic {
		kind = "synthetic "
	}
	fmt.Fprintf(c.App.Writer, "\nsums check; %d %srows of %d columns written to %s\n", m.Rows, kind, len(m.Columns), out)
	return nil
}

// nameOf is a folder name for what is read from address.
func nameOf(address string) string {
	address, _, _ = strings.Cut(strings.TrimPrefix(address, synth.Scheme), "?")
	base := filepath.Base(address)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
