package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"flowbench/data/flowcsv"
	"flowbench/data/prepared"
	"flowbench/data/synth"
	"flowbench/experiments/dataset"
	"flowbench/experiments/report"
)

func dataCommand() *cli.Command {
	return &cli.Command{
		Name:  "data",
		Usage: "make, look at, prepare and verify flow records",
		Subcommands: []*cli.Command{
			synthCommand(), inspectCommand(), prepareCommand(), verifyCommand(),
		},
	}
}

func synthCommand() *cli.Command {
	return &cli.Command{
		Name:      "synth",
		Usage:     "write synthetic CICIDS2017-style CSV files",
		ArgsUsage: "FOLDER",
		Description: "The flows are synthetic: their statistics follow the real ones, no row does. The\n" +
			"same profile, rows and seed give the same bytes.\n\n" +
			"example: flowbench data synth --profile infiltration --rows 50000 flows/",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "profile", Value: "infiltration", Usage: "`profile`: " + strings.Join(synth.Profiles(), " or ")},
			&cli.IntFlag{Name: "rows", Usage: "`number` of rows over all files (default: the profile's own)"},
			&cli.Uint64Flag{Name: "seed", Value: 7, Usage: "`seed` that chooses the rows"},
		},
		Action: runSynth,
	}
}

func runSynth(c *cli.Context) error {
	dir, err := oneArgument(c, "the folder to write to")
	if err != nil {
		return err
	}
	if c.IsSet("rows") && c.Int("rows") < 1 {
		return usageError(fmt.Sprintf("--rows %d: at least one is needed", c.Int("rows")))
	}
	files, err := synth.Files(synth.Config{Profile: c.String("profile"), Rows: c.Int("rows"), Seed: c.Uint64("seed")})
	if err != nil {
		return usageError(err.Error())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := writeSynthetic(c.Context, path, f); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s  %d rows", path, f.Rows)
		for _, l := range f.Labels {
			fmt.Fprintf(c.App.Writer, "  %s %d", l.Label, l.Rows)
		}
		fmt.Fprintln(c.App.Writer)
	}
	fmt.Fprintln(c.App.Writer, files[0].Notice)
	return nil
}

// writeSynthetic writes f whole, or leaves nothing at path that was not there.
func writeSynthetic(ctx context.Context, path string, f synth.File) (err error) {
	out, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(out.Name())
		}
	}()
	if err := f.Write(untilDone{ctx, out}); err != nil {
		return err
	}
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// untilDone is a writer that fails when its context has ended.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(p)
}

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
		out = filepath.Join("prepared", nameOf(c.Args().First()))
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
